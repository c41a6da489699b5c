"""Motion fields as adaptive binary decisions, block by block in raster order (spec section 6.8).

A block's vector is mostly that of a block beside it, above it, or at its place in another field, so it is coded as
the number of the candidate that it equals, else as the difference to the median of its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurcodec.container import FrameType
from neurcodec.entropy.binary import Binary
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import DamageError

MOTION_LIMIT = 511
"""Largest motion vector component, in quarter pixels."""
MODES = 3
"""An S block is predicted from the backbone before (0), from both (1), or from the one after (2)."""
MAX_LENGTH = 9
"""Most bits below the highest of a difference: 2^10 - 1 reaches from one limit to the other."""

Vector = tuple[int, int]
Fields = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Modes (h, w) and vectors (2, h, w)."""

MERGE, INDEX, ZERO, SIGN, LENGTH, TOP, BOTH, AFTER = range(8)
"""First numbers of the contexts."""


def neighbours(vectors: list[list[Vector]], y: int, x: int, place: Vector) -> tuple[Vector, Vector, Vector]:
    """The vectors on the left, above and above on the right; outside the grid that of the reference field stands in."""
    left = vectors[y][x - 1] if x else place
    above = vectors[y - 1][x] if y else place
    corner = vectors[y - 1][x + 1] if y and x + 1 < len(vectors[0]) else place
    return left, above, corner


def median(a: int, b: int, c: int) -> int:
    """The middle one of three."""
    return max(min(a, b), min(max(a, b), c))


def as_vectors(field: NDArray[np.int64]) -> list[list[Vector]]:
    """A field (2, h, w) as rows of vectors."""
    return [[(dx, dy) for dx, dy in zip(*row, strict=True)] for row in zip(*field.tolist(), strict=True)]


class MotionCoder:
    """The motion of one chunk's frames, over one substream."""

    def __init__(self, coder: Encoder | Decoder) -> None:
        self.binary = Binary(coder)

    def code(self, kind: FrameType, place: NDArray[np.int64], last: NDArray[np.int64], given: Fields | None) -> Fields:
        """Code one frame. kind: its type. place: the field (2, h, w) that it is most like, last: a second one."""
        places, lasts = as_vectors(place), as_vectors(last)
        height, width = place.shape[1:]
        wanted = as_vectors(given[1]) if given is not None else None
        wanted_modes = given[0].tolist() if given is not None else None
        vectors: list[list[Vector]] = [[(0, 0)] * width for _ in range(height)]
        modes = [[0] * width for _ in range(height)]
        for y in range(height):
            for x in range(width):
                around = neighbours(vectors, y, x, places[y][x])
                own = wanted[y][x] if wanted is not None else None
                vectors[y][x] = self.vector(kind, around, (places[y][x], lasts[y][x]), own)
                if kind is FrameType.S:
                    beside = (modes[y][x - 1] if x else 1), (modes[y - 1][x] if y else 1)
                    modes[y][x] = self.mode(beside, wanted_modes[y][x] if wanted_modes is not None else None)
        found = np.array(vectors, dtype=np.int64).transpose(2, 0, 1)
        if np.abs(found).max() > MOTION_LIMIT:
            raise DamageError("a decoded vector is out of range; the file is damaged")
        return np.array(modes, dtype=np.int64), found

    def vector(
        self, kind: FrameType, around: tuple[Vector, Vector, Vector], others: tuple[Vector, Vector], own: Vector | None
    ) -> Vector:
        """Code one vector: the first candidate it equals, else its difference to the neighbours' median."""
        left, above, corner = around
        place, last = others
        order = (place, left, above, last, (0, 0)) if kind is FrameType.S else (left, above, corner, place, (0, 0))
        candidates = list(dict.fromkeys(order))
        like = (left == above) + 2 * (above == corner) + 4 * (place == left) + 8 * (place == last)
        for number, candidate in enumerate(candidates):
            context = (MERGE, kind, like) if number == 0 else (INDEX, kind, number, len(candidates))
            if self.binary.code(context, None if own is None else int(own == candidate)):
                return candidate
        middle = [median(*parts) for parts in zip(left, above, corner, strict=True)]
        parts = [
            middle[axis] + self.difference(kind, axis, None if own is None else own[axis] - middle[axis])
            for axis in (0, 1)
        ]
        vector = parts[0], parts[1]
        if vector in candidates:
            raise DamageError("a vector is coded by its difference though a candidate equals it; the file is damaged")
        return vector

    def difference(self, kind: FrameType, axis: int, value: int | None) -> int:
        """Code a difference: zero or not, bit length, sign, bits below the highest (only the first adapts)."""
        code = self.binary.code
        if not code((ZERO, kind, axis), None if value is None else int(value != 0)):
            return 0
        size = None if value is None else abs(value)
        length = 0
        while length < MAX_LENGTH and code((LENGTH, kind, length), None if size is None else int(size >> length > 1)):
            length += 1
        negative = code((SIGN, kind, axis), None if value is None else int(value < 0))
        found = 1
        for place in range(length - 1, -1, -1):
            context = (TOP, kind, length) if place == length - 1 else (TOP,)
            found = 2 * found + code(context, None if size is None else size >> place & 1)
        return -found if negative else found

    def mode(self, beside: tuple[int, int], own: int | None) -> int:
        """Code one mode: both or not, then which."""
        both = beside.count(1)
        if self.binary.code((BOTH, both), None if own is None else int(own == 1)):
            return 1
        lean = beside.count(2) - beside.count(0)
        return 2 * self.binary.code((AFTER, lean), None if own is None else int(own == 2))
