"""Reading video: RGB frames with repaired timestamps, and the packets of the streams that are copied."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import av.error

from neurcodec.container.values import ColorRange, Packet, StreamInfo
from neurcodec.errors import InputError, LimitError
from neurcodec.media import colour, copied
from neurcodec.media.timing import Timeline, nominal_step
from neurcodec.media.types import Chapter, Frame, VideoInfo

ATTACHED_PICTURE = 1 << 10
GENERATE_PTS = 1  # PyAV sets this flag; the timestamps that FFmpeg then makes up for AVI are in the wrong order
MAX_PIXELS = 1 << 28  # of one picture; FFmpeg refuses larger ones before it allocates them


class VideoReader:
    """The first video stream of a file, read once from start to end, in bounded memory.

    Iteration gives every `Frame` in display order. `items()` gives the `Packet`s of the copied streams as well, in
    the order of the file. `info` is known at once (the first frame is decoded for it); `warnings()` says what was
    repaired, dropped or skipped so far. Any file that FFmpeg reads will do, a still picture too.
    """

    def __init__(self, source: str | Path | BinaryIO) -> None:
        """Open a path or a binary file object; raise InputError where there is no video to read."""
        self.name = str(getattr(source, "name", "input")) if hasattr(source, "read") else str(source)
        self._notes: list[str] = []
        self._corrupt = self._owed = self._packets = 0
        self._ended = False
        self._numbers: dict[int, int] = {}  # input stream -> copied stream
        self._container = self._open(source)
        self._container.flags &= ~GENERATE_PTS
        try:
            self._video = self._choose_video()
            self._streams = self._choose_copied()
            self._events = self._decode()
            self._pending: list[Any] = []
            self.info = self._describe(self._read_ahead())
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing, nor one while another thread waits for the next item."""
        if inspect.getgeneratorstate(self._events) == inspect.GEN_RUNNING:
            return
        self._events.close()
        self._container.close()

    def warnings(self) -> list[str]:
        """Return one line for each kind of thing that was repaired, dropped or skipped so far."""
        lines = [*self._notes, *self._timeline.warnings()]
        damaged = self._corrupt + (max(0, self._owed) if self._ended else 0)
        if damaged:
            lines.append(f"{damaged} damaged video packets or frames were skipped or concealed")
        return lines

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; packets of copied streams are passed over."""
        for item in self.items():
            if isinstance(item, Frame):
                yield item

    def items(self) -> Iterator[Frame | Packet]:
        """Yield frames and packets as they come in the file."""
        held: Frame | None = None
        count, start = 0, 0
        for event in self._all_events():
            if isinstance(event, Packet):
                yield event
                continue
            frame = self._convert(event)
            if held is None:
                start = frame.pts
            else:
                yield Frame(held.rgb, held.pts, frame.pts - held.pts)
            held = frame
            count += 1
        if held is not None:
            yield Frame(held.rgb, held.pts, self._last_duration(held, start, count))

    def _open(self, source: str | Path | BinaryIO) -> Any:
        try:
            file = str(source.absolute()) if isinstance(source, Path) else source  # else "12:30.mp4" names a protocol
            return av.open(file, "r", metadata_errors="replace", options={"max_pixels": str(MAX_PIXELS)})
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"{self.name}: cannot be read as media ({_reason(error)})") from None

    def _choose_video(self) -> Any:
        streams = [stream for stream in self._container.streams.video if not stream.disposition & ATTACHED_PICTURE]
        if not streams:
            raise InputError(f"{self.name}: holds no video stream; nothing to encode")
        if streams[0].codec_context is None:
            raise InputError(f"{self.name}: FFmpeg has no decoder for its video stream")
        for extra in self._container.streams.video:
            if extra is not streams[0]:
                picture = "cover picture" if extra.disposition & ATTACHED_PICTURE else "further video stream"
                self._notes.append(f"stream {extra.index} ({picture}) is not kept")
        context = streams[0].codec_context
        if context.width * context.height > MAX_PIXELS:
            raise LimitError(f"{self.name}: pictures of {context.width}x{context.height} are above the limit")
        context.options = {"max_pixels": str(MAX_PIXELS)}
        streams[0].thread_type = "AUTO"
        if context.name == "libdav1d":
            streams[0].thread_count = 1  # its frame threads can hang for ever on damaged packets (measured)
        return streams[0]

    def _choose_copied(self) -> tuple[StreamInfo, ...]:
        infos: list[StreamInfo] = []
        for stream in self._container.streams:
            if stream.type == "video":
                continue
            info = copied.describe(stream)
            if info is None:
                self._notes.append(f"stream {stream.index} ({stream.type}) cannot be copied and is not kept")
            else:
                self._numbers[stream.index] = len(infos)
                infos.append(info)
        return tuple(infos)

    def _demux(self) -> Iterator[Any]:
        try:
            yield from self._container.demux()
        except (av.error.FFmpegError, OSError) as error:
            self._notes.append(f"reading stopped early ({_reason(error)})")
            yield None

    def _decode(self) -> Generator[Any]:
        """Yield decoded frames (av.VideoFrame) and copied packets in file order."""
        end = Fraction(0)  # of what was read, in seconds
        for packet in self._demux():
            if packet is not None and packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet is None or packet.stream is self._video:
                self._packets += packet is not None and packet.size > 0
                yield from self._decode_packet(packet)
            elif packet.size and packet.stream.index in self._numbers:
                yield Packet(
                    self._numbers[packet.stream.index],
                    bytes(packet),
                    packet.pts,
                    packet.dts,
                    packet.duration or 0,
                    packet.is_keyframe,
                    packet.is_discard,
                )
        self._ended = True
        if "mp4" in self._container.format.name and self._packets < self._video.frames:
            self._notes.append(f"the file ends early: {self._packets} of {self._video.frames} pictures are there")
        told = Fraction(self._container.duration or 0, av.time_base)
        if "matroska" in self._container.format.name and told - end > max(Fraction(1, 4), told / 50):
            self._notes.append(f"the file ends early: {float(end):.2f} of {float(told):.2f} seconds are there")

    def _decode_packet(self, packet: Any) -> Iterator[Any]:
        try:
            frames = self._video.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self._corrupt += 1
            return
        for frame in frames:
            self._corrupt += frame.is_corrupt
            yield frame
        if self._video.codec_context.name == "hevc" and packet is not None:
            # This decoder passes over what it cannot decode without a word, but makes one picture of each packet.
            self._owed += (packet.size > 0 and not packet.is_discard) - len(frames)

    def _read_ahead(self) -> av.VideoFrame:
        for event in self._events:
            self._pending.append(event)
            if isinstance(event, av.VideoFrame):
                return event
        raise InputError(f"{self.name}: no frame of its video stream can be decoded; nothing to encode")

    def _all_events(self) -> Iterator[Any]:
        while self._pending:
            yield self._pending.pop(0)
        yield from self._events

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        stream = self._video
        pixel_format = first.format.name
        color_range = ColorRange.FULL if "yuvj" in pixel_format else ColorRange(first.color_range)
        matrix = colour.RGB if first.format.is_rgb else int(first.colorspace)
        rate = stream.average_rate or stream.guessed_rate or Fraction(0)
        self._converter = colour.Converter(matrix, color_range, first.height)
        self._timeline = Timeline(nominal_step(stream.time_base, rate))
        depth = max(component.bits for component in first.format.components)
        if any(component.is_alpha for component in first.format.components):
            self._notes.append("transparency is not kept")
        if depth > 8:
            self._notes.append(f"the source has {depth} bits per sample; it is coded at 8")
        if matrix == colour.UNSPECIFIED:
            assumed = {colour.BT709: "BT.709", colour.BT601: "BT.601"}[self._converter.matrix]
            self._notes.append(f"the colour matrix is not tagged; {assumed} is assumed from the height")
        return VideoInfo(
            width=first.width,
            height=first.height,
            time_base=stream.time_base,
            frame_rate=rate,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(0),
            display_matrix=_display_matrix(first),
            color_primaries=int(first.color_primaries),
            color_transfer=int(first.color_trc),
            color_matrix=matrix,
            color_range=color_range,
            bit_depth=depth,
            pixel_format=pixel_format,
            codec=stream.codec.canonical_name,
            duration=self._duration(),
            frames=stream.frames or None,
            metadata=copied.user_metadata(self._container.metadata),
            streams=self._streams,
            chapters=tuple(
                Chapter(chapter["start"], chapter["end"], chapter["time_base"], chapter["metadata"])
                for chapter in self._container.chapters()
            ),
        )

    def _duration(self) -> Fraction | None:
        if self._video.duration:
            return Fraction(self._video.duration * self._video.time_base)
        if self._container.duration:
            return Fraction(self._container.duration, av.time_base)
        return None

    def _last_duration(self, last: Frame, start: int, count: int) -> int:
        """Return the last frame's duration: up to the track's end where the file states it, else as its packet says."""
        if self._video.duration and self._video.frames == count:
            rest = start + int(self._video.duration) - last.pts
            return rest if rest > 0 else last.duration
        return last.duration

    def _convert(self, frame: av.VideoFrame) -> Frame:
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            raise InputError(
                f"{self.name}: the picture changes from {self.info.width}x{self.info.height} to "
                f"{frame.width}x{frame.height} in mid-stream; split or scale the video first"
            )
        duration = frame.duration or 0
        pts = self._timeline.place(frame.pts, duration)
        return Frame(self._converter.to_rgb(frame), pts, self._timeline.step)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return struct.unpack("=9i", bytes(data)[:36])
    return None


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0]
