"""A container in the making: one encoded video stream, and the copied streams' packets beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from av.format import Flags

from neurcodec.container.values import ColorRange, Packet, StreamInfo, StreamKind
from neurcodec.media import colour, copied, formats, priority
from neurcodec.media.subtitles import TextConverter
from neurcodec.media.timing import FALLBACK_RATE
from neurcodec.media.track import onto_output
from neurcodec.media.types import Frame, VideoInfo

MAX_SCALE = 100_000_000
_PCM_SAMPLES = 64  # bytes; less may be no whole sample of all channels, which MP4 refuses too late
_REFUSALS = (av.error.InvalidDataError, av.error.ArgumentError, av.error.PatchWelcomeError)
"""What FFmpeg says of packets, not of the disk."""


@dataclass
class _Copied:
    """A copied stream in the output: what it is there, its last dts in units of the output, what was refused first."""

    info: StreamInfo
    stream: Any
    converter: TextConverter | None = None
    last: int | None = None
    refused: int = 0
    why: str = ""

    def refuse(self, why: str) -> None:
        """Count a packet that is left out."""
        self.refused += 1
        self.why = why


class Muxer:
    """Encodes frames and muxes packets into one file. `notes` says what the format could not hold."""

    def __init__(
        self,
        target: str | Path | BinaryIO,
        info: VideoInfo,
        codec: str | None,
        options: Mapping[str, str] | None,
        format: str,
    ) -> None:
        """Open the target and set all streams up; PyAV's and the system's errors pass through."""
        self.notes: list[str] = []
        self._info = info
        self._format = format
        self._durations: dict[int, int] = {}
        self._start: int | None = None  # of what is shown, in the video's time base
        self._end = 0
        self._first_dts: int | None = None
        self._copied: dict[int, _Copied] = {}
        self._copies = self._late = 0  # copied packets, and those that were refused after FFmpeg had held them back
        default, settings = formats.DEFAULT_CODEC[format]
        if codec is None:
            codec, options = default, settings if options is None else options
        if av.Codec(codec, "w").type != "video":
            raise ValueError(f"{codec} is no video encoder")
        muxing, lost = formats.metadata(format, info.metadata)
        if lost:
            self.notes.append(f"metadata {', '.join(lost)} is not kept: {format} has no place for it; mkv keeps all")
        muxing |= {"avoid_negative_ts": "disabled"}  # else a first audio packet below 0 shifts every picture
        if format in ("mp4", "mov"):
            muxing |= {"movie_timescale": str(_movie_scale(info))}
        file = str(target.absolute()) if isinstance(target, Path) else target
        self._container: Any = av.open(file, "w", format=formats.FORMATS[format], container_options=muxing)
        self._least_step = 0 if Flags.ts_nonstrict in Flags(self._container.format.flags) else 1  # between dts
        try:
            self._video: Any = self._container.add_stream(
                codec, rate=info.frame_rate or FALLBACK_RATE, options=dict(options or {})
            )
            self._set_up_video(codec)
            self._set_up_rest()
            with priority.kept():
                self._container.start_encoding()
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: Frame) -> None:
        """Encode a frame."""
        context = self._video.codec_context
        picture = self._converter.from_rgb(frame.rgb, context.pix_fmt)
        picture.pts, picture.time_base = frame.pts, context.time_base
        picture.color_trc, picture.color_primaries = context.color_trc, context.color_primaries
        picture.colorspace, picture.color_range = context.colorspace, context.color_range
        if self._start is None:
            self._start = frame.pts
        self._durations[picture.pts] = frame.duration
        self._end = frame.pts + frame.duration
        self._mux(self._video.encode(picture))

    def write_packet(self, packet: Packet) -> None:
        """Mux a copied packet as it is, its dts above the one before; ones that FFmpeg refuses are left out."""
        copy = self._copied.get(packet.stream)
        if copy is None:
            return
        if copy.converter is not None:
            converted = copy.converter.convert(packet)
            if converted is None:
                return
            packet = converted
        doubtful = copy.last is None or (copy.info.codec.startswith("pcm_") and len(packet.data) < _PCM_SAMPLES)
        if doubtful and (why := formats.refusal(self._format, copy.info, packet)):
            copy.refuse(why)
            return
        out = copied.to_av(packet, copy.info, copy.stream)
        if out.dts is None:
            out.dts = out.pts
        if out.dts is not None:
            out.dts = out.dts if copy.last is None else max(out.dts, copy.last + self._least_step)
            if out.pts is not None:
                out.pts = max(out.pts, out.dts)
        last = out.dts if out.dts is not None else copy.last
        try:
            self._container.mux(out)
            copy.last = last
            self._copies += 1
        except _REFUSALS as error:
            copy.refuse(f"{self._format} cannot hold them ({error.strerror})")

    def close(self) -> None:
        """Write what the encoder still holds, and the file's end."""
        packets = self._video.encode(None)
        if self._format not in ("mp4", "mov"):
            self._mux(packets)
        else:
            self._mux(packets[:-1])
            for last in packets[-1:]:  # its duration ends the track, whichever frame is shown last
                self._durations.pop(last.pts, None)
                delay = (self._start or 0) - (last.dts if self._first_dts is None else self._first_dts)
                last.dts = max(last.dts, last.pts - delay)
                last.duration = max(1, self._end - delay - last.dts)
                with self._late_refusals():
                    self._container.mux(last)
        with self._late_refusals():
            self._container.close()
        if self._late:
            self.notes.append(f"{self._late} packets of copied streams are not kept: {self._format} cannot hold them")
        for number, copy in self._copied.items():
            if copy.refused and copy.last is None:
                self._leave_out(number, copy.info, copy.why)
            elif copy.refused:
                self.notes.append(f"{copy.refused} packets of {_name(number, copy.info)} are not kept: {copy.why}")

    def abort(self) -> None:
        """Close the file as it is."""
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError, ValueError):
            return  # the failure that led here is the one to report

    def _set_up_video(self, codec: str) -> None:
        info, stream, context = self._info, self._video, self._video.codec_context
        context.width, context.height = info.width, info.height
        context.pix_fmt = formats.pixel_format(codec, info.width, info.height)
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        if (tag := formats.codec_tag(self._format, codec)) is not None:
            context.codec_tag = tag
        was_rgb = info.color_matrix == colour.RGB
        color_range = ColorRange.LIMITED if was_rgb else info.color_range
        if "yuvj" in context.pix_fmt:
            color_range = ColorRange.FULL
        self._converter = colour.Converter(info.color_matrix, color_range, info.height)
        context.color_range = int(color_range)
        context.color_primaries, context.color_trc = info.color_primaries, info.color_transfer
        context.colorspace = self._converter.matrix if was_rgb else info.color_matrix
        if info.display_matrix:
            stream.set_display_matrix(info.display_matrix)
        self.notes += onto_output(info.track, stream)

    def _set_up_rest(self) -> None:
        attachments = sum(info.kind == StreamKind.ATTACHMENT for info in self._info.streams)
        if attachments and self._format != "mkv":
            self.notes.append(f"{formats.attached(attachments)} not kept: {self._format} has no attachments; mkv has")
        for number, info in enumerate(self._info.streams):
            if info.kind == StreamKind.ATTACHMENT:
                if self._format == "mkv":
                    copied.add(self._container, info)
                continue
            why, converter = formats.refusal(self._format, info), None
            if why is not None and (text := formats.text_codec(self._format, info)) is not None:
                converter = TextConverter(info, text)
                info = converter.info
                why = formats.refusal(self._format, info)
            if why is not None:
                self._leave_out(number, info, why)
                continue
            self._copied[number] = _Copied(info, copied.add(self._container, info), converter)
        self._container.metadata.update(self._info.metadata)
        if self._info.chapters:
            self._container.set_chapters(
                [
                    {"id": i, "start": c.start, "end": c.end, "time_base": c.time_base, "metadata": dict(c.metadata)}
                    for i, c in enumerate(self._info.chapters, 1)
                ]
            )

    def _leave_out(self, number: int, info: StreamInfo, why: str) -> None:
        others = " and ".join(name for name in formats.holders(info) if name != self._format)
        advice = f"; {others} can" if others else ""
        self.notes.append(f"{_name(number, info)} is not kept: {why}{advice}")

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            if self._first_dts is None:
                self._first_dts = packet.dts
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            with self._late_refusals():
                self._container.mux(packet)

    @contextmanager
    def _late_refusals(self) -> Iterator[None]:
        """Take the error of a copied packet that FFmpeg held back until now; there are no more of them than packets."""
        try:
            yield
        except _REFUSALS:
            if self._late >= self._copies:
                raise
            self._late += 1


def _name(number: int, info: StreamInfo) -> str:
    return f"{info.kind.name.lower()} stream {number} ({info.codec})"


def _movie_scale(info: VideoInfo) -> int:
    """What makes MP4 keep late starts exactly, else rounded to 1 ms."""
    scale = math.lcm(info.time_base.denominator, *(stream.sample_rate or 1 for stream in info.streams))
    return scale if scale < MAX_SCALE else min(info.time_base.denominator, MAX_SCALE)
