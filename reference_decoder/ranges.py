"""The range decoder, written from bitstream_spec.md section 6.1 alone, for all that is coded with it."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from reference_decoder.errors import need

MASK = 2**64 - 1


class Table:
    """Frequencies with their lower bounds."""

    def __init__(self, frequencies: list[int]) -> None:
        self.frequencies = frequencies
        self.lower = list(accumulate(frequencies, initial=0))[:-1]


BIT = Table([2**23, 2**23])


class RangeDecoder:
    """Section 6.1."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.low, self.range = 0, MASK
        self.point = self.word() << 32
        self.point |= self.word()

    def word(self) -> int:
        part = self.data[self.at : self.at + 4]
        self.at += 4
        return int.from_bytes(part.ljust(4, b"\0"), "big")

    def symbol(self, table: Table) -> int:
        scale = self.range >> 24
        q = (self.point - self.low & MASK) // scale
        need(q < 2**24, "a symbol that no encoder writes")
        s = bisect_right(table.lower, q) - 1
        self.low = self.low + scale * table.lower[s] & MASK
        self.range = scale * table.frequencies[s]
        if self.range < 2**32:
            self.low, self.range = self.low << 32 & MASK, self.range << 32
            self.point = self.point << 32 & MASK | self.word()
        return s

    def bits(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = 2 * value + self.symbol(BIT)
        return value

    def together(self, tables: list[tuple[int, Table]]) -> list[int]:
        out = [0] * len(tables)
        for place in sorted(range(len(tables)), key=lambda place: tables[place][0]):
            out[place] = self.symbol(tables[place][1])
        return out

    def end(self) -> None:
        step = 2**64
        while -self.low % step >= self.range:
            step //= 256
        need(self.point == self.low + -self.low % step & MASK, "the end is another than an encoder's")
        need(self.at >= len(self.data), "bytes that were not read")
        need(self.data[-1:] != b"\0", "a zero byte at the end")
