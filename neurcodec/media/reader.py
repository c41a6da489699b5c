"""Reading video: RGB frames with repaired timestamps, and the packets of the streams that are copied."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import av.error
from av.format import Flags

from neurcodec.container.values import ColorRange, Packet
from neurcodec.errors import InputError
from neurcodec.media import colour, copied, streams
from neurcodec.media.decoding import Decoder
from neurcodec.media.deinterlacing import Deinterlacer
from neurcodec.media.timing import Clock, Cut, Timeline, frame_rate, nominal_step, origin
from neurcodec.media.track import of_source
from neurcodec.media.types import Chapter, Frame, Reading, VideoInfo

_AHEAD = 8  # pictures that are looked at for the frame rate
_WAITING = 16  # pictures that may wait for one with a right time
_HELD_PIXELS = 1 << 25  # of all of these


class VideoReader:
    """A video stream of a file, the default one or the largest, read once from start to end, in bounded memory.

    Iteration gives every `Frame` in display order. `items()` gives the `Packet`s of the copied streams as well, about
    in the order of the file. `info` is known at once (the first frames are decoded for it); `warnings()` says what was
    repaired, dropped or skipped so far. Any file that FFmpeg reads will do, a still picture too.
    """

    def __init__(self, source: str | Path | BinaryIO, reading: Reading | None = None) -> None:
        """Open a path or a binary file object; raise InputError where there is no video to read."""
        self._reading = reading or Reading()
        self.name = str(getattr(source, "name", "input")) if hasattr(source, "read") else str(source)
        self._captions = False
        self._container = streams.opened(source, self.name)
        try:
            self._video = streams.choose_video(self._container, self.name, self._reading.video_stream)
            self._copied, self._notes = streams.choose_copied(self._container, self._video)
            self._numbers = {index: number for number, index in enumerate(self._copied)}
            self._clock = self._set_clock()
            self._decoder = Decoder(self._video, by_order=self._container.format.name == "avi")
            self._deinterlacer = Deinterlacer(self._reading.deinterlace, self._video.time_base)
            self._cut = Cut()
            self._events = self._read()
            self._first, pictures = self._look_ahead()
            self.info = self._describe(pictures)
            self._cut = self._set_cut(pictures[0])
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
        lines = [*self._notes, *self._interlaced(), *self._clock.warnings(), *self._timeline.warnings()]
        if self._captions:
            lines.append("captions inside the video stream are not kept")
        if self._decoder.damaged:
            lines.append(f"{self._decoder.damaged} damaged video packets or frames were skipped or concealed")
        return lines

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; packets of copied streams are passed over."""
        for item in self.items():
            if isinstance(item, Frame):
                yield item

    def items(self) -> Iterator[Frame | Packet]:
        """Yield frames and packets as they come in the file; frames may wait for those that tell their times."""
        held: Frame | None = None
        count, start = 0, 0
        for item in self._placed():
            if isinstance(item, Packet):
                base = self.info.streams[item.stream].time_base
                yield from self._cut.packet(item, base)
                continue
            if held is None:
                start = item.pts
            else:
                yield Frame(held.rgb, held.pts, item.pts - held.pts)
            held = item
            count += 1
        if held is None:
            end = "the end" if self._reading.end is None else f"{float(self._reading.end):g}"
            raise InputError(f"{self.name}: there is no picture from second {float(self._reading.start):g} to {end}")
        yield Frame(held.rgb, held.pts, self._last_duration(held, start, count))

    def _placed(self) -> Iterator[Frame | Packet]:
        for event in self._all():
            if isinstance(event, Packet):
                yield event
                continue
            if event.pts is not None and self._cut.over(event.pts):
                return
            for picture, pts in self._timeline.place(event, event.pts, event.duration or 0):
                if (time := self._cut.picture(pts)) is not None:
                    yield self._convert(picture, time)
        for picture, pts in self._timeline.rest():
            if (time := self._cut.picture(pts)) is not None:
                yield self._convert(picture, time)

    def _all(self) -> Iterator[Any]:
        while self._first:
            yield self._first.popleft()
        yield from self._events

    def _set_clock(self) -> Clock:
        tracks = [self._video, *(self._container.streams[index] for index in self._copied)]
        starts = {
            track.index: None if track.start_time is None else Fraction(track.start_time * track.time_base)
            for track in tracks
            if track.type in ("video", "audio")
        }
        jumping = bool(self._container.format.flags & Flags.ts_discont.value)
        clock = Clock(origin(starts.pop(self._video.index), starts.values()), jumping)
        for track in tracks:
            clock.add(track.index, track.time_base, track.type)
        return clock

    def _partial(self) -> bool:
        return bool(self._reading.start) or self._reading.end is not None

    def _set_cut(self, first: av.VideoFrame) -> Cut:
        if not self._partial():
            return Cut()
        base, origin = self._video.time_base, first.pts or 0
        end = None if self._reading.end is None else origin + ceil(self._reading.end / base)
        return Cut(base, origin + ceil(self._reading.start / base), end)

    def _demux(self) -> Iterator[Any]:
        try:
            yield from self._container.demux()
        except (av.error.FFmpegError, OSError) as error:
            self._notes.append(f"reading stopped early ({streams.reason(error)})")
            yield None

    def _read(self) -> Generator[Any]:
        """Yield decoded pictures (av.VideoFrame) and copied packets in file order, on the clock."""
        end = Fraction(0)  # of what was read, in seconds
        for packet in self._demux():
            if packet is not None and packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet is None or packet.stream is self._video:
                if packet is not None:
                    times = packet.pts, packet.dts, packet.duration or 0
                    packet.pts, packet.dts = self._clock.move(self._video.index, *times)
                start = self._cut.start
                decoded = self._decoder.skip(packet, start) if start is not None else self._decoder.decode(packet)
                yield from self._whole(decoded)
            elif packet.size and packet.stream.index in self._copied:
                yield from self._clock.copied(packet.stream.index, self._copy(packet))
        yield from self._deinterlacer.rest()
        if not self._partial():
            self._check_end(end)

    def _whole(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        for picture in pictures:
            self._captions |= "A53_CC" in streams.side_data(picture)
            yield from self._deinterlacer.push(picture)

    def _interlaced(self) -> Iterator[str]:
        if self._deinterlacer.interlaced:
            kept = "and coded as it is; --deinterlace auto makes whole pictures of it"
            mended = "; whole pictures are made of it (--deinterlace off keeps it as it is)"
            yield f"the video is interlaced{mended if self._deinterlacer.mending else ' ' + kept}"

    def _copy(self, packet: Any) -> Packet:
        times = packet.pts, packet.dts, max(0, packet.duration or 0)
        number = self._numbers[packet.stream.index]
        return Packet(number, bytes(packet), *times, packet.is_keyframe, packet.is_discard)

    def _check_end(self, end: Fraction) -> None:
        form, packets = self._container.format.name, self._decoder.packets
        if "mp4" in form and packets < self._video.frames:
            self._notes.append(f"the file ends early: {packets} of {self._video.frames} pictures are there")
        told = Fraction(self._container.duration or 0, av.time_base)
        if "matroska" in form and told - end > max(Fraction(1, 4), told / 50):
            self._notes.append(f"the file ends early: {float(end):.2f} of {float(told):.2f} seconds are there")

    def _look_ahead(self) -> tuple[deque[Any], list[av.VideoFrame]]:
        """Read the first pictures, and what comes between them."""
        events: deque[Any] = deque()
        pictures: list[av.VideoFrame] = []
        for event in self._events:
            events.append(event)
            if isinstance(event, av.VideoFrame):
                pictures.append(event)
                if len(pictures) >= _AHEAD or len(pictures) * event.width * event.height >= _HELD_PIXELS:
                    break
        if not pictures:
            raise InputError(f"{self.name}: no frame of its video stream can be decoded; nothing to encode")
        return events, pictures

    def _describe(self, pictures: list[av.VideoFrame]) -> VideoInfo:
        stream, first = self._video, pictures[0]
        pixel_format = first.format.name
        color_range = ColorRange.FULL if "yuvj" in pixel_format else ColorRange(first.color_range)
        matrix = colour.RGB if first.format.is_rgb else int(first.colorspace)
        rate = _rate(stream, pictures)
        self._converter = colour.Converter(matrix, color_range, first.height)
        room = max(1, min(_WAITING, _HELD_PIXELS // (first.width * first.height)))
        self._timeline = Timeline[av.VideoFrame](nominal_step(stream.time_base, rate), room)
        depth = max(component.bits for component in first.format.components)
        self._note_picture(first, depth, matrix)
        metadata, lost = streams.short(copied.user_metadata(self._container.metadata))
        track, too_long = of_source(stream, first, self._deinterlacer.interlaced > 0 and self._deinterlacer.mending)
        self._notes += [*([lost] if lost else []), *too_long]
        return VideoInfo(
            width=first.width,
            height=first.height,
            time_base=stream.time_base,
            frame_rate=rate,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(0),
            display_matrix=streams.display_matrix(first),
            color_primaries=int(first.color_primaries),
            color_transfer=int(first.color_trc),
            color_matrix=matrix,
            color_range=color_range,
            bit_depth=depth,
            pixel_format=pixel_format,
            codec=stream.codec.canonical_name,
            duration=None if self._partial() else self._duration(),
            frames=None if self._partial() else stream.frames or None,
            metadata=metadata,
            streams=tuple(self._copied.values()),
            chapters=() if self._partial() else tuple(map(self._chapter, self._container.chapters())),
            track=track,
        )

    def _note_picture(self, first: av.VideoFrame, depth: int, matrix: int) -> None:
        """Note what of the picture is not kept, or assumed."""
        self._notes += streams.lost_of_pictures(self._video, first)
        if depth > 8:
            self._notes.append(f"the source has {depth} bits per sample; it is coded at 8")
        if matrix == colour.UNSPECIFIED:
            assumed = {colour.BT709: "BT.709", colour.BT601: "BT.601"}[self._converter.matrix]
            self._notes.append(f"the colour matrix is not tagged; {assumed} is assumed from the height")

    def _chapter(self, chapter: Any) -> Chapter:
        start, end = (self._clock.shown(chapter[name], chapter["time_base"]) for name in ("start", "end"))
        return Chapter(start, end, chapter["time_base"], streams.short(chapter["metadata"])[0])

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

    def _convert(self, picture: av.VideoFrame, pts: int) -> Frame:
        if (picture.width, picture.height) != (self.info.width, self.info.height):
            raise InputError(
                f"{self.name}: the picture changes from {self.info.width}x{self.info.height} to "
                f"{picture.width}x{picture.height} in mid-stream; split or scale the video first"
            )
        return Frame(self._converter.to_rgb(picture), pts, self._timeline.step)


def _rate(stream: Any, pictures: list[av.VideoFrame]) -> Fraction:
    """The frame rate that the stream states and its first pictures bear out."""
    times = [picture.pts for picture in pictures if picture.pts is not None]
    gaps = [two - one for one, two in pairwise(times) if two > one]
    if len(times) < len(pictures) or not gaps:
        gaps = [picture.duration for picture in pictures if picture.duration]
    stated = (stream.guessed_rate, stream.average_rate)
    return frame_rate([rate or Fraction(0) for rate in stated], gaps, stream.time_base)
