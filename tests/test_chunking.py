"""Scene cuts and chunk planning on synthetic frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from neurcodec.analysis import chunking, mini_gop
from neurcodec.analysis.scenes import is_cut, thumbnail
from neurcodec.media.types import Frame

Picture = npt.NDArray[np.uint8]
MILLI = Fraction(1, 1000)


def canvas(seed: int) -> Picture:
    """A large smooth random picture, to pan over."""
    noise = np.random.default_rng(seed).integers(0, 256, (24, 160, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (1600, 240), interpolation=cv2.INTER_CUBIC))


def pan(seed: int, count: int, speed: int) -> list[Picture]:
    """`count` views 160x90 of a canvas, moved by `speed` pixels a frame."""
    picture = canvas(seed)
    return [picture[60:150, i * speed : i * speed + 160].copy() for i in range(count)]


def cuts(pictures: list[Picture]) -> list[int]:
    scene = [thumbnail(picture) for picture in pictures]
    return [i for i in range(1, len(scene)) if is_cut(scene, i)]


@pytest.mark.parametrize("speed", [0, 2, 6])
def test_a_cut_is_found_where_it_is(speed: int) -> None:
    assert cuts(pan(1, 12, speed) + pan(2, 12, speed)) == [12]


@pytest.mark.parametrize("speed", [0, 3, 20, 60])
def test_motion_is_no_cut(speed: int) -> None:
    assert cuts(pan(3, 20, speed)) == []


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length: int) -> None:
    pictures = pan(4, 24, 2)
    for i in range(length):
        pictures[12 + i] = np.full_like(pictures[0], 255)
    assert cuts(pictures) == []


def test_repeated_frames_are_no_cut() -> None:
    assert cuts([picture for picture in pan(5, 12, 6) for _ in range(2)]) == []


def flat(pts: list[int], size: tuple[int, int] = (16, 16)) -> Iterator[Frame]:
    picture = np.zeros((*size, 3), np.uint8)
    return (Frame(picture, t, 1) for t in pts)


def lengths(pts: list[int], seconds: float) -> list[int]:
    return [len(chunk) for chunk in chunking.split(flat(pts), MILLI, Fraction(seconds))]


def test_chunks_follow_the_clock() -> None:
    even = [40 * i for i in range(100)]
    assert lengths(even, 1) == [25, 25, 25, 25]
    assert lengths(even[:60], 1) == [25, 25, 10]
    assert lengths(even[:31], 1) == [31]  # the end comes within a quarter more
    assert lengths(even[:33], 1) == [25, 8]
    assert lengths([0, 10, 990, 1000, 5000, 60000], 1) == [3, 1, 1, 1]
    assert lengths([7], 1) == [1]
    assert lengths([], 1) == []


def test_chunks_keep_to_the_frame_and_byte_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lengths(list(range(600)), 3) == [255, 255, 90]
    assert lengths(list(range(256)), 3) == [255, 1]
    monkeypatch.setattr(chunking, "MAX_BYTES", 16 * 16 * 3 * 10)
    assert lengths(list(range(25)), 3) == [10, 10, 5]
    monkeypatch.setattr(chunking, "MAX_BYTES", 1)
    assert lengths(list(range(3)), 3) == [1, 1, 1]


def test_chunks_start_at_cuts_and_keep_every_frame() -> None:
    pictures = pan(6, 30, 3) + pan(7, 20, 3) + pan(8, 40, 3)
    frames = [Frame(picture, 40 * i, 40) for i, picture in enumerate(pictures)]
    chunks = list(chunking.split(iter(frames), MILLI, Fraction(1)))
    assert [len(chunk) for chunk in chunks] == [30, 20, 25, 15]
    assert [frame.pts for chunk in chunks for frame in chunk] == [frame.pts for frame in frames]


def test_memory_is_bounded_by_the_chunk() -> None:
    taken = 0

    def count() -> Iterator[Frame]:
        nonlocal taken
        for frame in flat([40 * i for i in range(2000)]):
            taken += 1
            yield frame

    given = 0
    for chunk in chunking.split(count(), MILLI, Fraction(1)):
        given += len(chunk)
        assert taken - given <= 12
    assert given == 2000


def test_mini_gop_follows_the_motion() -> None:
    rng = np.random.default_rng(9)
    still = pan(9, 24, 0)
    noise = [rng.integers(0, 256, (90, 160, 3), dtype=np.uint8) for _ in range(24)]
    assert mini_gop.choose(still) == 4
    assert mini_gop.choose(noise) == 1
    assert mini_gop.choose(noise) <= mini_gop.choose(pan(10, 24, 3)) <= 4
    assert mini_gop.choose(still[:1]) == mini_gop.choose(still[:2]) == 1
    assert mini_gop.choose([picture[:1, :1] for picture in still]) == 4
