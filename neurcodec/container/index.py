"""The index: where the chunks of frames are in the file (spec section 9)."""

from __future__ import annotations

from neurcodec.container import framing, payloads, tables
from neurcodec.container.framing import Record, Source
from neurcodec.container.values import Header, IndexEntry, Limits
from neurcodec.errors import DamageError


def read_index(source: Source, size: int, limits: Limits, check_crc: bool) -> tuple[IndexEntry, ...]:
    """The index that FEND, the last 29 of the file's `size` bytes, points to; DamageError if there is none."""
    ends = max(0, size - framing.FEND_BYTES)
    source.seek(ends)
    record = framing.read_record(source, limits, check_crc)
    if record is None or record.type != tables.FEND:
        raise DamageError(f"at byte {ends}: the file does not end in FEND")
    end = payloads.unpack_end(record.cursor(limits))
    starts = max(0, ends - end["index_distance"])
    source.seek(starts)
    record = framing.read_record(source, limits, check_crc)
    if record is None or record.type != tables.INDX:
        raise DamageError(f"at byte {starts}: there is no index where FEND says")
    entries = payloads.unpack_index(record.cursor(limits))
    if entries[-1].offset >= starts or entries[-1].first_frame + entries[-1].frames != end["frames"]:
        raise DamageError(f"at byte {starts}: the index does not fit the file")
    return entries


def read_entry(source: Source, entry: IndexEntry, header: Header, limits: Limits, check_crc: bool) -> Record:
    """The GOPC record that an entry points to; DamageError if something else is there."""
    source.seek(entry.offset)
    record = framing.read_record(source, limits, check_crc)
    if record is None or record.type != tables.GOPC:
        raise DamageError(f"at byte {entry.offset}: the index points to something else than a GOPC record")
    gop = payloads.unpack_gop(record.cursor(limits), header)
    if (gop.first_frame, gop.frames, gop.pts[0]) != (entry.first_frame, entry.frames, entry.first_pts):
        raise DamageError(f"at byte {entry.offset}: the index points to another record than it says")
    return record
