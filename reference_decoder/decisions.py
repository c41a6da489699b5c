"""Adaptive binary decisions, written from bitstream_spec.md section 6.7 alone."""

from __future__ import annotations

from typing import Any

from reference_decoder.ranges import RangeDecoder, Table

S = [1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048]
S += [2550, 2994, 3349, 3608, 3785, 3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095]


def squash(x: int) -> int:
    i = (x + 2048) // 128
    r = x + 2048 - 128 * i
    return (S[i] * (128 - r) + S[i + 1] * r + 64) // 128


STRETCH: list[int] = []
for least in range(-2047, 2048):
    STRETCH += [least] * (squash(least) + 1 - len(STRETCH))


def clamp(value: int, limit: int) -> int:
    return max(-limit, min(limit, value))


class Decisions:
    """The contexts and weights of section 6.7."""

    def __init__(self) -> None:
        self.p: dict[Any, int] = {}
        self.u: dict[Any, int] = {}
        self.weight: dict[tuple[int, int, int], int] = {}

    def copy(self) -> Decisions:
        new = Decisions()
        new.p, new.u, new.weight = self.p.copy(), self.u.copy(), self.weight.copy()
        return new

    def one(self, coder: RangeDecoder, context: Any) -> int:
        """A decision in one context."""
        b = self.symbol(coder, 2 * (self.p.get(context, 32768) // 32) + 1)
        self.learn(context, b)
        return b

    def mixed(self, coder: RangeDecoder, contexts: list[Any], place: int) -> int:
        """A decision in several contexts."""
        slots = [(place, k, min(self.u.get(context, 0), 3)) for k, context in enumerate(contexts)]
        g = [STRETCH[self.p.get(context, 32768) // 16] for context in contexts]
        total = sum(self.weight.get(slot, 19661) * guess for slot, guess in zip(slots, g, strict=True))
        f = squash(clamp(total // 65536, 2047))
        b = self.symbol(coder, f)
        for slot, guess in zip(slots, g, strict=True):
            moved = self.weight.get(slot, 19661) + ((4096 * b - f) * guess + 512) // 1024
            self.weight[slot] = clamp(moved, 2**20)
        for context in contexts:
            self.learn(context, b)
        return b

    def byte(self, coder: RangeDecoder, contexts: list[tuple[int, ...]], place: int) -> int:
        """Eight mixed decisions, the bits before in every context."""
        m = 1
        for _ in range(8):
            m = 2 * m + self.mixed(coder, [(m, *context) for context in contexts], place)
        return m - 256

    def symbol(self, coder: RangeDecoder, f: int) -> int:
        return coder.symbol(Table([2**24 - 4096 * f, 4096 * f]))

    def learn(self, context: Any, b: int) -> None:
        p, u = self.p.get(context, 32768), self.u.get(context, 0)
        self.p[context] = p + (65535 * b - p) * (131072 // (2 * min(u, 30) + 3)) // 65536
        self.u[context] = u + 1
