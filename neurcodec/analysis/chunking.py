"""Cuts a stream of frames into closed GOPs: at scene cuts, and else after a given time, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil

from neurcodec.analysis.scenes import LOOKAHEAD, Thumbnail, is_cut, thumbnail
from neurcodec.media.types import Frame

MAX_FRAMES = 255
"""Frames of a chunk (the container's limit)."""

MAX_BYTES = 256 << 20
"""Bytes of RGB frames that a chunk holds at most; large pictures get shorter chunks."""

_STRETCH = Fraction(5, 4)
"""A chunk may be this much longer than asked for where the scene or the video ends there."""


def split(frames: Iterable[Frame], time_base: Fraction, seconds: Fraction) -> Iterator[list[Frame]]:
    """Yield `frames` as chunks of at most `seconds` (a quarter more where a cut or the end comes then).

    Holds at most one chunk and LOOKAHEAD frames. A chunk has at least one frame, however long that is shown.
    """
    waiting: list[Frame] = []
    scene: list[Thumbnail] = []  # of `waiting`
    for frame in frames:
        waiting.append(frame)
        scene.append(thumbnail(frame.rgb))
        position = len(waiting) - LOOKAHEAD
        if position > 0 and is_cut(scene, position):
            yield from _share(waiting[:position], time_base, seconds)
            count = position
        elif fitting(waiting, time_base, seconds * _STRETCH) < position:
            count = fitting(waiting, time_base, seconds)
            yield waiting[:count]
        else:
            continue
        del waiting[:count], scene[:count]
    yield from _share(waiting, time_base, seconds)


def _share(frames: list[Frame], time_base: Fraction, seconds: Fraction) -> Iterator[list[Frame]]:
    """Yield the last frames of a scene as one chunk, or as chunks of `seconds` when they are too many for one."""
    while frames:
        count = fitting(frames, time_base, seconds * _STRETCH)
        if count < len(frames):
            count = fitting(frames, time_base, seconds)
        yield frames[:count]
        frames = frames[count:]


def fitting(frames: list[Frame], time_base: Fraction, seconds: Fraction) -> int:
    """How many of the first `frames` start within `seconds` and keep to MAX_FRAMES and MAX_BYTES; at least 1."""
    most = max(1, min(MAX_FRAMES, MAX_BYTES // frames[0].rgb.nbytes, len(frames)))
    end = frames[0].pts + ceil(seconds / time_base)
    return next((i for i in range(1, most) if frames[i].pts >= end), most)
