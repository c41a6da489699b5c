"""The AV1 temporal units of a base layer, without what their frame headers repeat (substream 3, spec section 6.10).

At the lowest rates most of a base layer is frame headers: 16 bytes of a frame that has 20. The first bytes of every OBU
are coded with adaptive binary decisions, each the mixed guess of several contexts; the rest, which AV1's own arithmetic
coder has made, stays as it is. Any units of plain OBUs (`split`) come back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from neurcodec.container import FrameType, Gop, Limits, Substream
from neurcodec.container.schema import Cursor, pack_uvar
from neurcodec.entropy.binary import Binary
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import DamageError

HEAD = 20
"""So many bytes of an OBU's payload are coded; what follows is copied."""
MAX_PAYLOAD = 1 << 30
DICTIONARY = Path(__file__).parent / "dictionaries" / "heads.bin"
"""What the unit coder has learned before a chunk: heads of OBUs, coded by itself. Files need it to decode."""
DICTIONARY_UNITS = (24, 48, 96, 160)
"""Temporal units of each chunk of the dictionary."""
SPARE = 16
"""A chunk of n units has at most 2 n + 16 OBUs: its coder's time and memory have a bound."""

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
        self.binary: Binary = Binary(coder, like.binary if like else None)
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
            more = self.binary.mixed(contexts, MORE, None if given is None else int(len(found) < len(given)))
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
            head.append(self.binary.byte(contexts, place, None if wanted is None else wanted[place]))
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
    coder = Decoder(DICTIONARY.read_bytes())
    heads = Heads(coder, 0, None)
    for count in DICTIONARY_UNITS:
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
