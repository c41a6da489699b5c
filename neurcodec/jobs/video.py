"""An .nvc file as an iterator of frames that can seek."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from neurcodec.files import pipes
from neurcodec.files.span import Span, count
from neurcodec.jobs.decode import loading_of, video_info
from neurcodec.jobs.inspection import open_source
from neurcodec.jobs.options import DecodeOptions
from neurcodec.jobs.playback import Here, Playback

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.media import VideoInfo


class VideoFrame(NamedTuple):
    """A picture uint8 (height, width, 3) RGB; `time` and `duration` in seconds, the video's first frame at 0."""

    rgb: npt.NDArray[np.uint8]
    time: Fraction
    duration: Fraction


class Video:
    """An .nvc file: iterate it for its frames, `seek` to go on elsewhere. A context manager.

    Raises the errors of neurcodec.errors.

    Of DecodeOptions, diffusion, salvage, limits, model, device, compile and threads count.
    """

    def __init__(self, path: Path, options: DecodeOptions) -> None:
        self._path, self._salvage, self._stack = path, options.salvage, ExitStack()
        try:
            self._reader = self._stack.enter_context(open_source(path, options.salvage, options.limits))
            loading = loading_of(self._reader.header.profile, self._reader.model, options)
            self._decoder = Here(loading)
        except BaseException:
            self._stack.close()
            raise
        self._origin = self._reader.index[0].first_pts if self._reader.index else 0
        self._frames = self._decode(Span())

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        return self

    def __next__(self) -> VideoFrame:
        return next(self._frames)

    def __len__(self) -> int:
        return count(self._reader, None) or 0

    @property
    def info(self) -> VideoInfo:
        """Size, rate, colour tags, metadata and copied streams."""
        return video_info(self._reader)

    def seek(self, frame: int | None = None, *, time: Fraction | float | None = None) -> None:
        """Go on with the frame of this number, or with the first one at or after `time` seconds; give one of them."""
        if (frame is None) == (time is None):
            raise ValueError("give either a frame number or a time")
        first = Fraction(frame) if frame is not None else Fraction(time or 0)
        if first < 0:
            raise ValueError(f"cannot seek to {float(first):g}, before the start")
        self._frames.close()
        self._frames = self._decode(Span(first, seconds=frame is None))

    def close(self) -> None:
        """Close the file."""
        self._frames.close()
        self._stack.close()

    def _decode(self, span: Span) -> Generator[VideoFrame]:
        base = self._reader.header.time_base
        playback = Playback(self._reader, self._decoder, span, self._salvage, seekable=True)
        with pipes.naming(self._path), closing(playback.frames()) as frames:
            for frame in frames:
                yield VideoFrame(frame.rgb, (frame.pts - self._origin) * base, frame.duration * base)
