"""Writing a file, append only, so that it can go into a pipe (spec sections 3 and 4)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

from neurcodec.container import bounds, features, payloads, tables
from neurcodec.container.framing import pack_preamble, pack_record
from neurcodec.container.values import Gop, Header, IndexEntry, Limits, ModelInfo, Packet, StreamInfo, VideoTrack
from neurcodec.errors import InputError, LimitError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_PACKETS = 1 << 16
_PACKET_BYTES = 8 << 20
_COPY_FROM = 8


class Writer:
    """Writes one .nvc file to `file` (binary, at its start). Streams come before the first chunk; `close` ends it.

    The file's id, which tells its records from those of another, is random; `bitexact` makes it of HEAD and MODL, for
    the same bytes every time. minor: the version that readers need; its features may be used. Raises LimitError for a
    value that no file can hold or that readers refuse at `limits`.
    """

    def __init__(
        self,
        file: SupportsWrite[bytes],
        header: Header,
        model: ModelInfo,
        limits: Limits | None = None,
        bitexact: bool = False,
        minor: int = tables.MINOR,
    ) -> None:
        self._file = file
        self._limits = limits or Limits()
        self._minor = minor
        self._entries: list[IndexEntry] = []
        self._frames = 0
        self._streams = 0
        self._stream_bytes = 0
        self._metadata_bytes = 0
        self._first_pts: int | None = None
        self._end_pts: int | None = None
        self._packets_written = self._track_written = False
        self._header = header
        bounds.check_picture(header, self._limits, "cannot write HEAD")
        self._opening = ((tables.HEAD, payloads.pack_header(header)), (tables.MODL, payloads.pack_model(model)))
        self._step = 1 / (header.frame_rate * header.time_base) if header.frame_rate else None
        opening = b"".join(payload for _, payload in self._opening)
        self._file_id = crc32(opening) if bitexact else secrets.randbits(32)
        preamble = pack_preamble(self._file_id, minor)
        file.write(preamble)
        self._offset = len(preamble)
        self._chain = crc32(preamble)
        for kind, payload in self._opening:
            self._put(kind, payload)

    @property
    def bytes_written(self) -> int:
        """Bytes of the file so far."""
        return self._offset

    @property
    def frames(self) -> int:
        """Frames of the file so far."""
        return self._frames

    def write_stream(self, stream: StreamInfo) -> int:
        """Declare a copied stream and return its number; only before the first chunk of frames or packets."""
        if self._frames or self._packets_written:
            raise InputError("streams must be declared before the first chunk of frames or packets")
        if self._streams >= self._limits.streams:
            raise LimitError(f"more than {self._limits.streams} streams to copy (limit: streams)")
        payload = payloads.pack_stream(self._streams, stream)
        self._stream_bytes += len(payload)
        if self._stream_bytes > self._limits.stream_bytes:
            raise LimitError(f"stream headers and attachments have more than {self._limits.stream_bytes} bytes in all")
        self._put(tables.STRM, payload)
        self._streams += 1
        return self._streams - 1

    def write_track(self, track: VideoTrack) -> None:
        """Say what the source's video stream says; once, only before the first chunk of frames or packets."""
        if self._frames or self._packets_written or self._track_written:
            raise InputError("the video is described once, before the first chunk of frames or packets")
        payload = payloads.pack_track(track)
        if len(payload) > self._limits.metadata_bytes:
            raise LimitError(f"the video's metadata has more than {self._limits.metadata_bytes} bytes (metadata_bytes)")
        self._track_written = True
        self._put(tables.VIDE, payload)

    def write_metadata(self, pairs: Mapping[str, str]) -> None:
        """Add metadata; a later pair replaces an earlier one of the same key. Nothing is written for no pairs."""
        items = list(pairs.items())
        for start in range(0, len(items), tables.PAIRS):
            payload = payloads.pack_metadata(dict(items[start : start + tables.PAIRS]))
            self._metadata_bytes += len(payload)
            if self._metadata_bytes > self._limits.metadata_bytes:
                raise LimitError(f"metadata has more than {self._limits.metadata_bytes} bytes in all (metadata_bytes)")
            self._put(tables.META, payload)

    def write_gop(self, gop: Gop) -> None:
        """Append a chunk of frames. Its first pts must be above the last one written."""
        if name := features.lacking(gop, self._minor):
            raise InputError(f"a chunk has {name}, of which format {tables.MAJOR}.{self._minor} knows nothing")
        payload = payloads.pack_gop(gop, self._frames, self._step)
        size = sum(map(len, gop.substreams.values()))
        bounds.check_chunk(gop.frames, size, self._header, self._limits, "cannot write GOPC")
        bounds.check_file(self._frames + gop.frames, self._header, self._limits, "cannot write GOPC")
        if self._end_pts is not None and gop.pts[0] <= self._end_pts:
            raise InputError(f"timestamps go back: {gop.pts[0]} after {self._end_pts} at frame {self._frames}")
        first = gop.pts[0] if self._first_pts is None else self._first_pts
        if (gop.pts[-1] + gop.last_duration - first) * self._header.time_base > self._limits.seconds:
            raise LimitError(f"the video is longer than {self._limits.seconds} seconds (limit: seconds)")
        if len(self._entries) >= self._limits.index_entries:
            raise LimitError(f"the video has more than {self._limits.index_entries} records (limit: index_entries)")
        self._first_pts, self._end_pts = first, gop.pts[-1]
        self._entries.append(IndexEntry(self._offset, self._frames, gop.frames, gop.pts[0]))
        self._put(tables.GOPC, payload)
        self._frames += gop.frames

    def write_packets(self, packets: Sequence[Packet]) -> None:
        """Append packets, one record per stream. Packets of a stream keep their order; empty packets are left out."""
        streams: dict[int, list[Packet]] = {}
        for packet in packets:
            if not 0 <= packet.stream < self._streams:
                raise InputError(f"a packet of stream {packet.stream}, which was not declared")
            if packet.data:
                streams.setdefault(packet.stream, []).append(packet)
        for number, own in streams.items():
            for part in _portions(own):
                self._packets_written = True
                self._put(tables.PCKT, payloads.pack_packets(number, part))

    def close(self) -> None:
        """Write the index and the end record; the file object stays open."""
        if not self._entries:
            raise InputError("there are no frames to write")
        if len(self._entries) >= _COPY_FROM:
            for kind, payload in self._opening:
                self._put(kind.lower(), payload)
        start = self._offset
        self._put(tables.INDX, payloads.pack_index(self._entries))
        self._put(tables.FEND, payloads.pack_end(self._frames, len(self._entries), self._offset - start, self._chain))

    def _put(self, kind: bytes, payload: bytes) -> None:
        if len(payload) > self._limits.record_bytes:
            raise LimitError(f"record {kind.decode()} of {len(payload)} bytes is above the limit (record_bytes)")
        data = pack_record(kind, payload, self._file_id)
        self._file.write(data)
        self._offset += len(data)
        self._chain = crc32(data[-4:], self._chain)


def _portions(packets: Sequence[Packet]) -> Iterator[list[Packet]]:
    """Runs of packets that are each small enough for one record."""
    part: list[Packet] = []
    size = 0
    for packet in packets:
        if part and (len(part) >= _PACKETS or size + len(packet.data) > _PACKET_BYTES):
            yield part
            part, size = [], 0
        part.append(packet)
        size += len(packet.data)
    if part:
        yield part
