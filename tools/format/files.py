"""Small files of text, whole and with single records changed, of which tools/format/make_vectors.py makes vectors."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any
from zlib import crc32

from neurcodec.container import (
    BaseLayer,
    ColorRange,
    Gop,
    Header,
    Limits,
    ModelInfo,
    Packet,
    Profile,
    StreamInfo,
    StreamKind,
    Substream,
    Writer,
    tables,
)
from neurcodec.container.payloads import pack_header, pack_model
from neurcodec.container.schema import Cursor, Field, decode, encode

HEADER = Header(64, 48, Fraction(1, 12800), Fraction(25), Fraction(1), None, 1, 1, 1, ColorRange.LIMITED, 1)
LAYERED = replace(HEADER, profile=Profile.LAYERED)
MODEL = ModelInfo("none", bytes(range(16)), bytes(range(16, 32)))
AUDIO = StreamInfo(
    StreamKind.AUDIO, "aac", Fraction(1, 48000), 0, 128000, 48000, "stereo", "fltp", 1024, 1, b"\x11\x90",
    {"language": "eng"},
)  # fmt: skip
EXAMPLE_ID = crc32(pack_header(HEADER) + pack_model(MODEL))
Content = Gop | tuple[Packet, ...] | dict[str, str]
Values = dict[str, Any]
PACKETS = Field("packets", "rows", rows=tables.PACKET_TABLE, count="packet_count")
TABLES = {**{name.encode(): rows for name, rows in tables.TABLES.items()}, b"pckt": (*tables.PCKT_TABLE, PACKETS)}
TABLES |= {b"modl": tables.MODL_TABLE, b"head": tables.HEAD_TABLE}


def gop(pts: Sequence[int], last_duration: int, number: int = 0, base: BaseLayer | None = None) -> Gop:
    """A record whose substreams are text."""
    parts = {Substream.MOTION: b"motion", Substream.LATENTS_I: b"intra", Substream.LATENTS_P: b"backbone"}
    if base:
        parts[Substream.BASE] = b"base layer"
    return Gop(tuple(pts), last_duration, 20, 3, parts, b"digest%02d" % number, base)


def pack(
    contents: Iterable[Content],
    header: Header = HEADER,
    streams: Iterable[StreamInfo] = (),
    model: ModelInfo = MODEL,
) -> bytes:
    """A file."""
    file = io.BytesIO()
    writer = Writer(file, header, model, bitexact=True)
    for stream in streams:
        writer.write_stream(stream)
    for content in contents:
        if isinstance(content, Gop):
            writer.write_gop(content)
        elif isinstance(content, dict):
            writer.write_metadata(content)
        else:
            writer.write_packets(content)
    writer.close()
    return file.getvalue()


def even(start: int, frames: int, number: int = 0) -> Gop:
    """Frames at 25 frames/s."""
    return gop([512 * i for i in range(start, start + frames)], 512, number)


def holding(substreams: dict[Substream, bytes]) -> Gop:
    """A record of one frame with these substreams."""
    return replace(even(0, 1), substreams=substreams)


def example() -> bytes:
    """The file of the specification's section 14: HEAD, MODL, strm, meta, GOPC, pckt, GOPC, indx, FEND."""
    sound = Packet(0, b"sound", 0, 0, 1024)
    return pack([{"title": "example"}, even(0, 3), (sound,), even(3, 2, 1)], streams=[AUDIO])


def split(data: bytes) -> list[bytes]:
    """Preamble and records."""
    parts, at = [data[:16]], 16
    while at < len(data):
        end = at + 13 + int.from_bytes(data[at + 5 : at + 9], "little")
        parts.append(data[at:end])
        at = end
    return parts


def record(kind: bytes, payload: bytes, flags: int = 0, file_id: int | None = None) -> bytes:
    """A record with a right CRC, in `example` or in the file of another id."""
    body = kind + bytes([flags]) + len(payload).to_bytes(4, "little") + payload
    return body + crc32(body, EXAMPLE_ID if file_id is None else file_id).to_bytes(4, "little")


def sealed(parts: Sequence[bytes]) -> bytes:
    """The file of these parts with the chain in its FEND made right."""
    chain = crc32(parts[0])
    for part in parts[1:-1]:
        chain = crc32(part[-4:], chain)
    payload = parts[-1][9:-8] + chain.to_bytes(4, "little")
    return b"".join([*parts[:-1], record(b"FEND", payload, file_id=int.from_bytes(parts[0][12:16], "little"))])


def changed(parts: Sequence[bytes], number: int, place: int, value: bytes) -> bytes:
    """The file with some bytes of one payload replaced, and all CRCs right."""
    part = parts[number]
    payload = part[9 : 9 + place] + value + part[9 + place + len(value) : -4]
    file_id = int.from_bytes(parts[0][12:16], "little")
    return sealed([*parts[:number], record(part[:4], payload, part[4], file_id), *parts[number + 1 :]])


def widened(table: Sequence[Field]) -> tuple[Field, ...]:
    """A table without its ranges."""
    return tuple(replace(row, low=-(2**70), high=2**70, rows=widened(row.rows)) for row in table)


def bare(data: bytes) -> list[bytes]:
    """Preamble and records of a file, without its index."""
    parts = [part for part in split(data) if part[:4] != b"indx"]
    end = parts[-1][9:-4]
    return split(sealed([*parts[:-1], packed(parts, b"FEND", end[:8] + bytes(4) + end[12:])]))


def packed(parts: Sequence[bytes], kind: bytes, payload: bytes) -> bytes:
    """A record of the file with this preamble."""
    return record(kind, payload, file_id=int.from_bytes(parts[0][12:16], "little"))


def edited(parts: Sequence[bytes], **values: Values) -> bytes:
    """The file with other fields in the first record of some types, whatever their ranges."""
    parts = list(parts)
    for name, new in values.items():
        kind = name.encode()
        place = next(i for i, part in enumerate(parts) if i and part[:4] == kind)
        old = decode(TABLES[kind], Cursor(parts[place][9:-4], name, 0, Limits()))
        parts[place] = packed(parts, kind, encode(widened(TABLES[kind]), {**old, **new}, name))
    return sealed(parts)


def versioned(data: bytes, minor: int, needed: int) -> bytes:
    """A file whose preamble says another minor version, and another one for its readers."""
    parts = split(data)
    return sealed([parts[0][:9] + bytes([minor, needed]) + parts[0][11:], *parts[1:]])


def extended(parts: Sequence[bytes], kind: bytes, more: int = 1) -> bytes:
    """The file with a byte of 0 behind the fields of the first record of a type, or `more` bytes less than none."""
    place = next(i for i, part in enumerate(parts) if i and part[:4] == kind)
    payload = parts[place][9:-4]
    new = packed(parts, kind, payload + b"\0" if more > 0 else payload[:more])
    if kind != b"FEND":
        return sealed([*parts[:place], new, *parts[place + 1 :]])
    return b"".join([*parts[:-1], new])


def single(pts: Sequence[int], last: int, base: BaseLayer | None = None) -> list[bytes]:
    """A file of one chunk."""
    return bare(pack([gop(pts, last, 0, base)], LAYERED if base else HEADER))
