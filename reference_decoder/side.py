"""Sketches and texture levels, written from bitstream_spec.md annex B, sections 6.9 and 7.2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference_decoder.errors import need
from reference_decoder.motion import MotionDecoder
from reference_decoder.ranges import RangeDecoder, Table


def sketch(data: bytes, width: int, height: int) -> list[list[int]]:
    """The rows of substream 8 for a picture of this size."""
    coder = RangeDecoder(data)
    columns, rows = -(-width // 8), -(-height // 8)
    p = [65536 * (bin(context).count("1") + 1) // 6 for context in range(16)]
    n = [4] * 16
    edges: list[list[int]] = []

    def at(y: int, x: int) -> int:
        return edges[y][x] if y >= 0 and 0 <= x < len(edges[y]) else 0

    for y in range(rows):
        edges.append([])
        for x in range(columns):
            context = at(y, x - 1) + 2 * at(y - 1, x - 1) + 4 * at(y - 1, x) + 8 * at(y - 1, x + 1)
            one = (2 * (p[context] // 256) + 1) * 2**15
            edge = coder.symbol(Table([2**24 - one, one]))
            p[context] += (65535 * edge - p[context]) // n[context]
            n[context] = min(48, n[context] + 1)
            edges[y].append(edge)
    coder.end()
    need(any(map(any, edges)), "a sketch without edges")
    return edges


def texture_map(data: bytes, width: int, height: int) -> list[list[int]]:
    """The rows of substream 5 for a picture of this size."""
    coder = RangeDecoder(data)
    bit = MotionDecoder(coder).bit
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
