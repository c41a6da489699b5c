"""The texture map or gap of a chunk (substream 5, spec section 6.9): a level for every 32x32 cell.

A cell is predicted from the cells on the left and above; the difference is coded with the decisions of section 6.7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.binary import Binary
from neurcodec.entropy.motion import median
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import DamageError

CELL = 32
"""Pixels of a cell's side."""
LEVELS = 16
NO_GAP = 6
"""What a texture gap says where the source has as much texture as the coarse picture."""

ZERO, SIGN, LONGER = range(3)
"""First numbers of the contexts."""


class MapCoder:
    """Codes one map's cells in raster order."""

    def __init__(self, coder: Encoder | Decoder) -> None:
        self.binary = Binary(coder)

    def code(self, height: int, width: int, given: list[list[int]] | None) -> list[list[int]]:
        """Code the cells (height, width); `given` is what an encoder writes."""
        cells = [[0] * width for _ in range(height)]
        for y in range(height):
            for x in range(width):
                left = cells[y][x - 1] if x else cells[y - 1][x] if y else 0
                above = cells[y - 1][x] if y else left
                corner = cells[y - 1][x - 1] if y and x else above
                predicted = median(left, above, left + above - corner)
                rough = min(2, abs(left - above))
                cells[y][x] = predicted + self.difference(rough, None if given is None else given[y][x] - predicted)
        return cells

    def difference(self, rough: int, value: int | None) -> int:
        """Code a difference: zero or not, sign, then whether it is longer than 1, 2, ..."""
        code = self.binary.code
        if not code((ZERO, rough), None if value is None else int(value != 0)):
            return 0
        negative = code((SIGN, rough), None if value is None else int(value < 0))
        size = 1
        while size < LEVELS - 1 and code((LONGER, min(size, 3)), None if value is None else int(abs(value) > size)):
            size += 1
        return -size if negative else size


def encode(levels: NDArray[np.int64]) -> bytes:
    """The substream of levels 0..15 (h, w)."""
    coder = Encoder()
    height, width = levels.shape
    MapCoder(coder).code(height, width, levels.tolist())
    return coder.finish()


def decode(data: bytes, height: int, width: int) -> NDArray[np.int64]:
    """The levels (height, width) of a substream; DamageError when it does not fit them."""
    coder = Decoder(data)
    levels = np.array(MapCoder(coder).code(height, width, None), dtype=np.int64)
    coder.finish()
    if levels.min() < 0 or levels.max() >= LEVELS:
        raise DamageError("a texture level is out of range; the file is damaged")
    return levels
