"""Container: the list of what must be rejected (bitstream_spec.md section 11), one raw file per rule."""

from __future__ import annotations

import io
from collections.abc import Callable
from zlib import crc32

import container_samples as samples
import pytest

from neurcodec.container import Limits, Reader, StreamInfo, StreamKind, payloads, tables
from neurcodec.container.framing import pack_preamble, pack_record
from neurcodec.container.schema import encode, pack_uvar
from neurcodec.container.values import HASH_BYTES
from neurcodec.errors import DamageError, FormatError, LimitError, NcodecError
from tools.format.files import split

HEAD = (b"HEAD", payloads.pack_header(samples.HEADER))
MODL = (b"MODL", payloads.pack_model(samples.MODEL))
STRM = (b"strm", payloads.pack_stream(0, samples.AUDIO))
GOPC = (b"GOPC", payloads.pack_gop(samples.gop(0, 5), 0, None))
NEXT = (b"GOPC", payloads.pack_gop(samples.gop(5, 5), 5, None))
PCKT = (b"pckt", payloads.pack_packets(0, samples.audio(0, 3)))
META = (b"meta", payloads.pack_metadata({"a": "b"}))
GOP_VALUES = {
    "first_frame": 0, "frames": 2, "quality": 20, "mini_gop": 3, "first_pts": 0, "step_num": 10, "step_den": 1,
    "last_change": 0, "digest": bytes(8), "base_scale": 0, "substream_count": 1, "substreams": [{"id": 0, "size": 3}],
    "data": b"abc",
}  # fmt: skip


def unchecked(table: tuple[tables.Field, ...], values: dict[str, object]) -> bytes:
    """A payload that may break the table's ranges."""
    wide = tuple(loosen(row) for row in table)
    return encode(wide, values, "test")


def loosen(row: tables.Field) -> tables.Field:
    return tables.Field(
        row.name, row.kind, -(2**63), 2**63, when=row.when, count=row.count, rows=tuple(loosen(r) for r in row.rows)
    )


def gop(**changes: object) -> tuple[bytes, bytes]:
    return b"GOPC", unchecked(tables.GOPC_TABLE, GOP_VALUES | changes)


def head(**changes: object) -> tuple[bytes, bytes]:
    values = {
        "profile": 0, "width": 64, "height": 48, "time_base_num": 1, "time_base_den": 30, "frame_rate_num": 30,
        "frame_rate_den": 1, "sar_num": 1, "sar_den": 1, "color_primaries": 2, "color_transfer": 2, "color_matrix": 2,
        "color_range": 0, "chroma_location": 0, "bit_depth": 8, "has_display_matrix": 0,
    }  # fmt: skip
    return b"HEAD", unchecked(tables.HEAD_TABLE, values | changes)


def packet(raw: bytes, count: int = 1) -> tuple[bytes, bytes]:
    return b"pckt", b"\0" + pack_uvar(count) + raw


def finish(*records: tuple[bytes, bytes], frames: int = 5, gops: int = 1, distance: int = 0, chain: int = 0) -> bytes:
    """A file of HEAD, MODL, strm and these records, with an end record whose chain is right (but for `chain`)."""
    data = samples.build(HEAD, MODL, STRM, *records)
    value = crc32(data[:16])
    for part in split(data)[1:]:
        value = crc32(part[-4:], value)
    return data + pack_record(b"FEND", payloads.pack_end(frames, gops, distance, value ^ chain))


def reading(data: bytes, limits: Limits | None = None) -> None:
    for _ in Reader(io.BytesIO(data), limits):
        pass


def preamble(**at: int) -> bytes:
    data = bytearray(pack_preamble())
    for place, value in at.items():
        data[int(place[1:])] = value
    return bytes(data)


def flagged(record: tuple[bytes, bytes], flags: int) -> bytes:
    body = record[0] + bytes([flags]) + len(record[1]).to_bytes(4, "little") + record[1]
    return body + crc32(body).to_bytes(4, "little")


def opened(*records: tuple[bytes, bytes]) -> Callable[[], bytes]:
    return lambda: samples.build(*records)


FORMAT = {
    "signature": lambda: samples.build(HEAD, MODL, GOPC, preamble=b"\x0bNVC\r\n\x1a\n\x01\0\0\0"),
    "signature after a text transfer": lambda: samples.build(HEAD, preamble=b"\x8bNVC\n\x1a\n\x01\0\0\0"),
    "empty file": lambda: b"",
    "not a container": lambda: b"RIFF" * 20,
    "major": lambda: samples.build(HEAD, MODL, GOPC, preamble=preamble(_8=1)),
    "min_reader_minor": lambda: samples.build(HEAD, MODL, GOPC, preamble=preamble(_9=255, _10=255)),
    "file flags": lambda: samples.build(HEAD, MODL, GOPC, preamble=preamble(_11=1)),
    "unknown critical record": lambda: finish((b"NEWC", b"new"), GOPC),
    "mixed case type": lambda: finish((b"tEXt", b"new"), GOPC),
    "type without letters": lambda: finish((b"ab1c", b"new"), GOPC),
    "record flags": lambda: samples.build(HEAD, MODL) + flagged(GOPC, 1),
    "profile": opened(head(profile=2), MODL),
    "substream id": lambda: finish(gop(substreams=[{"id": 11, "size": 3}])),
    "substream count": lambda: finish(gop(substream_count=12, substreams=[{"id": 0, "size": 1}] * 12)),
    "packet flags": lambda: finish(packet(b"\x04\x01x"), GOPC),
    "stream kind": opened(HEAD, MODL, (b"strm", STRM[1][:1] + b"\x04" + STRM[1][2:])),
}

DAMAGE = {
    "cut preamble": lambda: pack_preamble()[:11],
    "cut signature": lambda: pack_preamble()[:3],
    "nothing after the preamble": pack_preamble,
    "no HEAD": opened(MODL, GOPC),
    "record before HEAD": opened(META, HEAD, MODL, GOPC),
    "no MODL": opened(HEAD, GOPC),
    "copy in place of HEAD": opened((b"head", HEAD[1]), MODL, GOPC),
    "second HEAD": lambda: finish(HEAD, GOPC),
    "second MODL": lambda: finish(GOPC, MODL),
    "copy that differs": lambda: finish(GOPC, (b"modl", MODL[1][:-1] + b"x")),
    "CRC": lambda: finish(GOPC).replace(b"AAAA", b"AAAB"),
    "length past the end": lambda: samples.build(HEAD, MODL) + b"GOPC\0\xff\0\0\0" + bytes(40),
    "cut record header": lambda: samples.build(HEAD, MODL) + b"GOPC\0",
    "no FEND": lambda: samples.build(HEAD, MODL, GOPC),
    "second FEND": lambda: finish(GOPC) + samples.build((b"FEND", samples.end(5, 1)), preamble=b""),
    "bytes after FEND": lambda: finish(GOPC) + b"\0",
    "width 0": opened(head(width=0), MODL),
    "height 0": opened(head(height=0), MODL),
    "width out of range": opened(head(width=2**20 + 1), MODL),
    "time base numerator 0": opened(head(time_base_num=0), MODL),
    "time base denominator 0": opened(head(time_base_den=0), MODL),
    "frame rate denominator 0": opened(head(frame_rate_den=0), MODL),
    "aspect denominator 0": opened(head(sar_den=0), MODL),
    "colour range": opened(head(color_range=3), MODL),
    "chroma location": opened(head(chroma_location=7), MODL),
    "bit depth 0": opened(head(bit_depth=0), MODL),
    "display matrix flag": opened(head(has_display_matrix=2), MODL),
    "display matrix cut": opened((b"HEAD", HEAD[1][:-1] + b"\x01" + bytes(35)), MODL),
    "trailing bytes in HEAD": opened((b"HEAD", HEAD[1] + b"\0"), MODL),
    "trailing bytes in MODL": opened(HEAD, (b"MODL", MODL[1] + b"\0")),
    "empty model name": opened(HEAD, (b"MODL", b"\0" + bytes(2 * HASH_BYTES))),
    "model name not UTF-8": opened(HEAD, (b"MODL", b"\x02\xc3\x28" + bytes(2 * HASH_BYTES))),
    "integer not in its shortest form": opened((b"HEAD", b"\0\xc0\x00" + HEAD[1][2:]), MODL),
    "integer of ten bytes": opened((b"HEAD", b"\0" + b"\x80" * 9 + b"\x01" + HEAD[1][2:]), MODL),
    "no frames": lambda: finish(gop(frames=0)),
    "quality": lambda: finish(gop(quality=64)),
    "mini-GOP 0": lambda: finish(gop(mini_gop=0)),
    "mini-GOP 5": lambda: finish(gop(mini_gop=5)),
    "step below one": lambda: finish(gop(step_num=2, step_den=3, phase=0)),
    "phase above the step": lambda: finish(gop(step_num=3, step_den=2, phase=2)),
    "step that is not in lowest terms": lambda: finish(gop(step_num=6, step_den=4, phase=2)),
    "last duration below 0": lambda: finish(gop(last_change=-11)),
    "listed duration 0": lambda: finish(gop(frames=3, step_num=0, durations=[1, 0, 1])),
    "even durations, listed": lambda: finish(gop(frames=3, step_num=0, durations=[4, 4, 1])),
    "pts beyond the range": lambda: finish(gop(first_pts=2**62 - 12)),
    "more durations than bytes": lambda: finish((b"GOPC", b"\0\xff\x14\x03\0\0" + b"\x01" * 20)),
    "substream sizes below the data": lambda: finish(gop(substreams=[{"id": 0, "size": 2}])),
    "substream sizes above the data": lambda: finish(gop(substreams=[{"id": 0, "size": 4}])),
    "substream of size 0": lambda: finish(gop(substreams=[{"id": 0, "size": 0}], data=b"")),
    "substream ids not rising": lambda: finish(
        gop(substream_count=2, substreams=[{"id": 1, "size": 1}, {"id": 1, "size": 2}])
    ),
    "base layer in the native profile": lambda: finish(gop(base_scale=2, base_mini_gop=1, base_quantiser=30)),
    "base scale": lambda: finish(gop(base_scale=17, base_mini_gop=1, base_quantiser=30)),
    "first frame not 0": lambda: finish(NEXT),
    "record twice": lambda: finish(GOPC, GOPC, frames=10, gops=2),
    "pts not rising over records": lambda: finish(GOPC, gop(first_frame=5, first_pts=4004), frames=7, gops=2),
    "key twice": lambda: finish((b"meta", b"\x02\x01a\x01b\x01a\x01c"), GOPC),
    "no pairs": lambda: finish((b"meta", b"\0"), GOPC),
    "trailing bytes in meta": lambda: finish((b"meta", META[1] + b"\0"), GOPC),
    "second stream of the same number": lambda: finish(STRM, GOPC),
    "stream number with a gap": lambda: finish((b"strm", payloads.pack_stream(2, samples.AUDIO)), GOPC),
    "stream after the first frames": lambda: finish(GOPC, (b"strm", payloads.pack_stream(1, samples.AUDIO))),
    "stream after the first packets": lambda: finish(PCKT, (b"strm", payloads.pack_stream(1, samples.AUDIO)), GOPC),
    "packets of an unknown stream": lambda: finish((b"pckt", b"\x01\x01\x01\x01x"), GOPC),
    "no packets": lambda: finish((b"pckt", b"\0\0"), GOPC),
    "fewer packets than counted": lambda: finish(packet(b"\x01\x01x", 2), GOPC),
    "more packets than counted": lambda: finish(packet(b"\x01\x01x\x01\x01x", 1), GOPC),
    "empty packet": lambda: finish(packet(b"\x01\x00"), GOPC),
    "pts given and absent": lambda: finish(packet(b"\x19\x01\x01x"), GOPC),
    "dts given and absent": lambda: finish(packet(b"\x61\x01\x01x"), GOPC),
    "packet time beyond the range": lambda: finish(
        packet((b"\x89" + pack_uvar(2**63 - 4) + pack_uvar(2**62 - 1) + b"\x01x") * 2, 2), GOPC
    ),
    "frames in FEND": lambda: finish(GOPC, frames=6),
    "records in FEND": lambda: finish(GOPC, gops=2),
    "index in FEND where there is none": lambda: finish(GOPC, distance=18),
    "chain in FEND": lambda: finish(GOPC, chain=1),
    "index that does not fit": lambda: finish(GOPC, (b"indx", b"\x01\x0d\x05\x00"), distance=17),
    "index not where FEND says": lambda: index_at(17),
    "record after the index": lambda: index_at(18, META),
    "second index": lambda: index_at(18, (b"indx", INDX)),
    "no frames in FEND": lambda: samples.build(HEAD, MODL, (b"FEND", bytes(16))),
}
INDX = b"\x01" + pack_uvar(len(samples.build(HEAD, MODL, STRM))) + b"\x05\x00"


def index_at(distance: int, *after: tuple[bytes, bytes]) -> bytes:
    return finish(GOPC, (b"indx", INDX), *after, distance=distance)


HARMLESS = {
    "second HEAD", "second MODL", "stream number with a gap", "index that does not fit",
}  # fmt: skip
"""Faults that a salvaging reader passes over because nothing is lost by them."""


@pytest.mark.parametrize("name", FORMAT)
def test_format_errors(name: str) -> None:
    with pytest.raises(FormatError, match="at byte"):
        reading(FORMAT[name]())


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_errors(name: str) -> None:
    with pytest.raises(DamageError, match=r"at byte \d+"):
        reading(DAMAGE[name]())


@pytest.mark.parametrize("name", [*FORMAT, *DAMAGE])
def test_salvage_never_raises_anything_else(name: str) -> None:
    data = {**FORMAT, **DAMAGE}[name]()
    try:
        reader = Reader(io.BytesIO(data), salvage=True)
        list(reader)
    except NcodecError:
        return
    assert reader.losses or reader.gaps or name in HARMLESS


def test_the_raw_files_are_right_otherwise() -> None:
    reading(finish(GOPC))
    reading(finish(gop(), frames=2))
    reading(finish(PCKT, GOPC, META, NEXT, frames=10, gops=2))
    reading(finish((b"newc", b"skipped"), GOPC, (b"side", b"reserved"), (b"head", HEAD[1]), (b"modl", MODL[1])))
    reading(index_at(18))
    minor = split(finish(GOPC))
    later = preamble(_9=7) + b"".join(minor[1:-1])
    value = crc32(later[:16])
    for part in minor[1:-1]:
        value = crc32(part[-4:], value)
    later += pack_record(b"FEND", payloads.pack_end(5, 1, 0, value))
    reader = Reader(io.BytesIO(later))
    assert reader.version == (2, 7) and len(list(reader)) == 1


LIMITED = {
    "side": (Limits(side=63), lambda: finish(GOPC)),
    "pixels": (Limits(pixels=64 * 48 - 1), lambda: finish(GOPC)),
    "chunk_pixels": (Limits(chunk_pixels=64 * 48 * 5 - 1), lambda: finish(GOPC)),
    "native_pixels_per_byte": (Limits(native_pixels_per_byte=64 * 48 * 5 // 60 - 1), lambda: finish(GOPC)),
    "native_picture_per_byte": (Limits(native_picture_per_byte=-(1 << 20)), lambda: finish(GOPC)),
    "file_pixels": (Limits(file_pixels=64 * 48 * 10 - 1), lambda: finish(GOPC, NEXT, frames=10, gops=2)),
    "record_bytes": (Limits(record_bytes=60), lambda: finish(GOPC)),
    "chunk_frames": (Limits(chunk_frames=4), lambda: finish(GOPC)),
    "seconds": (Limits(seconds=1), lambda: finish(gop(step_num=30000), frames=2)),
    "streams": (Limits(streams=0), lambda: finish(GOPC)),
    "stream_bytes": (Limits(stream_bytes=20), lambda: finish(GOPC)),
    "metadata_bytes": (Limits(metadata_bytes=2), lambda: finish(META, GOPC)),
    "metadata_bytes in all": (Limits(metadata_bytes=9), lambda: finish(META, META, GOPC)),
    "index_entries": (Limits(index_entries=1), lambda: finish(GOPC, NEXT, frames=10, gops=2)),
    "index_entries of the index": (Limits(index_entries=1), lambda: finish(GOPC, (b"indx", b"\x02" + INDX[1:] * 2))),
    "default side": (None, opened(head(width=16385), MODL)),
    "default record_bytes": (None, lambda: samples.build(HEAD, MODL) + b"GOPC\0" + (2**26 + 1).to_bytes(4, "little")),
}


@pytest.mark.parametrize("name", LIMITED)
def test_limits(name: str) -> None:
    limits, make = LIMITED[name]
    file = io.BytesIO(make())
    if name == "default record_bytes":
        file.seekable = lambda: False  # type: ignore[method-assign] - a file that can seek errs on its end first
    with pytest.raises(LimitError, match="at byte"):
        for _ in Reader(file, limits):
            pass


def test_limits_can_be_lifted() -> None:
    wide = (b"HEAD", payloads.pack_header(samples.Header(2**20, 2**20, samples.HEADER.time_base)))
    data = samples.build(wide, MODL, gop(step_num=2**32 - 1))
    with pytest.raises(LimitError):
        Reader(io.BytesIO(data))
    reader = Reader(io.BytesIO(data), Limits.none())
    assert next(reader.gops()).pts == (0, 2**32 - 1)


def test_every_enumeration_of_the_tables_is_the_code_s() -> None:
    kinds = {row.name: row.high for row in tables.STRM_TABLE}
    assert kinds["kind"] == max(StreamKind)
    assert StreamInfo(StreamKind.DATA, "bin", samples.HEADER.time_base).metadata == {}
