"""Motion fields: vectors and modes in raster order (bitstream_spec.md section 6.8)."""

from __future__ import annotations

from typing import Any

from reference_decoder.decisions import Decisions
from reference_decoder.errors import need
from reference_decoder.planes import Plane, blank
from reference_decoder.ranges import RangeDecoder

Vector = tuple[int, int]


class MotionDecoder:
    """Section 6.8."""

    def __init__(self, coder: RangeDecoder) -> None:
        self.coder, self.decisions = coder, Decisions()

    def bit(self, *context: Any) -> int:
        return self.decisions.one(self.coder, context)

    def field(self, kind: str, place: list[Plane], last: list[Plane]) -> tuple[Plane, list[Plane]]:
        grid = len(place[0]), len(place[0][0])
        mode, dx, dy = blank(grid), blank(grid), blank(grid)
        for y in range(grid[0]):
            for x in range(grid[1]):
                dx[y][x], dy[y][x] = self.vector(kind, [dx, dy], place, last, y, x)
                need(max(abs(dx[y][x]), abs(dy[y][x])) <= 511, "a vector out of range")
                if kind == "S":
                    mode[y][x] = self.mode(mode[y][x - 1] if x else 1, mode[y - 1][x] if y else 1)
        return mode, [dx, dy]

    def vector(self, kind: str, own: list[Plane], place: list[Plane], last: list[Plane], y: int, x: int) -> Vector:
        def at(field: list[Plane], j: int, i: int) -> Vector:
            return field[0][j][i], field[1][j][i]

        p, q = at(place, y, x), at(last, y, x)
        a = at(own, y, x - 1) if x else p
        b = at(own, y - 1, x) if y else p
        c = at(own, y - 1, x + 1) if y and x + 1 < len(own[0][0]) else p
        candidates: list[Vector] = []
        for one in (p, a, b, q, (0, 0)) if kind == "S" else (a, b, c, p, (0, 0)):
            if one not in candidates:
                candidates.append(one)
        like = (a == b) + 2 * (b == c) + 4 * (p == a) + 8 * (p == q)
        for number, one in enumerate(candidates):
            if self.bit(*(("first", kind, like) if number == 0 else ("next", kind, number, len(candidates)))):
                return one
        dx, dy = (sorted(part)[1] + self.difference(kind, axis) for axis, part in enumerate(zip(a, b, c, strict=True)))
        need((dx, dy) not in candidates, "a difference where a candidate is meant")
        return dx, dy

    def difference(self, kind: str, axis: int) -> int:
        if not self.bit("nonzero", kind, axis):
            return 0
        length = 0
        while length < 9 and self.bit("longer", kind, length):
            length += 1
        negative = self.bit("sign", kind, axis)
        size = 1
        for i in range(length):
            size = 2 * size + (self.bit("second", kind, length) if i == 0 else self.bit("rest"))
        return -size if negative else size

    def mode(self, left: int, above: int) -> int:
        modes = [left, above]
        if self.bit("both", modes.count(1)):
            return 1
        return 2 * self.bit("after", modes.count(2) - modes.count(0))
