"""The layered profile through files on the seeded tiny model: its base, the texture gap, the strength."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from layered_files import Encode, chunks, original, shown

from neurcodec import container
from neurcodec.analysis.laplacian import cell_levels, detail, fitted
from neurcodec.codec import networks
from neurcodec.codec.layered import LayeredCodec
from neurcodec.codec.strength import best_share, fitting_strength
from neurcodec.container import Profile, Substream
from neurcodec.entropy import texture
from neurcodec.files import models
from neurcodec.generator.restore import GROUP
from reference_decoder import side as spec_side

SIZE = (80, 64)
CELLS = (2, 3)
DETAIL = (("detail", 2),)


def test_the_texture_gap_is_lowered_where_the_generator_draws_too_much() -> None:
    source = np.repeat(np.random.default_rng(1).integers(96, 160, (4, 64, 96, 1), dtype=np.uint8), 3, 3)
    shown = source.copy()
    shown[:, :, 64:] = 128 + 2 * (shown[:, :, 64:].astype(np.int16) - 128)  # more texture in the last column of cells
    levels = np.full((2, 3), 9.0)
    lowered = fitted(levels, source, shown)
    assert (lowered <= levels).all() and (lowered[:, 2] < 7).all() and np.allclose(lowered[:, 0], 9, atol=0.1)
    assert np.allclose(fitted(levels, shown, source)[:, 2], 9, atol=0.1)


def test_the_generator_is_left_out_where_it_does_harm(layered: Encode, tiny_model: Path) -> None:
    """The tiny model's is random, so that nothing of it is worth to be shown; a fast encode does not look."""
    (gop,), (fast,) = chunks(path := layered(preset="medium")), chunks(layered())
    assert gop.substreams[Substream.STRENGTH] == b"\0" and Substream.STRENGTH not in fast.substreams
    assert Substream.TEXTURE_LEVELS not in gop.substreams
    assert (shown(path, tiny_model, diffusion=True) == shown(path, tiny_model)).all()


@pytest.mark.parametrize(
    ("scale", "share", "strength"),
    [(1, 1.0, 8), (1, 0.5, 3), (1, 0.1, 0), (2, 0.5, 12), (2, -0.5, 0), (3, 0.1, 5), (4, 0.7, 16)],
)
def test_strength_follows_what_the_change_is_worth(scale: int, share: float, strength: int) -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(64, 192, (4, 64, 96, 3)).astype(np.uint8)
    change = rng.choice((-40, 40), base.shape)
    source, restored = ((base + part * change).astype(np.uint8) for part in (share, 1))
    assert best_share(source, base, restored) == pytest.approx(share, abs=0.01)
    assert fitting_strength(source, base, restored, scale) == strength
    assert fitting_strength(source, base, base, scale) == 0


def test_a_strength_shows_a_part_of_the_change(layered: Encode, tiny_model: Path) -> None:
    (gop,) = chunks(layered())
    header = container.Header(*SIZE, Fraction(1, 25), profile=Profile.LAYERED)

    def decoded(diffusion: bool, strength: int) -> npt.NDArray[np.int64]:
        codec = LayeredCodec(networks.load(models.find(str(tiny_model)), "cpu", diffusion))
        symbols = codec.parse(gop, header)
        told = symbols.conditioning._replace(strength=strength)
        return np.stack(list(codec.decode(replace(symbols, conditioning=told)))).astype(int)

    coarse, whole = decoded(False, 16), decoded(True, 16)
    none, half = (decoded(True, strength) for strength in (0, 8))
    assert (none == coarse).all() and (whole != coarse).mean() > 0.2
    inside = (whole > 0) & (whole < 255)
    assert np.abs(2 * half - coarse - whole)[inside].max() <= 2


def test_the_levels_told_are_those_of_the_source(layered: Encode, moving: Path, tiny_model: Path) -> None:
    (gop,) = chunks(layered(preset="fast"))
    gap = texture.decode(gop.substreams[Substream.TEXTURE_LEVELS], *CELLS)
    truth, coarse = original(moving), shown(layered(preset="fast"), tiny_model)
    missed = []
    for start in (0, 8):
        wanted = cell_levels(detail(truth[start : start + GROUP], 1))
        frames = coarse[start : start + GROUP] / 255
        told = np.mean([spec_side.frame_levels(gap.tolist(), frame) for frame in frames], 0)
        missed.append(told - wanted)
    assert np.abs(np.mean(missed, 0)).max() < 1
