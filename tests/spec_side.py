"""The second reader's sketches, written from bitstream_spec.md section 6.8 alone."""

from __future__ import annotations

from spec_range import RangeDecoder, Table


def sketch(data: bytes, width: int, height: int) -> list[list[int]]:
    """The rows of substream 5 for a picture of this size."""
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
    return edges
