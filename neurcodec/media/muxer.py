"""A container in the making: one encoded video stream, and the copied streams' packets beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error

from neurcodec.container.values import ColorRange, Packet, StreamInfo
from neurcodec.media import colour, copied, priority
from neurcodec.media.types import Frame, VideoInfo

FORMATS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "y4m": "yuv4mpegpipe"}
X264 = ("libx264", {"crf": "12"})
DEFAULT_CODEC: Mapping[str, tuple[str, dict[str, str]]] = {
    "webm": ("libsvtav1", {"crf": "25", "preset": "8"}),
    "y4m": ("wrapped_avframe", {}),
}
ODD_420 = {"libsvtav1", "libvpx-vp9", "libaom-av1", "wrapped_avframe"}  # encoders that take odd sizes as yuv420p
REFUSED = {"mov": ("opus", "flac")}
"""Codecs that FFmpeg lists for a format, and then does not write."""
MP4_KEYS = {
    "title", "artist", "album_artist", "album", "author", "comment", "composer", "copyright", "creation_time", "date",
    "description", "encoding_tool", "episode_id", "genre", "grouping", "keywords", "lyrics", "network", "show",
    "synopsis", "track", "year",
}  # fmt: skip
FALLBACK_RATE = Fraction(25)
MAX_SCALE = 100_000_000


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
        self._timeless = format == "y4m"  # no timestamps, no colour tags
        self._frames = 0
        self._durations: dict[int, int] = {}
        self._start = self._end = 0  # of what is shown, in the video's time base
        self._first_dts: Any = None
        self._copied: dict[int, tuple[StreamInfo, Any]] = {}
        self._last_dts: dict[int, int] = {}
        default, settings = DEFAULT_CODEC.get(format, X264)
        if codec is None or self._timeless:
            codec, options = default, settings if options is None else options
        muxing = {"avoid_negative_ts": "disabled"}  # else a first audio packet below 0 shifts every picture
        if format in ("mp4", "mov"):
            muxing |= _mp4_options(info)
        file = str(target.absolute()) if isinstance(target, Path) else target
        if av.Codec(codec, "w").type != "video":
            raise ValueError(f"{codec} is no video encoder")
        self._container = av.open(file, "w", format=FORMATS[format], container_options=muxing)
        try:
            self._video: Any = self._container.add_stream(
                codec, rate=info.frame_rate or FALLBACK_RATE, options=dict(options or {})
            )
            self._set_up_video(codec)
            self._set_up_rest(format)
            with priority.kept():
                self._container.start_encoding()
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: Frame) -> None:
        """Encode a frame."""
        context = self._video.codec_context
        picture = self._converter.from_rgb(frame.rgb, context.pix_fmt)
        picture.pts = self._frames if self._timeless else frame.pts
        picture.time_base = context.time_base
        picture.color_trc, picture.color_primaries = context.color_trc, context.color_primaries
        picture.colorspace, picture.color_range = context.colorspace, context.color_range
        duration = 1 if self._timeless else frame.duration
        self._durations[picture.pts] = duration
        self._start = picture.pts if self._frames == 0 else self._start
        self._end = picture.pts + duration
        self._frames += 1
        self._mux(self._video.encode(picture))

    def write_packet(self, packet: Packet) -> None:
        """Mux a copied packet as it is; only a dts that runs backward is raised to its predecessor's."""
        if packet.stream not in self._copied:
            return
        info, stream = self._copied[packet.stream]
        out = copied.to_av(packet, info, stream)
        if out.dts is None:
            out.dts = out.pts
        if out.dts is not None:
            out.dts = max(out.dts, self._last_dts.get(packet.stream, out.dts))
            self._last_dts[packet.stream] = out.dts
            if out.pts is not None:
                out.pts = max(out.pts, out.dts)
        self._container.mux(out)

    def close(self) -> None:
        """Write what the encoder still holds, and the file's end."""
        packets = self._video.encode(None)
        self._mux(packets[:-1])
        for last in packets[-1:]:  # decoded last, it is shown in its place: its time ends the track in MP4
            self._note_start(last)
            last.dts = last.pts
            last.duration = max(1, self._end - last.pts)
            self._container.mux(last)
        self._container.close()

    def abort(self) -> None:
        """Close the file as it is."""
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError, ValueError):
            return  # the failure that led here is the one to report

    def _set_up_video(self, codec: str) -> None:
        info, stream, context = self._info, self._video, self._video.codec_context
        even = info.width % 2 == 0 and info.height % 2 == 0
        context.width, context.height = info.width, info.height
        context.pix_fmt = "yuv420p" if even or codec in ODD_420 else "yuv444p"
        time_base = 1 / (info.frame_rate or FALLBACK_RATE) if self._timeless else info.time_base
        context.time_base = stream.time_base = time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        matrix = colour.UNSPECIFIED if self._timeless else info.color_matrix
        was_rgb = info.color_matrix == colour.RGB
        color_range = ColorRange.LIMITED if was_rgb else info.color_range
        self._converter = colour.Converter(matrix, color_range, info.height)
        context.color_range = int(color_range)
        context.color_primaries, context.color_trc = info.color_primaries, info.color_transfer
        context.colorspace = self._converter.matrix if matrix == colour.RGB else matrix
        if info.display_matrix:
            stream.set_display_matrix(info.display_matrix)

    def _set_up_rest(self, format: str) -> None:
        for number, stream in enumerate(self._info.streams):
            if copied.supports(self._container, stream) and stream.codec not in REFUSED.get(format, ()):
                self._copied[number] = (stream, copied.add(self._container, stream))
            else:
                what = f"{stream.kind.name.lower()} stream {number} ({stream.codec})"
                self.notes.append(f"{what} is not kept: {format} cannot hold it; mkv can hold most")
        self._container.metadata.update(self._info.metadata)
        if self._info.chapters and not self._timeless:
            self._container.set_chapters(
                [
                    {"id": i, "start": c.start, "end": c.end, "time_base": c.time_base, "metadata": dict(c.metadata)}
                    for i, c in enumerate(self._info.chapters, 1)
                ]
            )

    def _note_start(self, packet: Any) -> None:
        if self._first_dts is None:
            self._first_dts = packet.dts

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            self._note_start(packet)
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)


def _mp4_options(info: VideoInfo) -> dict[str, str]:
    """Return what makes MP4 keep late starts exactly (else rounded to 1 ms) and tags that it has no place for."""
    scale = math.lcm(info.time_base.denominator, *(stream.sample_rate or 1 for stream in info.streams))
    options = {"movie_timescale": str(scale if scale < MAX_SCALE else min(info.time_base.denominator, MAX_SCALE))}
    if not all(key.lower() in MP4_KEYS for key in info.metadata):
        options["movflags"] = "use_metadata_tags"
    return options
