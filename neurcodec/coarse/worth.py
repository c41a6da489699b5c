"""What an error in a block of a backbone frame is worth: how many frames of the chunk inherit it.

Known from block codecs as the macroblock tree. Source frames are followed backwards along their motion; a block hands
what it is worth to where it came from, as far as the prediction is better than the coding. Decoders never run this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurcodec.coarse.motion_search import Field, Plane, block_sum, flow_candidate, shifted
from neurcodec.coarse.warp import BLOCK

AFTER = 3.0
"""Frames counted as if they inherited from a chunk's last: else its quality falls towards its end."""
SPARSE_SHARE = 0.5
"""How much of an S frame's error comes from each of its two backbones."""


def scattered(worth: NDArray[np.float64], field: Field) -> NDArray[np.float64]:
    """Block values (h, w) added where their vectors point, shared between the blocks that lie there."""
    height, width = worth.shape
    rows, columns = np.mgrid[0:height, 0:width] + field[::-1] / (4 * BLOCK)
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    total = np.zeros_like(worth)
    for down in (0, 1):
        for right in (0, 1):
            part = np.abs(1 - down - (rows - top)) * np.abs(1 - right - (columns - left))
            at = np.minimum(top + down, height - 1), np.minimum(left + right, width - 1)
            np.add.at(total, at, worth * part)
    return total


def block_worths(lumas: Sequence[Plane], spans: Sequence[int], distortion: float) -> list[NDArray[np.float64]]:
    """Frames that inherit each block's error (h, w), for every backbone of a chunk.

    lumas: the backbones' source luma, H and W multiples of 16. spans: frames from each backbone to the next.
    distortion: the squared error per pixel that coding leaves.
    """
    height, width = (side // BLOCK for side in lumas[0].shape)
    later = np.full((height, width), AFTER)
    worths = []
    for index in reversed(range(len(lumas))):
        beside = spans[max(0, index - 1) : index + 1] if index else spans[:1]
        worth = 1 + SPARSE_SHARE * sum(span - 1 for span in beside) + later
        worths.append(worth)
        if index:
            flow = flow_candidate(lumas[index], lumas[index - 1])
            moving = block_sum((shifted(lumas[index - 1], flow / 4) - lumas[index]) ** 2)
            still = block_sum((lumas[index - 1] - lumas[index]) ** 2)
            flow = np.where(still <= moving, 0, flow)
            error = np.minimum(still, moving) / BLOCK**2
            later = scattered(worth * distortion / (distortion + error), flow)
    return worths[::-1]
