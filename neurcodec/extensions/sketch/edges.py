"""The edge map of a picture that a sketch holds: one bit for every 8x8 block. Only encoding and training make it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from neurcodec.extensions.sketch.stream import CELL

_LOW, _HIGH = 60, 150  # Canny's thresholds, of the summed Sobel derivatives of 8-bit luma
_LEAST = 4  # pixels of an edge that make a block one


def edges(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """The blocks of a picture uint8 (H, W, 3) that an edge runs through: bool (ceil(H / 8), ceil(W / 8))."""
    height, width = rgb.shape[:2]
    luma = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (3, 3), 0)
    lines = np.pad(cv2.Canny(luma, _LOW, _HIGH) > 0, ((0, -height % CELL), (0, -width % CELL)))
    rows, columns = lines.shape[0] // CELL, lines.shape[1] // CELL
    found: npt.NDArray[np.bool_] = lines.reshape(rows, CELL, columns, CELL).sum((1, 3)) >= _LEAST
    return found
