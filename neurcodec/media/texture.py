"""How much fine texture a chunk of the source has: one number that the generator is told (spec section 8)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

STEP = 8
"""Every so many frames are looked at."""


def texture_index(frames: NDArray[np.uint8]) -> int:
    """1..63 for RGB frames uint8 (T, H, W, 3): 8 log2(1 + mean absolute Laplacian of the luma), rounded."""
    means = []
    for frame in frames[::STEP]:
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        means.append(np.abs(cv2.Laplacian(luma, cv2.CV_16S)).mean())
    return int(np.clip(np.rint(8 * np.log2(1 + np.mean(means))), 1, 63))
