"""The framing: preamble, records with their CRC, and the search for the next whole record (spec sections 3, 10)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import crc32

from neurcodec.container import tables
from neurcodec.container.schema import Cursor, Values, decode, encode
from neurcodec.container.values import Limits
from neurcodec.errors import DamageError, FormatError, LimitError

PREAMBLE_BYTES = 16
HEADER_BYTES = 9
FRAME_BYTES = HEADER_BYTES + 4
FEND_BYTES = FRAME_BYTES + 16
_PIECE = 1 << 20
_FREE_WORK = 256 << 20
_START = re.compile(b"(?:" + b"|".join(sorted(tables.KNOWN_TYPES)) + b")\x00", re.DOTALL)

_HEADS = re.compile(b"(?:HEAD|head)\x00")
_LONGEST_HEAD = 256
_STEPS = [crc32(bytes([index]), 0xFFFFFFFF) ^ 0xFFFFFFFF for index in range(256)]
_TOPS = {step >> 24: index for index, step in enumerate(_STEPS)}


class Source:
    """Forward reading from any binary file, in pieces, so that nothing is allocated that is not there.

    `size` is None where the file cannot seek (a pipe). file_id: of the file, which `read_preamble` sets.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.offset = 0
        self.file_id = 0
        self.size: int | None = None
        if file.seekable():
            self.size = file.seek(0, 2)
            file.seek(0)

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in pieces of at most 1 MiB; fewer at the end of the file."""
        while size > 0:
            piece = self._file.read(min(size, _PIECE))
            if not piece:
                return
            size -= len(piece)
            self.offset += len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end of the file."""
        return b"".join(self.pieces(size))

    def seek(self, offset: int) -> None:
        """Go on at `offset` (files that can seek only)."""
        self._file.seek(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record; `payload` is empty for a type that this version does not know."""

    type: bytes
    offset: int
    length: int
    payload: bytes
    crc: bytes

    @property
    def end(self) -> int:
        """Offset of the first byte after the record."""
        return self.offset + FRAME_BYTES + self.length

    def cursor(self, limits: Limits) -> Cursor:
        """A cursor over the payload."""
        return Cursor(self.payload, self.type.decode("ascii"), self.offset + HEADER_BYTES, limits)


def pack_preamble(file_id: int = 0, minor: int = tables.MINOR) -> bytes:
    """The 16 bytes that a file starts with; minor: of the version that has all features of the file."""
    values = {
        "signature": tables.SIGNATURE,
        "major": tables.MAJOR,
        "minor": minor,
        "min_reader_minor": minor,
        "flags": 0,
        "file_id": file_id,
    }
    return encode(tables.PREAMBLE_TABLE, values, "preamble")


def read_preamble(source: Source, limits: Limits) -> tuple[bytes, Values]:
    """The preamble's bytes and fields; FormatError if this reader cannot read the file."""
    data = source.read(PREAMBLE_BYTES)
    if not data:
        raise FormatError("at byte 0: the file is empty")
    if data[:8] != tables.SIGNATURE[: len(data[:8])]:
        raise FormatError("at byte 0: this is not an .nvc file (the signature is another)")
    if len(data) < PREAMBLE_BYTES:
        raise DamageError(f"at byte {len(data)}: the file ends within its first {PREAMBLE_BYTES} bytes")
    source.file_id = int.from_bytes(data[12:], "little")
    cursor = Cursor(data, "preamble", 0, limits)
    values = decode(tables.PREAMBLE_TABLE, cursor)
    if values["major"] != tables.MAJOR:
        raise FormatError(f"at byte 8: format version {values['major']} is not known, this reader reads {tables.MAJOR}")
    if values["min_reader_minor"] > tables.MINOR:
        raise FormatError(
            f"at byte 10: the file needs a reader of format {tables.MAJOR}.{values['min_reader_minor']} or newer, "
            f"this one reads {tables.MAJOR}.{tables.MINOR}"
        )
    if values["min_reader_minor"] > values["minor"]:
        raise DamageError(
            f"at byte 10: the file is of an older format, {tables.MAJOR}.{values['minor']}, than it needs"
        )
    return data, values


def pack_record(kind: bytes, payload: bytes, file_id: int = 0) -> bytes:
    """A record around a payload, in the file of this id."""
    body = kind + b"\0" + len(payload).to_bytes(4, "little") + payload
    return body + crc32(body, file_id).to_bytes(4, "little")


def read_record(source: Source, limits: Limits, check_crc: bool = True) -> Record | None:
    """The record at the source's offset, or None at the end of the file."""
    start = source.offset
    head = source.read(HEADER_BYTES)
    if not head:
        return None
    kind, length = head[:4], int.from_bytes(head[5:], "little")
    if len(head) < HEADER_BYTES or (source.size is not None and start + FRAME_BYTES + length > source.size):
        raise DamageError(f"at byte {start}: the file ends within a record (cut off, or its length is damaged)")
    name = _readable(kind)
    cap = limits.metadata_bytes if kind in (tables.META, tables.VIDE) else limits.record_bytes
    if length > cap:
        raise LimitError(f"at byte {start}: record {name} of {length} bytes is above the limit of {cap}")
    payload, crc = [], crc32(head, source.file_id)
    for piece in source.pieces(length):
        crc = crc32(piece, crc)
        if kind in tables.KNOWN_TYPES:
            payload.append(piece)
    stored = source.read(4)
    if source.offset != start + FRAME_BYTES + length:
        raise DamageError(f"at byte {start}: the file ends within a record (cut off, or its length is damaged)")
    if check_crc and stored != crc.to_bytes(4, "little"):
        raise DamageError(f"at byte {start}: record {name} is damaged (its CRC differs)")
    _check_kind(kind, head[4], start)
    return Record(kind, start, length, b"".join(payload), stored)


def _readable(kind: bytes) -> str:
    """A record type in a message: one line, and nothing that a terminal takes for a command."""
    return "".join(chr(byte) if 32 < byte < 127 else f"\\x{byte:02x}" for byte in kind)


def _check_kind(kind: bytes, flags: int, start: int) -> None:
    name = _readable(kind)
    if not (kind.isalpha() and (kind.isupper() or kind.islower())):
        raise FormatError(f"at byte {start}: '{name}' is not a record type")
    if flags:
        raise FormatError(f"at byte {start}: record {name} has reserved flags set; a newer reader is needed")
    if kind.isupper() and kind not in tables.KNOWN_TYPES:
        raise FormatError(f"at byte {start}: record {name} is critical and not known; a newer reader is needed")


def resync(source: Source, start: int, limits: Limits) -> Record | None:
    """The first whole record of a known type after a damaged one at `start`, or None.

    The place that the damaged record's own length points to is tried first. After too much work on false starts, which
    only a forged file has, the search gives up.
    """
    size = source.size or 0
    source.seek(start)
    head = source.read(HEADER_BYTES)
    following = start + FRAME_BYTES + int.from_bytes(head[5:], "little")
    if len(head) == HEADER_BYTES and following < size and (record := _try(source, following, limits)):
        return record
    work, spent = start + 1, 0
    while work < size:
        source.seek(work)
        window = source.read(_PIECE + 4)
        for match in _START.finditer(window):
            offset = work + match.start()
            length = int.from_bytes(window[match.end() : match.end() + 4].ljust(4, b"\xff"), "little")
            if match.end() + 4 > len(window):
                source.seek(offset + 5)
                length = int.from_bytes(source.read(4).ljust(4, b"\xff"), "little")
            if length > limits.record_bytes or offset + FRAME_BYTES + length > size:
                continue
            spent += length
            if spent > _FREE_WORK + 16 * (offset - start):
                return None
            if record := _try(source, offset, limits):
                return record
        work += _PIECE
    return None


def _try(source: Source, offset: int, limits: Limits) -> Record | None:
    source.seek(offset)
    try:
        record = read_record(source, limits)
    except (DamageError, FormatError, LimitError):
        return None
    return record if record is not None and record.type in tables.KNOWN_TYPES else None


def find_file_id(source: Source, limits: Limits) -> int:
    """The file's id when salvaging: that of the preamble, where any record fits it; else that of the first HEAD or its
    copy whose CRC has a start value with which the CRC of the record behind it is right too."""
    given, size, place = source.file_id, source.size or 0, PREAMBLE_BYTES
    if resync(source, place - 1, limits):
        return given
    while place < size:
        source.seek(place)
        window = source.read(_PIECE + 4)
        for match in _HEADS.finditer(window):
            source.seek(place + match.start())
            body = source.read(HEADER_BYTES)
            length = int.from_bytes(body[5:], "little")
            if len(body) == HEADER_BYTES and length <= _LONGEST_HEAD:
                body += source.read(length)
                behind = source.offset + 4
                source.file_id = start_of_crc(body, int.from_bytes(source.read(4), "little"))
                if _try(source, behind, limits):
                    return source.file_id
        place += _PIECE
    return given


def start_of_crc(data: bytes, crc: int) -> int:
    """The start value from which the CRC-32 of some data is `crc`: the CRC's steps undone from the last byte on."""
    state = crc ^ 0xFFFFFFFF
    for byte in reversed(data):
        index = _TOPS[state >> 24]
        state = (state ^ _STEPS[index]) << 8 & 0xFFFFFFFF | index ^ byte
    return state ^ 0xFFFFFFFF
