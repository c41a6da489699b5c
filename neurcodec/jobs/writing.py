"""One reading of a video, written as an .nvc file: chunks are cut, submitted, and written in order with the packets."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from neurcodec.analysis.chunking import split
from neurcodec.codec.settings import Pictures
from neurcodec.container import Gop, Header, Limits, ModelInfo, Packet, Profile, VideoTrack, Writer, features
from neurcodec.files import chapters
from neurcodec.files.frame_range import FrameRange
from neurcodec.files.pipes import Place
from neurcodec.jobs.coders import Coder, Pending
from neurcodec.jobs.options import EncodeOptions, EncodeReport, Progress, ProgressCallback
from neurcodec.jobs.threads import prefetch
from neurcodec.media import Frame, Reading, VideoInfo, VideoReader

if TYPE_CHECKING:
    from neurcodec.jobs.rate import RatePlan

logger = logging.getLogger(__name__)

READ_AHEAD = 16  # frames and packets
_PACKET_BYTES = 1 << 20  # copied packets that wait for a chunk's end, in all
_LIMITS = Limits()
OWN_LIMITS = replace(_LIMITS, seconds=Limits.none().seconds)
"""What one's own files are held to: they may be longer than those of strangers."""


@dataclass(frozen=True)
class Making:
    """What a file is made with. said: the reader's warnings that are known, to say each once."""

    header: Header
    model: ModelInfo
    coder: Coder
    options: EncodeOptions
    progress: ProgressCallback
    said: set[str]

    def warn(self, reader: VideoReader) -> None:
        """Log what the reader has found and was not said yet."""
        for line in reader.warnings():
            self.say(line)

    def say(self, line: str) -> None:
        """Log a warning that was not said yet."""
        if line not in self.said:
            self.said.add(line)
            logger.warning("%s", line)


def gathered(frames: list[Frame]) -> Pictures:
    """The frames of a chunk as one array; the list is emptied meanwhile, so that memory holds them once."""
    pts, duration = tuple(frame.pts for frame in frames), frames[-1].duration
    rgb = np.empty((len(frames), *frames[0].rgb.shape), np.uint8)
    for row in rgb[::-1]:
        row[:] = frames.pop().rgb
    return Pictures(rgb, pts, duration)


def chunks(
    reader: VideoReader, frames: Iterable[Frame], options: EncodeOptions, cuts: Sequence[int] | None = None
) -> Iterator[Pictures]:
    """The chunks of a video: of these numbers of frames, or where its scenes end."""
    if cuts is None:
        yield from map(gathered, split(frames, reader.info.time_base, options.gop_seconds))
        return
    left = iter(frames)
    for count in cuts:
        yield gathered(list(islice(left, count)))


def opened(source: Place, options: EncodeOptions) -> VideoReader:
    """The reader of what the options say of a source."""
    part = options.frame_range or FrameRange()
    return VideoReader(source, Reading(options.video_stream, options.deinterlace, part.first, part.end))


def header(info: VideoInfo, profile: Profile) -> Header:
    """What the container keeps of a video's description."""
    return Header(**info.common(), profile=profile)


def minor_version(profile: Profile, options: EncodeOptions) -> int:
    """The minor version of the format that a file needs: 0 where no extension is asked for and no frame is filled."""
    filled = profile is Profile.LAYERED and (options.mini_gop or 1) > 1
    return features.EXTENSIONS if options.extensions or filled else 0


def expected_frames(info: VideoInfo) -> int | None:
    """How many frames a video has, as its container says or its length lets expect."""
    if info.frames:
        return info.frames
    return round(info.duration * info.frame_rate) if info.duration and info.frame_rate else None


class Pass:
    """A reading of `reader` that writes `output`; with a plan every chunk has its own quality, and is observed.

    stage: what the progress calls it.
    """

    def __init__(
        self,
        making: Making,
        reader: VideoReader,
        output: BinaryIO,
        plan: RatePlan | None = None,
        cuts: Sequence[int] | None = None,
        stage: str = "",
    ) -> None:
        self.making, self.options, self.reader, self.plan, self.cuts = making, making.options, reader, plan, cuts
        self.stage, self.total = stage, expected_frames(reader.info)
        self.info = reader.info
        minor = minor_version(making.header.profile, self.options)
        self.writer = Writer(output, making.header, making.model, OWN_LIMITS, self.options.bitexact, minor)
        self.packets: list[Packet] = []
        self.packet_bytes = 0
        self.waiting: deque[tuple[Pending | None, list[Packet]]] = deque()
        self.submitted = self.chunks = self.frames = 0
        self.seconds = 0.0

    def run(self) -> EncodeReport:
        """Write everything."""
        self._report()
        self.making.warn(self.reader)
        self._check_length(self.info.duration or 0)
        if self.info.track != VideoTrack():
            self.writer.write_track(self.info.track)
        if self.options.audio:
            for stream in self.info.streams:
                self.writer.write_stream(stream)
        self.writer.write_metadata({**self.info.metadata, **chapters.to_metadata(self.info.chapters)})
        with closing(prefetch(self.reader.items(), READ_AHEAD)) as items:
            for pictures in chunks(self.reader, self._frames(items), self.options, self.cuts):
                self._submit(pictures)
            self._drain(items)
        self._queue(None)
        self._write(0)
        self.writer.close()
        self.making.warn(self.reader)
        self._check_length(self.seconds)
        return EncodeReport(
            self.writer.frames, self.chunks, self.writer.bytes_written, self.info.width, self.info.height, self.seconds
        )

    def _check_length(self, seconds: Fraction | float) -> None:
        if seconds > _LIMITS.seconds:
            hours = _LIMITS.seconds // 3600
            self.making.say(f"the video is longer than {hours} hours: reading its file takes --no-limits")

    def _drain(self, items: Iterable[Frame | Packet]) -> None:
        """Take the packets behind the last frame."""
        for _ in self._frames(items):
            pass

    def _frames(self, items: Iterable[Frame | Packet]) -> Iterator[Frame]:
        for item in items:
            if isinstance(item, Frame):
                yield item
            elif self.options.audio:
                self.packets.append(item)
                self.packet_bytes += len(item.data)
                if self.packet_bytes > _PACKET_BYTES:
                    self._queue(None)
                    self._write(self.making.coder.ahead)

    def _submit(self, pictures: Pictures) -> None:
        """Have a chunk coded."""
        settings = self.options.settings
        if self.plan is not None:
            if self.plan.looks_back(self.submitted):
                self._write(0)
            settings = replace(settings, quality=self.plan.quality(self.submitted))
        self.submitted += 1
        self._queue(self.making.coder.submit(pictures, settings, self._tick))
        self._write(self.making.coder.ahead)

    def _queue(self, pending: Pending | None) -> None:
        """Put a chunk, which may still be being coded, and the packets that came meanwhile behind what waits."""
        self.waiting.append((pending, self.packets))
        self.packets, self.packet_bytes = [], 0

    def _write(self, left: int) -> None:
        """Write what waits, up to the last `left` chunks."""
        under_way = sum(pending is not None for pending, _ in self.waiting)
        while self.waiting and (under_way > left or self.waiting[0][0] is None or not left):
            pending, packets = self.waiting.popleft()
            if pending is not None:
                self._write_gop(pending())
                under_way -= 1
            self.writer.write_packets(packets)

    def _write_gop(self, gop: Gop) -> None:
        before = self.writer.bytes_written
        self.writer.write_gop(gop)
        if self.plan is not None:
            self.plan.observe(self.chunks, gop)
        logger.log(
            logging.INFO if self.plan is None else logging.DEBUG,
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

    def _tick(self) -> None:
        self.frames += 1
        self._report()

    def _report(self) -> None:
        written = self.writer.bytes_written
        self.making.progress(Progress(self.frames, self.total, written, self.seconds, self.chunks, self.stage))
