"""Reading a file: forward from any source, from a record of the index, and past damage (spec sections 3, 9, 10)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from neurcodec.container import bounds, features, index, payloads, tables
from neurcodec.container.framing import Record, Source
from neurcodec.container.schema import Cursor
from neurcodec.container.values import Gap, Gop, IndexEntry, Limits, Packet, StreamInfo, VideoTrack
from neurcodec.container.walk import ERRORS, Walk
from neurcodec.errors import DamageError, InputError, LimitError

_OPENING = (tables.HEAD, tables.MODL, tables.HEAD_COPY, tables.MODL_COPY)


class Reader:
    """Reads one .nvc file from `file` (binary, at its start; a pipe will do) and checks every rule of the format.

    Opening reads up to the first chunk of frames or packets, so `header`, `model`, `streams` and `metadata` are there
    at once (later metadata is added while iterating). Iterating gives `Gop` and `Packet` records in file order, once,
    and raises FormatError, DamageError or LimitError at the first thing that is wrong. With `salvage`, damaged records
    are skipped instead and reported in `losses` and `gaps`; only a file that has neither HEAD and MODL nor their copies
    is refused. A pipe is then copied to a temporary file, which `close` removes. `check_crc=False` is for fuzzing.
    """

    def __init__(
        self, file: BinaryIO, limits: Limits | None = None, *, salvage: bool = False, check_crc: bool = True
    ) -> None:
        self.limits = limits or Limits()
        self.salvage = salvage
        self.gaps: list[Gap] = []
        self.streams: dict[int, StreamInfo] = {}
        self.metadata: dict[str, str] = {}
        self.entries: list[IndexEntry] = []
        self.bytes_by_kind: Counter[str] = Counter()
        self._check_crc = check_crc
        self._spool: BinaryIO | None = None
        if salvage and not file.seekable():
            self._spool = TemporaryFile()  # noqa: SIM115 - lives as long as the reader
            copyfileobj(file, self._spool)
        self._file = self._spool or file
        self._source = Source(self._file)
        self._held: Record | None = None
        self._frame = 0
        self._pts: int | None = None
        self._first_pts: int | None = None
        self._held_bytes = {tables.META: 0, tables.STRM: 0}
        self.track: VideoTrack | None = None
        self._begun = self._done = self._sought = False
        self._indx_offset: int | None = None
        self._index: tuple[IndexEntry, ...] | None = None
        self._walk = Walk(self._source, self.limits, salvage, check_crc)
        self.losses, self.version = self._walk.losses, self._walk.version
        head, model = self._walk.opening()
        self.header = payloads.unpack_header(head.cursor(self.limits))
        self.model = payloads.unpack_model(model.cursor(self.limits))
        self._opening = {tables.HEAD: head.payload, tables.MODL: model.payload}
        self._read_ahead()

    def close(self) -> None:
        """Remove the temporary copy of a salvaged pipe; the file that was given stays open."""
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Gop | Packet]:
        while (record := self._next()) is not None:
            try:
                yield from self._records(record)
            except ERRORS as error:
                self._walk.lose(record.offset, record.end, error)

    def gops(self) -> Iterator[Gop]:
        """The chunks of frames that are still to come, in file order."""
        return (item for item in self if isinstance(item, Gop))

    def packets(self) -> Iterator[Packet]:
        """The packets that are still to come, in file order."""
        return (item for item in self if isinstance(item, Packet))

    @property
    def seekable(self) -> bool:
        """Can `index` and the seek methods be used? Not with a pipe."""
        return self._source.size is not None

    @property
    def index(self) -> tuple[IndexEntry, ...]:
        """Where every GOPC starts: from the file's index, or by a scan where that is missing or damaged."""
        if self._source.size is None:
            raise InputError("cannot seek in a pipe; give a file")
        if self._index is None:
            offset = self._source.offset
            try:
                self._index = index.read_index(self._source, self._source.size, self.limits, self._check_crc)
            except ERRORS:
                self._index = self._scan()
            self._source.seek(offset)
        return self._index

    def seek_frame(self, frame: int) -> IndexEntry:
        """Go on with the chunk that holds the frame of this number (the nearest before it if that is lost)."""
        return self._seek(lambda entry: entry.first_frame, frame)

    def seek_pts(self, pts: int) -> IndexEntry:
        """Go on with the chunk that is shown at this time, in time base units (the first chunk if none is)."""
        return self._seek(lambda entry: entry.first_pts, pts)

    def _seek(self, key: Callable[[IndexEntry], int], value: int) -> IndexEntry:
        try:
            entry, record = self._find(key, value)
        except ERRORS:
            self._index = self._scan()
            entry, record = self._find(key, value)
        self._held, self._frame, self._pts = record, entry.first_frame, None
        self._begun, self._done, self._sought, self._indx_offset = True, False, True, None
        return entry

    def _find(self, key: Callable[[IndexEntry], int], value: int) -> tuple[IndexEntry, Record]:
        if not self.index:
            raise DamageError("no whole chunk of frames is left in the file")
        entry = self.index[max(0, bisect_right(self.index, value, key=key) - 1)]
        return entry, index.read_entry(self._source, entry, self.header, self.limits, self._check_crc)

    def _scan(self) -> tuple[IndexEntry, ...]:
        other = Reader(self._file, self.limits, salvage=True, check_crc=self._check_crc)
        for _ in other:
            pass
        return tuple(other.entries)

    def _read_ahead(self) -> None:
        """Take in what comes before the first chunk of frames or packets."""
        while (record := self._next()) is not None:
            if record.type in (tables.GOPC, tables.PCKT, tables.INDX, tables.FEND):
                self._held = record
                return
            try:
                list(self._records(record))
            except ERRORS as error:
                self._walk.lose(record.offset, record.end, error)

    def _next(self) -> Record | None:
        """The next whole record; None after FEND, or when salvaging at the end of what is left."""
        if self._held is not None:
            record, self._held = self._held, None
            return record
        if self._done:
            return None
        found = self._walk.next()
        if found is None:
            self._done = True
            self.gaps.append(Gap(self._frame, None))
        return found

    def _records(self, record: Record) -> Iterator[Gop | Packet]:
        kind, cursor = record.type, record.cursor(self.limits)
        if self._indx_offset is not None and kind in tables.KNOWN_TYPES and kind != tables.FEND:
            raise cursor.damage("a record between the index and FEND")
        if kind == tables.GOPC:
            self._begun = True
            yield self._take_gop(record, cursor)
        elif kind == tables.PCKT:
            self._begun = True
            yield from self._take_packets(record, cursor)
        elif kind in _OPENING:
            if kind.isupper() and not self.salvage:
                raise cursor.damage("there is a second one")
            if record.payload != self._opening[kind.upper()]:
                raise cursor.damage("differs from the one that the file starts with")
        elif kind == tables.META:
            self._hold(record, self.limits.metadata_bytes, cursor)
            self.metadata |= payloads.unpack_metadata(cursor)
            self.bytes_by_kind["metadata"] += record.end - record.offset
        elif kind == tables.VIDE:
            if self._begun or self.track is not None:
                raise cursor.damage("a second description of the video, or one after the first chunk or packets")
            self.track = payloads.unpack_track(cursor)
            self.bytes_by_kind["metadata"] += record.end - record.offset
        elif kind == tables.STRM:
            self._take_stream(record, cursor)
        elif kind == tables.INDX:
            self._indx_offset = record.offset
            entries = payloads.unpack_index(cursor)
            if not (self._sought or self.salvage) and entries != tuple(self.entries):
                raise cursor.damage("the index does not fit the records")
        elif kind == tables.FEND:
            self._done = True
            self._check_end(record, cursor)

    def _hold(self, record: Record, limit: int, cursor: Cursor) -> None:
        """Count what is kept in memory for the whole file."""
        self._held_bytes[record.type] += record.length
        if self._held_bytes[record.type] > limit:
            raise LimitError(f"{cursor.place()}: more than {limit} bytes of {record.type.decode()} records in all")

    def _take_gop(self, record: Record, cursor: Cursor) -> Gop:
        gop = payloads.unpack_gop(cursor, self.header)
        if name := features.lacking(gop, self._walk.min_reader_minor):
            raise cursor.damage(f"it has {name}, of which the version in the preamble knows nothing")
        first = gop.pts[0] if self._first_pts is None else self._first_pts
        if self._pts is not None and gop.pts[0] <= self._pts:
            raise cursor.damage(f"timestamps go back, {gop.pts[0]} after {self._pts}")
        if (gop.pts[-1] + gop.last_duration - first) * self.header.time_base > self.limits.seconds:
            raise LimitError(f"{cursor.place()}: the video is longer than {self.limits.seconds} seconds (seconds)")
        bounds.check_file(gop.first_frame + gop.frames, self.header, self.limits, cursor.place())
        if len(self.entries) >= self.limits.index_entries:
            raise LimitError(f"{cursor.place()}: more than {self.limits.index_entries} GOPC records (index_entries)")
        if gop.first_frame != self._frame:
            if not self.salvage or gop.first_frame < self._frame:
                raise cursor.damage(f"starts with frame {gop.first_frame} where {self._frame} is due")
            self.gaps.append(Gap(self._frame, gop.first_frame - self._frame))
        self._first_pts, self._pts = first, gop.pts[-1]
        self._frame = gop.first_frame + gop.frames
        self.entries.append(IndexEntry(record.offset, gop.first_frame, gop.frames, gop.pts[0]))
        for kind, data in gop.substreams.items():
            self.bytes_by_kind[kind.name.lower()] += len(data)
        return gop

    def _take_packets(self, record: Record, cursor: Cursor) -> Iterator[Packet]:
        for packet in payloads.unpack_packets(cursor):
            if packet.stream not in self.streams:
                raise cursor.damage(f"packets of stream {packet.stream}, which no strm record before describes")
            yield packet
        self.bytes_by_kind[self.streams[packet.stream].kind.name.lower()] += record.end - record.offset

    def _take_stream(self, record: Record, cursor: Cursor) -> None:
        self._hold(record, self.limits.stream_bytes, cursor)
        number, stream = payloads.unpack_stream(cursor)
        if self._begun:
            raise cursor.damage("a stream is declared after the first chunk of frames or packets")
        if number >= self.limits.streams:
            raise LimitError(f"{cursor.place()}: stream {number} is above the limit of {self.limits.streams} (streams)")
        if number in self.streams or (number != len(self.streams) and not self.salvage):
            raise cursor.damage(f"stream {number} where {len(self.streams)} is due")
        self.streams[number] = stream
        self.bytes_by_kind[stream.kind.name.lower()] += record.end - record.offset

    def _check_end(self, record: Record, cursor: Cursor) -> None:
        end = payloads.unpack_end(cursor)
        if self.salvage and end["frames"] > self._frame:
            self.gaps.append(Gap(self._frame, end["frames"] - self._frame))
        elif end["frames"] != self._frame:
            raise cursor.damage(f"says {end['frames']} frames where {self._frame} are")
        if self._source.read(1):
            raise cursor.damage("there are bytes after the end record")
        if self._sought or self.losses or self.gaps:
            return
        if end["chunks"] != len(self.entries):
            raise cursor.damage(f"says {end['chunks']} records where {len(self.entries)} are")
        if end["index_distance"] != (0 if self._indx_offset is None else record.offset - self._indx_offset):
            raise cursor.damage("says that the index is elsewhere")
        if self._check_crc and end["chain"] != self._walk.chain:
            raise cursor.damage("records are missing or were exchanged, or the preamble is damaged (the chain differs)")
