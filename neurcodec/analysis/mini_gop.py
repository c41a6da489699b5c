"""The mini-GOP of a chunk, from how well motion alone explains it: calm chunks take longer ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_SIDE = 320  # pixels; pictures are shrunk to this before motion is looked for
_LEAST = 32  # pixels; OpenCV's flow crashes on pictures that are wide and lower than this
_SAMPLES = 8  # frame pairs looked at
_DISTANCE = 2  # frames between the two of a pair
_FLOORS = ((36.0, 4), (30.0, 3), (25.0, 2))  # dB of the motion-compensated frame, and the interval from there on


def choose(frames: Sequence[npt.NDArray[np.uint8]] | npt.NDArray[np.uint8]) -> int:
    """The interval, 1 to 4, for a chunk's RGB frames, uint8 (H, W, 3) each."""
    if len(frames) <= _DISTANCE:
        return 1
    starts = np.linspace(0, len(frames) - 1 - _DISTANCE, min(_SAMPLES, len(frames) - _DISTANCE)).astype(int)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    pairs = [(_small_luma(frames[i]), _small_luma(frames[i + _DISTANCE])) for i in starts]
    fit = float(np.mean([_compensated_psnr(flow, before, after) for before, after in pairs]))
    return next((interval for floor, interval in _FLOORS if fit >= floor), 1)


def _small_luma(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    ratio = min(1.0, _SIDE / max(height, width))
    size = (max(_LEAST, round(width * ratio)), max(_LEAST, round(height * ratio)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _compensated_psnr(flow: Any, before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> float:
    """PSNR in dB (at most 60) of `after` predicted from `before` by smoothed dense motion."""
    vectors = cv2.blur(flow.calc(after, before, None), (9, 9))
    height, width = after.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    source = cv2.remap(
        before, columns + vectors[..., 0], rows + vectors[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    error = float(np.square(source.astype(np.float64) - after).mean())
    return min(60.0, 10 * float(np.log10(255**2 / max(error, 1e-6))))
