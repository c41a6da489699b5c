"""The base layer, written from bitstream_spec.md section 6.10 alone."""

from __future__ import annotations

from functools import cache

from reference_decoder.decisions import Decisions
from reference_decoder.errors import need
from reference_decoder.fields import Bytes, dictionary
from reference_decoder.ranges import RangeDecoder


def heads(coder: RangeDecoder, state: Decisions, units: int) -> list[list[list[int]]]:
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
                contexts = [(0, t, len(chunk)), (1, t, a), (2, t, a, b), (3, t, c), (4, t, c, a, d)]
                head.append(state.byte(coder, contexts, t))
                need(head[0] & 0x87 == 2, "an OBU that is not plain")
                if len(head) >= 6 or (len(head) > 1 and head[-1] < 128):
                    need(head[-1] < 128 or len(head) > 6, "a size too large")
                    end = 6 + min(20, size(head))
            out[-1].append(head)
            chunk.append(head if len(head) > 6 else [*head, 0])
            e = chunk[-1][6]
            follows = state.mixed(coder, [(26, len(chunk) - 1), (26, head[0], e)], 26)
    return out


def size(head: list[int]) -> int:
    digits = head[1:6]
    if any(digit > 127 for digit in digits):
        digits = digits[: next(i for i, digit in enumerate(digits) if digit < 128) + 1]
    found = sum((digit & 127) << 7 * i for i, digit in enumerate(digits))
    need(found < 2**30, "a size too large")
    return found


@cache
def primed() -> Decisions:
    coder = RangeDecoder(dictionary("heads.bin"))
    state = Decisions()
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
    for rows in heads(coder, primed().copy(), count):
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
