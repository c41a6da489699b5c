"""How much fine texture a chunk of the source has, in all and where: what the generator is told (spec 6.9 and 7.2)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.texture import CELL, LEVELS

STEP = 8
"""Every so many frames are looked at."""
FIT = 2.0
"""How far a level falls for each that the restored picture has too much (docs/decisions/0022-fitted-map.md, 0023)."""


def detail(frames: NDArray[np.uint8], step: int = STEP) -> NDArray[np.float64]:
    """Mean absolute Laplacian of the luma at every pixel (H, W) of every `step`-th RGB frame uint8 (T, H, W, 3)."""
    total = np.zeros(frames.shape[1:3])
    for frame in frames[::step]:
        total += np.abs(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_16S))
    return total / len(frames[::step])


def texture_index(detail: NDArray[np.float64]) -> int:
    """1..63 of a chunk: 8 log2(1 + mean detail), rounded."""
    return int(np.clip(np.rint(8 * np.log2(1 + detail.mean())), 1, 63))


def cell_levels(detail: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of every cell (ceil(H / 32), ceil(W / 32)): 2 log2(1 + mean detail in it)."""
    rows, columns = (np.arange(0, size, CELL) for size in detail.shape)
    sums = np.add.reduceat(np.add.reduceat(detail, rows, 0), columns, 1)
    sides = [np.diff(np.append(starts, size)) for starts, size in zip((rows, columns), detail.shape, strict=True)]
    levels: NDArray[np.float64] = 2 * np.log2(1 + sums / np.outer(*sides))
    return levels


def texture_map(levels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Levels as they are coded, 0..15."""
    return np.clip(np.rint(levels), 0, LEVELS - 1).astype(np.int64)


def fitted(levels: NDArray[np.float64], source: NDArray[np.uint8], shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Levels, lower where what was `shown` with `levels` has more texture than its source.

    source, shown: the same frames, uint8 (T, H, W, 3).
    """
    surplus = cell_levels(detail(shown, 1)) - cell_levels(detail(source, 1))
    return levels - FIT * np.maximum(cv2.GaussianBlur(surplus, (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE), 0)
