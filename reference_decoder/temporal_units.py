"""The base layer, written from bitstream_spec.md section 6.10 alone."""

from __future__ import annotations

import base64
from functools import cache

from reference_decoder.errors import need
from reference_decoder.fields import Bytes, text_block
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


class State:
    def __init__(self) -> None:
        self.p: dict[tuple[int, ...], int] = {}
        self.u: dict[tuple[int, ...], int] = {}
        self.weight: dict[tuple[int, int, int], int] = {}

    def copy(self) -> State:
        new = State()
        new.p, new.u, new.weight = self.p.copy(), self.u.copy(), self.weight.copy()
        return new

    def decision(self, coder: RangeDecoder, contexts: list[tuple[int, ...]], place: int) -> int:
        slots = [(place, k, min(self.u.get(context, 0), 3)) for k, context in enumerate(contexts)]
        g = [STRETCH[self.p.get(context, 32768) // 16] for context in contexts]
        total = sum(self.weight.get(slot, 19661) * guess for slot, guess in zip(slots, g, strict=True))
        f = squash(clamp(total // 65536, 2047))
        b = coder.symbol(Table([2**24 - 4096 * f, 4096 * f]))
        for slot, guess in zip(slots, g, strict=True):
            moved = self.weight.get(slot, 19661) + ((4096 * b - f) * guess + 512) // 1024
            self.weight[slot] = clamp(moved, 2**20)
        for context in contexts:
            p, u = self.p.get(context, 32768), self.u.get(context, 0)
            self.p[context] = p + (65535 * b - p) * (131072 // (2 * min(u, 30) + 3)) // 65536
            self.u[context] = u + 1
        return b


def heads(coder: RangeDecoder, state: State, units: int) -> list[list[list[int]]]:
    """The heads of a chunk: of each unit, of each OBU, 26 places at most."""
    chunk: list[list[int]] = []
    out: list[list[list[int]]] = []
    for _ in range(units):
        out.append([])
        follows = 1
        while follows:
            need(len(chunk) < 2 * units + 16, "an OBU too many")
            before = chunk[-1] if chunk else [0] * 7
            head: list[int] = []
            model = before
            end = 26
            while len(head) < end:
                t = len(head)
                if 1 < t < 6 and head[-1] < 128:
                    head.append(0)
                    need(head[1] < 128 or any(head[2:]), "a size not in its shortest form")
                    continue
                for place, same in ((1, [0]), (7, [0, 6]), (9, [0, 6, 8])):
                    if t == place:
                        like = [h for h in chunk if len(h) > same[-1] and all(h[i] == head[i] for i in same)]
                        model = like[-1] if like else model
                a, b = (head[t - 1], head[t - 2]) if t >= 2 else (0, 0)
                c = model[t] if t < len(model) else 256
                d = head[6] if t > 6 else before[6]
                m = 1
                for _ in range(8):
                    contexts = [(m, 0, t, len(chunk)), (m, 1, t, a), (m, 2, t, a, b), (m, 3, t, c), (m, 4, t, c, a, d)]
                    m = 2 * m + state.decision(coder, contexts, t)
                head.append(m - 256)
                need(head[0] & 0x87 == 2, "an OBU that is not plain")
                if len(head) >= 6 or (len(head) > 1 and head[-1] < 128):
                    need(head[-1] < 128 or len(head) > 6, "a size too large")
                    end = 6 + min(20, size(head))
            out[-1].append(head)
            chunk.append(head if len(head) > 6 else [*head, 0])
            e = chunk[-1][6]
            follows = state.decision(coder, [(26, len(chunk) - 1), (26, head[0], e)], 26)
    return out


def size(head: list[int]) -> int:
    digits = head[1:6]
    if any(digit > 127 for digit in digits):
        digits = digits[: next(i for i, digit in enumerate(digits) if digit < 128) + 1]
    found = sum((digit & 127) << 7 * i for i, digit in enumerate(digits))
    need(found < 2**30, "a size too large")
    return found


@cache
def dictionary() -> State:
    coder = RangeDecoder(base64.b64decode(text_block("head dictionary")))
    state = State()
    for units in (24, 48, 96, 160):
        heads(coder, state, units)
    coder.end()
    return state


def units(data: bytes, count: int) -> list[bytes]:
    """The units of substream 3."""
    b = Bytes(data)
    coder = RangeDecoder(b.raw(b.uvar()))
    tails = b.data
    out = []
    for rows in heads(coder, dictionary().copy(), count):
        out.append(b"")
        for head in rows:
            digits = bytes(head[1:6])
            length = 1
            while digits[length - 1] > 127:
                length += 1
            rest = max(0, size(head) - 20)
            need(rest <= len(tails), "tails too short")
            out[-1] += bytes(head[:1]) + digits[:length] + bytes(head[6:]) + tails[:rest]
            tails = tails[rest:]
    coder.end()
    need(not tails, "tails left over")
    return out
