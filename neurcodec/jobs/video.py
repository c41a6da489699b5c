"""An .nvc file as an iterator of frames that can seek."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from neurcodec.errors import ArgumentError
from neurcodec.files import pipes
from neurcodec.files.frame_range import FrameRange, count
from neurcodec.jobs.decode import loading_of, video_info
from neurcodec.jobs.inspection import open_source
from neurcodec.jobs.options import DecodeOptions
from neurcodec.jobs.playback import Here, Playback

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.container import Reader
    from neurcodec.media import VideoInfo


class VideoFrame(NamedTuple):
    """A picture uint8 (height, width, 3) RGB; `time` and `duration` in seconds, the video's first frame at 0."""

    rgb: npt.NDArray[np.uint8]
    time: Fraction
    duration: Fraction


class Video:
    """An .nvc file as a sequence of frames: iterate it, as often as you like, or take `video[17]`. A context manager.

    Every iteration reads a file that has a path by itself, so that several, in several threads too, do not disturb each
    other; of an open file, one at a time goes on. Of DecodeOptions, diffusion, salvage, limits, model, device, compile
    and threads count. Raises the errors of neurcodec.errors.
    """

    def __init__(self, source: pipes.Place, options: DecodeOptions) -> None:
        self._source, self._options, self._stack = source, options, ExitStack()
        try:
            self._reader = self._stack.enter_context(open_source(source, options.salvage, options.limits))
            self._decoder = Here(loading_of(self._reader.header.profile, self._reader.model, options))
        except BaseException:
            self._stack.close()
            raise
        self._base = self._reader.header.time_base
        self._origin = self._reader.index[0].first_pts if self._reader.index else 0
        self._start = FrameRange()
        self._closed = False

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Generator[VideoFrame]:
        return self._decode(self._start)

    def __len__(self) -> int:
        return count(self._reader, None) or 0

    def __getitem__(self, place: int) -> VideoFrame:
        """The frame of this number, from the end if it is negative; its chunk is decoded up to it."""
        first = place + len(self) if place < 0 else place
        if not 0 <= first < len(self):
            raise IndexError(f"no frame {place} in a video of {len(self)}")
        with closing(self._decode(FrameRange(Fraction(first), Fraction(first + 1)))) as frames:
            return next(frames)

    @property
    def info(self) -> VideoInfo:
        """Size, rate, length, colour tags, metadata and copied streams."""
        return replace(video_info(self._reader), duration=self.duration or None, frames=len(self) or None)

    @property
    def duration(self) -> Fraction:
        """Seconds from the first frame to the end of the last; 0 where that is not known."""
        if not self._reader.seekable or not self._reader.index:
            return Fraction(0)
        with self._reading() as reader:
            reader.seek_frame(reader.index[-1].first_frame)
            last = next(reader.gops())
        return (last.pts[-1] + last.last_duration - self._origin) * self._base

    def seek(self, frame: int | None = None, *, time: Fraction | float | None = None) -> None:
        """Have iterations start with the frame of this number, or with the first one at or after `time` seconds."""
        if (frame is None) == (time is None):
            raise ArgumentError("give either a frame number or a time")
        first = Fraction(frame) if frame is not None else Fraction(time or 0)
        if first < 0:
            raise ArgumentError(f"cannot seek to {float(first):g}, before the start")
        self._start = FrameRange(first, seconds=frame is None)

    def close(self) -> None:
        """Close the file; what goes on after that is an ArgumentError."""
        self._closed = True
        self._stack.close()

    def _decode(self, frame_range: FrameRange) -> Generator[VideoFrame]:
        with self._reading() as reader:
            playback = Playback(reader, self._decoder, frame_range, self._options.salvage, seekable=True)
            with closing(playback.frames()) as frames:
                for frame in frames:
                    time = (frame.pts - self._origin) * self._base
                    yield VideoFrame(frame.rgb, time, frame.duration * self._base)
                    self._check_open()

    @contextmanager
    def _reading(self) -> Iterator[Reader]:
        """A reader of one's own, or of an open file the one that there is; errors name the file."""
        self._check_open()
        if isinstance(self._source, Path) and not pipes.is_pipe(self._source):
            with open_source(self._source, self._options.salvage, self._options.limits) as reader:
                yield reader
        else:
            with pipes.naming(self._source):
                yield self._reader

    def _check_open(self) -> None:
        if self._closed:
            raise ArgumentError(f"{pipes.name(self._source)}: the video is closed")
