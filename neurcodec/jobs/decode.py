"""Decoding a file: integers in one thread, networks in the main one, the video's encoder in a third, chunk by chunk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from neurcodec.codec import latents
from neurcodec.container import Header, Packet, Reader
from neurcodec.entropy.bitplane import FrameLatents
from neurcodec.errors import DamageError
from neurcodec.files import chapters, models, pipes
from neurcodec.files.output import atomic_file, atomic_pictures, check_target, is_picture_pattern
from neurcodec.files.span import Part, count, select
from neurcodec.jobs.inspection import open_source
from neurcodec.jobs.options import DecodeOptions, DecodeReport, Progress, ProgressCallback, ignore_progress
from neurcodec.jobs.threads import Sink, prefetch
from neurcodec.media import Frame, VideoInfo, VideoWriter

if TYPE_CHECKING:
    from neurcodec.codec.native import NativeCodec

logger = logging.getLogger(__name__)

_READ_AHEAD = 3  # chunks of integers, and packets
_WRITE_BEHIND = 16  # frames and packets


_Integers = tuple[Part, list[FrameLatents]]


def decode_file(
    source: Path,
    target: Path,
    options: DecodeOptions | None = None,
    progress: ProgressCallback = ignore_progress,
) -> DecodeReport:
    """Turn the .nvc file `source` into the video `target`; memory is bounded by a few chunks.

    The target's suffix chooses the format; .png takes a number pattern. It appears only when it is whole. "-" is
    standard input, or output as Matroska. Raises the errors of neurcodec.errors; with `options.salvage` damage is
    reported in the result instead.
    """
    options = options or DecodeOptions()
    check_target(target, source, options.overwrite)
    with open_source(source, options.salvage, options.limits) as reader:
        model = models.for_file(reader.model, options.model, pixels=True)
        if model.weights_hash != reader.model.weights_hash:
            logger.warning("%s has other pixel weights than the encoder's; the picture may differ", model.folder)
        from neurcodec.codec import profiles  # torch takes seconds to load: not before the quick checks

        codec = profiles.decoding(reader.header.profile, model, options)
        job = _Job(reader, codec, options, progress)
        with _output(target, options.overwrite) as output:
            job.run(output)
    return job.report()


def _output(target: Path, overwrite: bool) -> AbstractContextManager[Path | BinaryIO]:
    if target == pipes.STANDARD:
        return pipes.standard_output()
    return atomic_pictures(target, overwrite) if is_picture_pattern(target) else atomic_file(target)


class _Job:
    """One file being decoded."""

    def __init__(self, reader: Reader, codec: NativeCodec, options: DecodeOptions, progress: ProgressCallback) -> None:
        self.reader, self.codec, self.options, self.progress = reader, codec, options, progress
        self.frames = self.chunks = self.bytes = 0
        self.seconds = 0.0
        self.lost: list[str] = []
        self.total = None if options.salvage else count(reader, options.span)

    def run(self, target: Path | BinaryIO) -> None:
        """Decode everything into `target`."""
        options = None if self.options.crf is None else {"crf": str(self.options.crf)}
        info = video_info(self.reader)
        if self.options.span is not None:
            info = replace(info, chapters=())
        format = self.options.format or (None if isinstance(target, Path) else "mkv")
        with (
            VideoWriter(target, info, self.options.video_codec, options, format) as writer,
            Sink[Frame | Packet](lambda item: self._write(writer, item), _WRITE_BEHIND) as sink,
            closing(prefetch(self._read(), _READ_AHEAD)) as items,
        ):
            for item in items:
                if isinstance(item, Packet):
                    sink.put(item)
                    continue
                for frame in self._pictures(*item):
                    sink.put(frame)
        for line in writer.warnings():
            logger.warning("%s", line)
        if not self.frames:
            raise DamageError("no chunk of frames is whole; nothing to decode")

    def report(self) -> DecodeReport:
        """What was done, and lost."""
        gaps = [
            f"frames from {gap.first_frame} on are missing"
            if gap.frames is None
            else f"{gap.frames} frames from {gap.first_frame} on are missing"
            for gap in self.reader.gaps
        ]
        damage = [loss.reason for loss in self.reader.losses]
        return DecodeReport(self.frames, self.chunks, (*damage, *self.lost, *gaps))

    def _read(self) -> Iterator[_Integers | Packet]:
        """In the reading thread: chunks as integers, and packets of the streams that are known."""
        numbers = {number: place for place, number in enumerate(sorted(self.reader.streams))}
        for item in select(self.reader, self.options.span):
            if isinstance(item, Packet):
                yield replace(item, stream=numbers[item.stream])
                continue
            try:
                yield item, latents.decode(self.codec.entropy, item.gop, self.reader.header)
            except DamageError as error:
                if not self.options.salvage:
                    raise
                self.lost.append(str(error))

    def _pictures(self, part: Part, integers: list[FrameLatents]) -> Iterator[Frame]:
        """In the main thread: the wanted frames of a chunk with their times."""
        yield from pictures(self.codec, part, integers, self.reader.header)
        self.chunks += 1
        self.bytes += sum(map(len, part.gop.substreams.values()))

    def _write(self, writer: VideoWriter, item: Frame | Packet) -> None:
        """In the writing thread."""
        if isinstance(item, Packet):
            writer.write_packet(item)
            return
        writer.write(item)
        self.frames += 1
        self.seconds += float(item.duration * self.reader.header.time_base)
        self.progress(Progress(self.frames, self.total, self.bytes, self.seconds, self.chunks))


def pictures(codec: NativeCodec, part: Part, integers: list[FrameLatents], header: Header) -> Iterator[Frame]:
    """The wanted frames of a chunk, which is decoded from its start, with their times."""
    gop, shift = part.gop, part.shift
    ends = (*gop.pts[1:], gop.pts[-1] + gop.last_duration)
    stop = part.wanted.stop
    for place, rgb in zip(range(stop), islice(codec.decode(gop, integers, header), stop), strict=True):
        if place in part.wanted:
            yield Frame(rgb, gop.pts[place] - shift, ends[place] - gop.pts[place])


def video_info(reader: Reader) -> VideoInfo:
    """The description that the written video gets."""
    header = reader.header
    metadata, marks = chapters.from_metadata(reader.metadata)
    return VideoInfo(
        width=header.width,
        height=header.height,
        time_base=header.time_base,
        frame_rate=header.frame_rate,
        sample_aspect_ratio=header.sample_aspect_ratio,
        display_matrix=header.display_matrix,
        color_primaries=header.color_primaries,
        color_transfer=header.color_transfer,
        color_matrix=header.color_matrix,
        color_range=header.color_range,
        chroma_location=header.chroma_location,
        bit_depth=header.bit_depth,
        metadata=metadata,
        chapters=marks,
        streams=tuple(reader.streams[number] for number in sorted(reader.streams)),
    )
