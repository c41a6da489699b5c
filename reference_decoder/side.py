"""Captions, sketches and texture levels, from bitstream_spec.md annexes A and B, sections 6.9 and 7.2."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_decoder.decisions import Decisions
from reference_decoder.errors import Refused, need
from reference_decoder.fields import dictionary
from reference_decoder.ranges import RangeDecoder, Table


def words(coder: RangeDecoder, decisions: Decisions) -> bytes:
    """The bytes of a text, without the 0 that ends it."""
    text = b"  "
    while text[-1] > 0:
        need(len(text) <= 1026, "a caption that is too long")
        word = text.split(b" ")[-1]
        contexts = [(0,), (1, text[-1]), (2, text[-1], text[-2]), (3, *word)]
        text += bytes([decisions.byte(coder, contexts, 0)])
    return text[2:-1]


class Known(RangeDecoder):
    """In place of a coder: gives the bits of bytes that are known."""

    def __init__(self, data: bytes) -> None:
        super().__init__(b"")
        self.known = [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]

    def symbol(self, table: Table) -> int:
        return self.known.pop(0)


@cache
def captions() -> Decisions:
    """What a caption's coder has learned from the dictionary."""
    state = Decisions()
    for line in dictionary("captions.txt").split(b"\n")[:-1]:
        words(Known(line + b"\0"), state)
    return state


def caption(data: bytes) -> str:
    """Annex A: the text of substream 7."""
    coder = RangeDecoder(data)
    text = words(coder, captions().copy())
    coder.end()
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Refused("damage", "a caption that is no text") from None


def sketch(data: bytes, width: int, height: int) -> list[list[int]]:
    """The rows of substream 8 for a picture of this size."""
    coder, decisions = RangeDecoder(data), Decisions()
    columns, rows = -(-width // 8), -(-height // 8)
    edges: list[list[int]] = []

    def at(y: int, x: int) -> int:
        return edges[y][x] if y >= 0 and 0 <= x < len(edges[y]) else 0

    for y in range(rows):
        edges.append([])
        for x in range(columns):
            context = at(y, x - 1), at(y - 1, x - 1), at(y - 1, x), at(y - 1, x + 1)
            edges[y].append(decisions.one(coder, context))
    coder.end()
    return edges


def texture_map(data: bytes, width: int, height: int) -> list[list[int]]:
    """The rows of substream 5 for a picture of this size."""
    coder, decisions = RangeDecoder(data), Decisions()

    def bit(*context: Any) -> int:
        return decisions.one(coder, context)

    levels: list[list[int]] = []
    for y in range(-(-height // 32)):
        levels.append([])
        for x in range(-(-width // 32)):
            above = levels[y - 1][x] if y else None
            left = levels[y][x - 1] if x else above if above is not None else 0
            b = left if above is None else above
            corner = levels[y - 1][x - 1] if y and x else b
            level = sorted((left, b, left + b - corner))[1]
            r = min(2, abs(left - b))
            if bit("nonzero", r):
                negative, size = bit("sign", r), 1
                while size <= 14 and bit("longer", min(size, 3)):
                    size += 1
                level += -size if negative else size
            levels[y].append(level)
    coder.end()
    need(all(0 <= level <= 15 for row in levels for level in row), "a texture level out of range")
    return levels


def frame_levels(gap: list[list[int]], picture: NDArray[np.float64]) -> list[list[float]]:
    """The levels of a frame whose coarse picture is RGB 0..1 (H, W, 3), with the rows of substream 5."""
    luma = 255 * (0.299 * picture[..., 0] + 0.587 * picture[..., 1] + 0.114 * picture[..., 2])
    mirrored = np.pad(luma, 1, mode="reflect")
    height, width = luma.shape
    total = -4 * luma
    for y, x in ((0, 1), (2, 1), (1, 0), (1, 2)):
        total = total + mirrored[y : y + height, x : x + width]
    detail = np.abs(total)
    return [
        [
            min(15.0, max(0.0, 2 * np.log2(1 + detail[32 * y : 32 * y + 32, 32 * x : 32 * x + 32].mean()) + value - 6))
            for x, value in enumerate(row)
        ]
        for y, row in enumerate(gap)
    ]
