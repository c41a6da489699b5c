"""AV1 base layers: round trip, exactness, damage and hostile sizes."""

from __future__ import annotations

import os
import random
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_clips import picture
from numpy.typing import NDArray

from neurcodec.errors import DamageError, InputError, LimitError
from neurcodec.media import Frame, VideoInfo, VideoWriter
from neurcodec.media.av1 import decode_gop, encode_gop


def clip(count: int, width: int = 96, height: int = 80) -> NDArray[np.uint8]:
    """Return a moving clip (count, height, width, 3)."""
    return np.stack([picture(width, height, number) for number in range(count)])


@pytest.fixture(scope="module")
def units() -> list[bytes]:
    """A coded clip of 20 frames of 96x80."""
    return encode_gop(clip(20), crf=40, preset=10)


@pytest.mark.parametrize(("count", "width", "height"), [(1, 64, 64), (2, 96, 80), (33, 97, 71), (70, 64, 66)])
def test_round_trip(count: int, width: int, height: int) -> None:
    frames = clip(count, width, height)
    units = encode_gop(frames, crf=15, preset=10)
    out = decode_gop(units, count, width, height)
    assert out.shape == frames.shape
    for one, two in zip(frames, out, strict=True):  # in display order, and right
        assert np.abs(one.astype(int) - two).mean() < 6
    assert np.array_equal(out, decode_gop(units, count, width, height))


def test_quality_counts_and_threads_do_not(units: list[bytes]) -> None:
    rough = encode_gop(clip(20), crf=60, preset=10)
    assert sum(map(len, rough)) < sum(map(len, units))
    assert encode_gop(clip(20), crf=40, preset=10, threads=1) == units


@pytest.mark.skipif(sys.platform != "linux", reason="SVT-AV1 changes priorities on Linux only")
def test_the_encoder_does_not_make_the_process_a_real_time_one(tmp_path: Path) -> None:
    encode_gop(clip(2), crf=60, preset=10)
    info = VideoInfo(64, 64, Fraction(1, 25), Fraction(25))
    with VideoWriter(tmp_path / "out.webm", info) as writer:
        writer.write(Frame(clip(1, 64, 64)[0], 0, 1))
        policies = {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}
    assert policies == {os.SCHED_OTHER}


def test_one_key_frame_and_no_delimiters(units: list[bytes]) -> None:
    assert not any(unit.startswith(b"\x12\x00") for unit in units)
    assert [number for number, unit in enumerate(units) if unit[0] >> 3 == 1] == [0]  # sequence header
    decode_gop(units, 20, 96, 80)


def test_damage(units: list[bytes]) -> None:
    for broken in (
        [],
        units[1:],
        units[:-1],
        units + units,
        [b"\0"],
        [b""],
        [unit[:9] for unit in units],
    ):
        with pytest.raises(DamageError, match="AV1 base layer"):
            decode_gop(broken, 20, 96, 80)


def test_random_damage_never_hangs_or_crashes(units: list[bytes]) -> None:
    rng = random.Random(1)
    outcomes = set()
    for _ in range(150):
        broken = [bytearray(unit) for unit in units]
        for _ in range(rng.randint(1, 3)):
            one = broken[rng.randrange(len(broken))]
            one[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
        try:
            outcomes.add(decode_gop([bytes(unit) for unit in broken], 20, 96, 80).shape)
        except DamageError:
            outcomes.add("damage")
    assert "damage" in outcomes


def test_sizes_that_are_not_declared(units: list[bytes]) -> None:
    for width, height in ((94, 80), (48, 40), (96, 96), (160, 120)):
        with pytest.raises(DamageError):
            decode_gop(units, 20, width, height)


def test_hostile_declarations(units: list[bytes]) -> None:
    for width, height in ((1 << 15, 64), (16384, 16385), (1 << 40, 1)):
        with pytest.raises(LimitError):
            decode_gop(units, 20, width, height)
    with pytest.raises(DamageError):
        decode_gop(units, 1 << 20, 96, 80)


def test_sizes_that_cannot_be_coded() -> None:
    with pytest.raises(InputError, match="63x64"):
        encode_gop(clip(1, 63, 64), crf=40)
