"""The AV1 temporal units of a base layer, without what their frame headers repeat (substream 3, spec section 6.10).

At the lowest rates most of a base layer is frame headers: 16 bytes of a frame that has 20. The first bytes of every OBU
are coded with adaptive binary decisions, each the mixed guess of several contexts; the rest, which AV1's own arithmetic
coder has made, stays as it is. Any units of plain OBUs (`split`) come back bit for bit.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache

import numpy as np

from neurcodec.container import FrameType, Gop, Limits, Substream
from neurcodec.container.schema import Cursor, pack_uvar
from neurcodec.entropy.head_dictionary import CODED, UNITS
from neurcodec.entropy.rangecoder import Decoder, Encoder, ModelCache
from neurcodec.errors import DamageError

HEAD = 20
"""So many bytes of an OBU's payload are coded; what follows is copied."""
MAX_PAYLOAD = 1 << 30
SPARE = 16
"""A chunk of n units has at most 2 n + 16 OBUs: its coder's time and memory have a bound."""

SQUASH = (
    1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048,
    2550, 2994, 3349, 3608, 3785, 3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095,
)  # fmt: skip
"""4096 / (1 + exp(-x)) at x = -8, -7.5, ... 8."""
FIRST_WEIGHT = 19661
"""Of a guess, 0.3 times 65536."""
MAX_WEIGHT = 1 << 20
LIMIT = 30
"""From so many uses on a context's probability follows at the same pace."""


def squash(odds: int) -> int:
    """A probability 1..4095, of 4096, from its logarithmic odds -2047..2047, in 256ths."""
    place, part = divmod(odds + 2048, 128)
    return (SQUASH[place] * (128 - part) + SQUASH[place + 1] * part + 64) >> 7


@cache
def stretched() -> list[int]:
    """The inverse of `squash`: for each probability 0..4095 the least odds that reach it."""
    odds = list(range(-2047, 2048))
    places = np.searchsorted([squash(x) for x in odds], np.arange(4096))
    return [odds[place] for place in places.tolist()]


BINARY = ModelCache(lambda ones: np.array([(4096 - ones) << 12, ones << 12], dtype=np.int64))
"""Table k: the probability of a 1 is k / 4096."""

Context = tuple[int, ...]


class Mixed:
    """Adaptive binary decisions, each guessed by several contexts, to an encoder or from a decoder.

    `like` is what it has learned before it starts.
    """

    def __init__(self, coder: Encoder | Decoder, like: Mixed | None) -> None:
        self.coder = coder
        self.states: dict[Context, tuple[int, int]] = dict(like.states) if like else {}
        self.weights: dict[Context, int] = dict(like.weights) if like else {}

    def code(self, contexts: Sequence[Context], place: int, bit: int | None) -> int:
        """Code one decision. place: which weights its guesses have. bit: what an encoder writes."""
        stretch = stretched()
        states = [self.states.get(context, (32768, 0)) for context in contexts]
        guesses = [stretch[probability >> 4] for probability, _ in states]
        keys = [(place, number, min(used, 3)) for number, (_, used) in enumerate(states)]
        weights = [self.weights.get(key, FIRST_WEIGHT) for key in keys]
        odds = sum(weight * guess for weight, guess in zip(weights, guesses, strict=True)) >> 16
        ones = squash(max(-2047, min(2047, odds)))
        if isinstance(self.coder, Decoder):
            bit = self.coder.symbol(BINARY[ones])
        elif bit is None:
            raise ValueError("an encoder needs the symbols")
        else:
            self.coder.symbol(bit, BINARY[ones])
        error = (bit << 12) - ones
        for key, weight, guess in zip(keys, weights, guesses, strict=True):
            self.weights[key] = max(-MAX_WEIGHT, min(MAX_WEIGHT, weight + ((error * guess + 512) >> 10)))
        target = 65535 * bit
        for context, (probability, used) in zip(contexts, states, strict=True):
            pace = 131072 // (2 * min(used, LIMIT) + 3)
            self.states[context] = probability + ((target - probability) * pace >> 16), used + 1
        return bit

    def byte(self, contexts: Sequence[Context], place: int, value: int | None) -> int:
        """Code one byte, highest bit first; the bits before are part of every context."""
        found = 1
        for shift in range(7, -1, -1):
            bit = None if value is None else value >> shift & 1
            found = 2 * found + self.code([(found, *context) for context in contexts], place, bit)
        return found - 256


SIZE, PAYLOAD, MORE = 1, 6, 6 + HEAD
"""Places of an OBU's size and payload, behind its header byte, and of the decision whether another OBU follows."""
ALIKE = {1: (0,), PAYLOAD + 1: (0, PAYLOAD), PAYLOAD + 3: (0, PAYLOAD, PAYLOAD + 2)}
"""At which places the model of a head becomes the last one that is the same at which places."""

Obu = tuple[int, bytes]
"""Header byte and payload."""


def most(units: int) -> int:
    """So many OBUs a chunk of so many units may have."""
    return 2 * units + SPARE


class Heads:
    """The heads of the OBUs of a chunk of so many units, over one range coder.

    A head is the OBU's header byte, the five bytes of its size as LEB128 (of which those behind the last one are 0 and
    not coded) and the first 20 bytes of its payload. Its bytes are guessed by the OBU's number in the chunk, the
    two bytes before, and the last head that began alike.
    """

    def __init__(self, coder: Encoder | Decoder, units: int, like: Heads | None) -> None:
        self.most = most(units)
        self.mixed: Mixed = Mixed(coder, like.mixed if like else None)
        self.number = 0
        self.last = bytes(PAYLOAD + 1)
        self.alike: dict[bytes, bytes] = {}

    def unit(self, given: Sequence[Obu] | None) -> list[tuple[bytes, int]]:
        """Code one unit; `given` is what an encoder writes. Returns head and payload size of each OBU."""
        found: list[tuple[bytes, int]] = []
        more = 1
        while more:
            if self.number == self.most:
                raise DamageError("the base layer holds too many OBUs; the file is damaged")
            head, size = self.obu(None if given is None else given[len(found)])
            found.append((head, size))
            contexts = [(MORE, self.number), (MORE, head[0], self.last[PAYLOAD])]
            more = self.mixed.code(contexts, MORE, None if given is None else int(len(found) < len(given)))
            self.number += 1
        return found

    def obu(self, given: Obu | None) -> tuple[bytes, int]:
        """Code one OBU's head; returns it and the size of the payload."""
        wanted = None
        if given is not None:
            wanted = bytes([given[0]]) + pack_uvar(len(given[1])).ljust(5, b"\0") + given[1][:HEAD]
        head = bytearray()
        model = self.last

        def code() -> int:
            nonlocal model
            place = len(head)
            if place in ALIKE:
                model = self.alike.get(bytes(head[same] for same in ALIKE[place]), model)
            one, two = (head[place - 1], head[place - 2]) if place > 1 else (0, 0)
            first = head[PAYLOAD] if place > PAYLOAD else self.last[PAYLOAD]
            guess = model[place] if place < len(model) else 256
            contexts = (
                (0, place, self.number),
                (1, place, one),
                (2, place, one, two),
                (3, place, guess),
                (4, place, guess, one, first),
            )
            head.append(self.mixed.byte(contexts, place, None if wanted is None else wanted[place]))
            return head[-1]

        if code() & 0x87 != 2:
            raise DamageError("an OBU of the base layer is not plain; the file is damaged")
        while code() > 127 and len(head) < PAYLOAD:
            pass
        size = sum((digit & 127) << 7 * place for place, digit in enumerate(head[SIZE:]))
        if size >= MAX_PAYLOAD or head[-1] > 127 or (len(head) > SIZE + 1 and not head[-1]):
            raise DamageError("the size of an OBU is out of range; the file is damaged")
        head += bytes(PAYLOAD - len(head))
        for _ in range(min(size, HEAD)):
            code()
        self.last = bytes(head).ljust(PAYLOAD + 1, b"\0")
        for places in ALIKE.values():
            if places[-1] < len(self.last):
                self.alike[bytes(self.last[place] for place in places)] = self.last
        return bytes(head), size


def split(unit: bytes) -> list[Obu] | None:
    """The OBUs of a unit; None if there are none, or one has no shortest size, an extension or a reserved bit."""
    cursor = Cursor(unit, "AV1 unit", 0, Limits())
    obus = []
    try:
        while cursor.left:
            header = cursor.take(1)[0]
            obus.append((header, cursor.take(cursor.uvar())))
            if header & 0x87 != 2:
                return None
    except DamageError:
        return None
    return obus or None


@cache
def primed() -> Heads:
    """What every chunk's coder has learned before: the heads of the dictionary's units."""
    coder = Decoder(base64.b64decode(CODED))
    heads = Heads(coder, 0, None)
    for count in UNITS:
        heads = Heads(coder, count, heads)
        for _ in range(count):
            heads.unit(None)
    coder.finish()
    return heads


def encode(units: Sequence[bytes]) -> bytes:
    """The substream of a chunk's units; ValueError when they are not plain OBUs, which ours never writes."""
    rows = [obus for unit in units if (obus := split(unit))]
    if len(rows) < len(units) or sum(map(len, rows)) > most(len(units)):
        raise ValueError("temporal units of other than plain OBUs")
    coder = Encoder()
    heads = Heads(coder, len(units), primed())
    for obus in rows:
        heads.unit(obus)
    coded = coder.finish()
    tails = [payload[HEAD:] for obus in rows for _, payload in obus]
    return b"".join([pack_uvar(len(coded)), coded, *tails])


def decode(gop: Gop) -> list[bytes]:
    """The units of a chunk with a base layer; DamageError when its substream does not hold them."""
    cursor = Cursor(gop.substreams[Substream.BASE], "base layer", 0, Limits())
    coder = Decoder(cursor.take(cursor.uvar()))
    count = sum(kind is not FrameType.S for kind in gop.frame_types)
    heads = Heads(coder, count, primed())
    units = []
    for _ in range(count):
        parts = []
        for head, size in heads.unit(None):
            start = head[PAYLOAD:]
            parts += [head[:1], pack_uvar(size), start, cursor.take(size - len(start))]
        units.append(b"".join(parts))
    coder.finish()
    cursor.finish()
    return units
