"""Texture maps and gaps: their substreams, what hostile bytes do to them, and what the pictures make of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import refusals
from hypothesis import given, settings
from hypothesis import strategies as st

from neurcodec.analysis.laplacian import cell_levels, detail, fitted, texture_index, texture_map
from neurcodec.coarse.codec import CoarseFrame
from neurcodec.container import FrameType
from neurcodec.entropy import texture
from neurcodec.entropy.conditioning import Conditioning
from neurcodec.generator.condition import spread_texture
from neurcodec.generator.restore import spread
from reference_decoder import side as spec_side


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 20), st.integers(1, 30), st.integers(1, 16), st.integers(0, 1000))
def test_texture_maps_come_back(height: int, width: int, spread: int, seed: int) -> None:
    levels = np.random.default_rng(seed).integers(16 - spread, 16, (height, width))
    data = texture.encode(levels)
    assert np.array_equal(texture.decode(data, height, width), levels)
    assert spec_side.texture_map(data, 32 * width, 32 * height - 31) == levels.tolist()


def test_texture_maps_are_compressed() -> None:
    rows, columns = np.mgrid[:15, :27]
    assert len(texture.encode(3 + (rows > 7) * 4 + columns // 9)) < 30


def test_hostile_texture_maps() -> None:
    good = texture.encode(np.random.default_rng(1).integers(0, 16, (12, 20)))
    assert refusals(lambda data: texture.decode(data, 12, 20), good) > 100


def test_texture_is_where_the_picture_has_it() -> None:
    pictures = np.full((17, 70, 100, 3), 90, np.uint8)
    pictures[:, 32:64, 64:96] = np.random.default_rng(1).integers(0, 256, (32, 32, 1))
    pictures[1] = 0  # is not looked at
    levels = texture_map(cell_levels(detail(pictures)))
    assert levels.shape == (3, 4)
    assert levels[1, 2] == 15 and levels[0, 0] == levels[2, 0] == 0 and 0 < levels[1, 3] < 15
    found = detail(pictures)
    assert texture_index(found) == round(8 * np.log2(1 + found.mean()))
    assert texture_index(np.zeros((9, 9))) == 1 and texture_index(np.full((9, 9), 2000.0)) == 63


def test_a_fitted_map_asks_for_less_where_there_is_too_much() -> None:
    rng = np.random.default_rng(2)
    source = np.full((3, 96, 128, 3), 90, np.uint8)
    source[:, :, 64:] += rng.integers(0, 40, (3, 96, 64, 1), dtype=np.uint8)
    levels = cell_levels(detail(source))
    assert np.allclose(fitted(levels, source, source), levels)
    shown = np.full_like(source, 90)
    shown[:, :, :32] += rng.integers(0, 40, (3, 96, 32, 1), dtype=np.uint8)
    moved = fitted(levels, source, shown) - levels
    assert (moved[:, 0] < -1).all() and (moved[:, 3] == 0).all()


@pytest.mark.parametrize("frames", [1, 3])
def test_levels_follow_the_coarse_pictures(frames: int) -> None:
    random = np.random.default_rng(frames)
    height, width = 75, 100
    pictures = random.random((frames, 80, 112, 3)) * random.random((1, 80, 112, 1))
    gap = random.integers(0, 16, (3, 4))
    group = [
        CoarseFrame(FrameType.I, torch.from_numpy(picture).permute(2, 0, 1)[None].float(), torch.zeros(1, 1, 10, 14))
        for picture in pictures
    ]
    told = spread(Conditioning(texture_gap=gap), group, height, width)
    wanted = [spec_side.frame_levels(gap.tolist(), picture[:height, :width]) for picture in pictures]
    assert told is not None and told.shape == (frames, 1, 10, 14)
    assert torch.allclose(told, spread_texture(torch.tensor(wanted)[:, None])[:, :, :10, :14], atol=1e-4)
