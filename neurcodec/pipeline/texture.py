"""How much fine texture a chunk of the source has, in all and where: what the generator is told (spec 6.9 and 7.2)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.texture import CELL, LEVELS

STEP = 8
"""Every so many frames are looked at."""


def detail(frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean absolute Laplacian of the luma at every pixel (H, W) of RGB frames uint8 (T, H, W, 3), over time."""
    total = np.zeros(frames.shape[1:3])
    for frame in frames[::STEP]:
        total += np.abs(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_16S))
    return total / len(frames[::STEP])


def texture_index(detail: NDArray[np.float64]) -> int:
    """1..63 of a chunk: 8 log2(1 + mean detail), rounded."""
    return int(np.clip(np.rint(8 * np.log2(1 + detail.mean())), 1, 63))


def texture_map(detail: NDArray[np.float64]) -> NDArray[np.int64]:
    """0..15 of every cell (ceil(H / 32), ceil(W / 32)): 2 log2(1 + mean detail in it), rounded."""
    rows, columns = (np.arange(0, size, CELL) for size in detail.shape)
    sums = np.add.reduceat(np.add.reduceat(detail, rows, 0), columns, 1)
    sides = [np.diff(np.append(starts, size)) for starts, size in zip((rows, columns), detail.shape, strict=True)]
    levels = np.rint(2 * np.log2(1 + sums / np.outer(*sides)))
    return np.minimum(levels, LEVELS - 1).astype(np.int64)
