"""Changes to .nvc files for the fuzzers: raw ones, and ones behind right CRCs, so that more rules are met."""

from __future__ import annotations

import random
from collections.abc import Sequence
from zlib import crc32

from neurcodec.container.framing import PREAMBLE_BYTES

_WORDS = (b"\xff" * 4, bytes(4), b"\x80" * 4, b"GOPC", b"strm", b"indx", b"\x7f\xff\xff\xff")


def mutate(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """A seed with one to five changes; half of the results have right CRCs and a right chain again."""
    data = bytearray(chance.choice(seeds))
    sealed = chance.random() < 0.5
    parts = split(bytes(data)) if sealed else [bytes(data)]
    for _ in range(chance.randint(1, 5)):
        number = chance.choices(range(len(parts)), [len(part) + 1 for part in parts])[0]
        if sealed and chance.random() < 0.1:
            shuffle(parts, number, split(chance.choice(seeds)), chance)
        else:
            kept = 5 if sealed and chance.random() < 0.9 else 0  # a record's type and flags
            part = parts[number]
            parts[number] = part[:kept] + change(part[kept:], chance.choice(seeds), chance)
    return seal(parts) if sealed else b"".join(parts)


def change(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """One change of some bytes."""
    place = chance.randrange(len(data) + 1)
    action = chance.randrange(6)
    if action == 0:
        return data[:place] + data[place + chance.randint(1, 9) :]
    if action == 1:
        return data[:place] + other[place : place + chance.randint(1, 60)] + data[place:]
    if action == 2:
        return data[:place] + chance.choice(_WORDS) + data[place + 4 :]
    if place == len(data):
        return data[:-1]
    value = data[place] ^ (1 << chance.randrange(8)) if action == 3 else (data[place] + chance.choice((-1, 1))) & 255
    return data[:place] + bytes([value]) + data[place + 1 :]


def shuffle(parts: list[bytes], number: int, others: Sequence[bytes], chance: random.Random) -> None:
    """Drop, double, move or borrow a record."""
    action = chance.randrange(4)
    part = parts[number]
    if action != 1 and len(parts) > 1:
        del parts[number]
    if action:
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(others) if action == 3 else part)


def split(data: bytes) -> list[bytes]:
    """The preamble, and every record's type, flags and payload (without length and CRC), as far as they are whole."""
    parts, at = [data[:PREAMBLE_BYTES]], PREAMBLE_BYTES
    while at + 13 <= len(data):
        length = int.from_bytes(data[at + 5 : at + 9], "little")
        parts.append(data[at : at + 5] + data[at + 9 : at + 9 + length])
        at += 13 + length
    return parts


def seal(parts: Sequence[bytes]) -> bytes:
    """The file of such parts, with right lengths, CRCs and chain."""
    out = bytearray(parts[0])
    chain, file_id = crc32(parts[0]), int.from_bytes(parts[0][12:], "little") & 0xFFFFFFFF
    for part in parts[1:]:
        body = part[5:]
        if part[:4] == b"FEND" and len(body) == 16:
            body = body[:12] + chain.to_bytes(4, "little")
        framed = part[:5] + len(body).to_bytes(4, "little") + body
        crc = crc32(framed, file_id).to_bytes(4, "little")
        chain = crc32(crc, chain)
        out += framed + crc
    return bytes(out)
