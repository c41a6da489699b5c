"""Filled frames and detail latents beside a base layer, through files on the seeded tiny model."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from layered_files import Encode, chunks, error, forged, original, shown, without

from neurcodec import container
from neurcodec.codec import networks
from neurcodec.codec.layered import LayeredCodec
from neurcodec.container import FrameType, Profile, Substream
from neurcodec.errors import DamageError
from neurcodec.files import models
from neurcodec.files.frame_range import FrameRange
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import DecodeOptions

SIZE = (80, 64)
DETAIL = (("detail", 2),)


@pytest.mark.parametrize(("divisor", "base"), [(1, 11), (2, 6), (3, 5), (4, 4)])
def test_the_base_skips_frames_and_they_are_filled(
    divisor: int, base: int, layered: Encode, moving: Path, tiny_model: Path, ncodec: Run
) -> None:
    path = layered(mini_gop=divisor)
    (gop,) = chunks(path)
    assert gop.base is not None and gop.mini_gop == divisor
    assert (Substream.MOTION in gop.substreams) == (divisor > 1)
    assert verify_file(path, model=str(tiny_model)).frames == 11
    facts = json.loads(ncodec("info", path, "--json").stdout)
    assert facts["frame_types"] == {"base": base, "filled": 11 - base}
    assert (facts["format_version"], facts["mini_gops"]) == ("2.1" if divisor > 1 else "2.0", [divisor])
    filled, truth = shown(path, tiny_model), original(moving)
    kept = [index for index, kind in enumerate(gop.frame_types) if kind is not FrameType.S]
    held = filled[[max(k for k in kept if k <= index) for index in range(11)]]
    assert divisor == 1 or error(filled, truth) < 0.7 * error(held, truth)


def test_filling_moves_what_moves(layered: Encode, moving: Path, tiny_model: Path) -> None:
    """Without its motion a filled frame is further from the source."""
    (gop,) = chunks(layered(mini_gop=3))
    codec = LayeredCodec(networks.load(models.find(str(tiny_model)), "cpu", diffusion=False))
    symbols = codec.parse(gop, container.Header(*SIZE, Fraction(1, 25), profile=Profile.LAYERED))
    still = [f if f.motion is None else replace(f, motion=np.zeros_like(f.motion)) for f in symbols.latents]
    truth = original(moving)
    sparse = [index for index, frame in enumerate(still) if frame.type is FrameType.S]
    both = symbols, replace(symbols, latents=tuple(still))
    with_motion, without = (np.stack(list(codec.decode(one)))[sparse] for one in both)
    assert error(with_motion, truth[sparse]) < error(without, truth[sparse])


@pytest.mark.parametrize(("detail", "finer"), [(1, range(11)), (4, (0, 4, 8)), (255, (0,))])
def test_detail_brings_base_frames_nearer(
    detail: int, finer: tuple[int, ...], layered: Encode, moving: Path, tiny_model: Path
) -> None:
    plain, path = layered(mini_gop=1), layered((("detail", detail),))
    (before,), (gop,) = chunks(plain), chunks(path)
    assert gop.substreams[Substream.BASE] == before.substreams[Substream.BASE]
    assert len(gop.substreams[Substream.LATENTS_P]) > 4
    truth, coarse, detailed = original(moving), shown(plain, tiny_model), shown(path, tiny_model)
    changed = [index for index in range(11) if (coarse[index] != detailed[index]).any()]
    assert changed == list(finer)
    assert error(detailed[changed], truth[changed]) < 0.995 * error(coarse[changed], truth[changed])


def test_filled_frames_take_detail_from_their_neighbours(layered: Encode, moving: Path, tiny_model: Path) -> None:
    truth = original(moving)
    errors = [
        error(shown(layered(options, mini_gop=2), tiny_model)[1::2], truth[1::2]) for options in ((), (("detail", 1),))
    ]
    assert errors[1] < errors[0]


def test_the_generator_runs_on_them(layered: Encode, tiny_model: Path) -> None:
    path = layered(DETAIL, mini_gop=2)
    assert (shown(path, tiny_model, diffusion=True) != shown(path, tiny_model)).any()


def test_seeking_gives_the_frames_of_a_whole_decode(layered: Encode, tiny_model: Path) -> None:
    path = layered(DETAIL, mini_gop=3, gop_seconds=Fraction(4, 25))
    assert len(chunks(path)) == 3
    whole = shown(path, tiny_model, diffusion=True)
    part = shown(path, tiny_model, diffusion=True, frame_range=FrameRange(Fraction(5), Fraction(8)))
    assert (part == whole[5:8]).all()


FORGERIES = {
    "heads": lambda gop: replace(gop, substreams={**gop.substreams, Substream.BASE: b"\x04\xff\xff\xff\xff"}),
    "no motion": without(Substream.MOTION),
    "no detail": without(Substream.LATENTS_P),
    "digest": lambda gop: replace(gop, digest=bytes(8)),
    "divisor": lambda gop: replace(gop, mini_gop=2),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_forged_is_damage_and_salvaged(name: str, layered: Encode, tiny_model: Path) -> None:
    whole = layered(DETAIL, mini_gop=3, gop_seconds=Fraction(4, 25))
    path = forged(whole, FORGERIES[name])
    assert verify_file(path, quick=True).chunks == 3
    with pytest.raises(DamageError, match="the chunk of frames 4 to 7"):
        verify_file(path, model=str(tiny_model))
    with pytest.raises(DamageError, match="the chunk of frames 4 to 7"):
        shown(path, tiny_model)
    options = DecodeOptions(model=str(tiny_model), device="cpu", salvage=True, diffusion=False, overwrite=True)
    report = decode_file(path, path.with_suffix(".y4m"), options)
    assert (report.frames, report.chunks) == (7, 2)


def test_detail_is_for_the_layered_profile(ncodec: Run, moving: Path, tmp_path: Path) -> None:
    run = ncodec("encode", moving, tmp_path / "a.nvc", "--profile", "native", "--detail", "1")
    assert run.returncode == 2
    assert "--detail is for --profile layered" in run.stderr
