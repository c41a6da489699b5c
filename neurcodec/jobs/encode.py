"""Encoding a file: frames are read ahead in a thread, cut into chunks, coded, and written chunk by chunk."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from neurcodec.analysis import interval
from neurcodec.analysis.chunking import split
from neurcodec.container import Gop, Header, Packet, Writer
from neurcodec.container.tables import NEEDED
from neurcodec.errors import InputError
from neurcodec.files import chapters, models, pipes
from neurcodec.files.output import atomic_file, check_target
from neurcodec.jobs.options import EncodeOptions, EncodeReport, Progress, ProgressCallback, fitting, ignore_progress
from neurcodec.jobs.resume import Partial
from neurcodec.jobs.threads import prefetch
from neurcodec.media import Frame, VideoInfo, VideoReader

if TYPE_CHECKING:
    from neurcodec.codec.native import NativeCodec
    from neurcodec.jobs.distributed import RemoteCodec
    from neurcodec.jobs.rate import RateControl

    Coder = NativeCodec | RateControl | RemoteCodec

logger = logging.getLogger(__name__)

_READ_AHEAD = 16  # frames and packets
_PACKET_BYTES = 1 << 20  # copied packets that wait for a chunk's end, in all

_Pending = tuple["Gop | Callable[[], Gop] | None", list[Packet]]


def encode_file(
    source: Path,
    target: Path,
    options: EncodeOptions | None = None,
    progress: ProgressCallback = ignore_progress,
) -> EncodeReport:
    """Code the video `source` as the .nvc file `target`; memory is bounded by one chunk.

    The target appears only when it is whole. With `options.resume` a job that stops leaves its chunks in a file of the
    target's name and ".part", and goes on from them when it runs again. Raises the errors of neurcodec.errors.
    """
    options = options or EncodeOptions()
    check_target(target, source, options.overwrite)
    with VideoReader(pipes.media(source)) as reader:
        profile = fitting(options.profile, reader.info.width, reader.info.height)
        options = replace(options, profile=profile)
        model = models.find(options.model)
        if options.cluster is not None:
            from neurcodec.jobs.distributed import RemoteCodec

            remote = RemoteCodec(model, options, options.cluster)
            return _write(reader, target, remote, options, progress)
        from neurcodec.codec import profiles  # torch takes seconds to load: not before the quick checks

        native = profiles.encoding(profile, model, options)
        found = None
        if options.target is not None:
            found = options.target.find(source, options, native)
            options = replace(options, quality=found.quality)
        codec = _rated(source, native, options, progress) if options.rated else native
        return replace(_write(reader, target, codec, options, progress), found=found)


def _write(
    reader: VideoReader,
    target: Path,
    codec: Coder,
    options: EncodeOptions,
    progress: ProgressCallback,
) -> EncodeReport:
    if target == pipes.STANDARD:
        with pipes.standard_output() as output:
            return _Job(reader, output, codec, options, progress).run()
    with atomic_file(target, options.resume) as temporary:
        if options.resume:
            with Partial(temporary) as partial:
                return _Job(reader, partial, codec, options, progress).run()
        with temporary.open("xb") as file:
            return _Job(reader, file, codec, options, progress).run()


def _rated(source: Path, codec: NativeCodec, options: EncodeOptions, progress: ProgressCallback) -> RateControl:
    """The chunks of a file that meets the rate target, coded in several runs of the job without output."""
    from neurcodec.jobs.rate import RateControl

    if source == pipes.STANDARD:
        raise InputError("a rate target needs a file: the video is read more than once")

    def run(control: RateControl) -> EncodeReport:
        with VideoReader(source) as reader:
            return _Job(reader, None, control, options, progress).run()

    control = RateControl(codec)
    with pipes.naming(source):
        control.fit(run, options.target_size, options.target_kbps)
    return control


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


class _Job:
    """One file being encoded; without a file only to see what comes of it."""

    def __init__(
        self,
        reader: VideoReader,
        file: BinaryIO | Partial | None,
        codec: Coder,
        options: EncodeOptions,
        progress: ProgressCallback,
    ) -> None:
        from neurcodec.jobs.rate import RateControl

        self.reader, self.codec, self.options, self.progress = reader, codec, options, progress
        self.info = reader.info
        self.silent = file is None
        self.stored: Partial | RateControl | None = None
        if isinstance(file, Partial):
            self.stored = file
        elif isinstance(codec, RateControl):
            self.stored = codec
        described = header(self.info, options)
        minor = NEEDED[described.profile]
        self.writer = Writer(file or _Nowhere(), described, codec.model.info, minor=minor)
        self.packets: list[Packet] = []
        self.packet_bytes = 0
        self.waiting: deque[_Pending] = deque()
        self.ahead: int = getattr(codec, "ahead", 0)
        self.chunks = self.frames = 0
        self.seconds = 0.0
        codec.tick = self._tick

    def run(self) -> EncodeReport:
        """Write everything."""
        warned = self._warn(())
        if self.options.audio:
            for stream in self.info.streams:
                self.writer.write_stream(stream)
        self.writer.write_metadata({**self.info.metadata, **chapters.to_metadata(self.info.chapters)})
        with closing(prefetch(self.reader.items(), _READ_AHEAD)) as items:
            frames = self._frames(items)
            for chunk in split(frames, self.info.time_base, self.options.gop_seconds):
                self._encode(chunk)
        self._queue(None)
        self._write(0)
        self.writer.close()
        self._warn(warned)
        return EncodeReport(
            self.writer.frames, self.chunks, self.writer.bytes_written, self.info.width, self.info.height, self.seconds
        )

    def _frames(self, items: Iterable[Frame | Packet]) -> Iterator[Frame]:
        for item in items:
            if isinstance(item, Frame):
                yield item
            elif self.options.audio:
                self.packets.append(item)
                self.packet_bytes += len(item.data)
                if self.packet_bytes > _PACKET_BYTES:
                    self._queue(None)
                    self._write(self.ahead)

    def _encode(self, chunk: list[Frame]) -> None:
        """Code a chunk, or take it from the partial file."""
        stored = self.stored.take(chunk, self.options) if self.stored else None
        self._queue(stored or self._code(chunk))
        self._write(self.ahead)

    def _queue(self, gop: Gop | Callable[[], Gop] | None) -> None:
        """Put a chunk, which a cluster may still be coding, and the packets that came meanwhile behind what waits."""
        self.waiting.append((gop, self.packets))
        self.packets, self.packet_bytes = [], 0

    def _write(self, left: int) -> None:
        """Write what waits, up to the last `left` entries."""
        while len(self.waiting) > left:
            pending, packets = self.waiting.popleft()
            if pending is not None:
                self._write_gop(pending() if callable(pending) else pending)
            self.writer.write_packets(packets)

    def _write_gop(self, gop: Gop) -> None:
        before = self.writer.bytes_written
        self.writer.write_gop(gop)
        logger.log(
            logging.DEBUG if self.silent else logging.INFO,
            "chunk %d: frames %d to %d, quality %d, %d bytes",
            self.chunks,
            self.writer.frames - gop.frames,
            self.writer.frames - 1,
            gop.quality,
            self.writer.bytes_written - before,
        )
        self.chunks += 1
        self.seconds += float((gop.pts[-1] + gop.last_duration - gop.pts[0]) * self.info.time_base)
        self.frames = self.writer.frames
        self._report()

    def _code(self, chunk: list[Frame]) -> Gop | Callable[[], Gop]:
        """Code a chunk, which is emptied, or have it coded."""
        pts, duration = tuple(frame.pts for frame in chunk), chunk[-1].duration
        rgb = np.empty((len(chunk), self.info.height, self.info.width, 3), np.uint8)
        for row in rgb[::-1]:
            row[:] = chunk.pop().rgb
        step = self.options.backbone_interval or interval.choose(rgb)
        return self.codec.encode(rgb, pts, duration, self.options.quality, step)

    def _tick(self) -> None:
        self.frames += 1
        self._report()

    def _report(self) -> None:
        self.progress(Progress(self.frames, self._total(), self.writer.bytes_written, self.seconds, self.chunks))

    def _warn(self, known: Iterable[str]) -> list[str]:
        """Log the reader's warnings that are not known yet; returns all."""
        said = list(known)
        for line in self.reader.warnings():
            if line not in said:
                said.append(line)
                if not self.silent:
                    logger.warning("%s", line)
        return said

    def _total(self) -> int | None:
        if self.info.frames:
            return self.info.frames
        if self.info.duration and self.info.frame_rate:
            return round(self.info.duration * self.info.frame_rate)
        return None


def header(info: VideoInfo, options: EncodeOptions) -> Header:
    """What the container keeps of a video's description."""
    return Header(
        width=info.width,
        height=info.height,
        time_base=info.time_base,
        frame_rate=info.frame_rate,
        sample_aspect_ratio=info.sample_aspect_ratio,
        display_matrix=info.display_matrix,
        color_primaries=info.color_primaries,
        color_transfer=info.color_transfer,
        color_matrix=info.color_matrix,
        color_range=info.color_range,
        chroma_location=info.chroma_location,
        bit_depth=info.bit_depth,
        profile=fitting(options.profile, info.width, info.height),
    )
