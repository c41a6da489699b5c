"""Writing video: frames at exact times into a container, with the copied streams' packets, or into numbered PNGs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import av
import av.error
from av.codec.codec import UnknownCodecError

from neurcodec.container.values import Packet
from neurcodec.errors import OutputError
from neurcodec.media.formats import FORMATS
from neurcodec.media.muxer import Muxer
from neurcodec.media.types import Frame, VideoInfo
from neurcodec.media.untagged import Y4M, Pictures, Turn, turn

_UNTAGGED: Mapping[str, Any] = {"y4m": Y4M, "png": Pictures}


class VideoWriter:
    """One video file in the making.

    Frames are given in display order, packets roughly in time with them; the muxer interleaves them. Frames are
    coded as 8-bit yuv420p; an odd size as yuv444p where the encoder cannot do it in 4:2:0 (H.264 and H.265 cannot).
    y4m files and PNG pictures carry no timestamps, streams and most tags: their frames follow each other at the average
    rate, and are turned as they are to be shown.
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        info: VideoInfo,
        codec: str | None = None,
        options: Mapping[str, str] | None = None,
        format: str | None = None,
    ) -> None:
        """Start writing what `info` describes, its copied streams included.

        `format` is mp4, mov, mkv, webm, y4m or png (None: from the target's suffix). `codec` is an FFmpeg encoder and
        `options` are its options; None takes a good one for the format. For png the target is a pattern such as
        "frame_%05d.png". Raises OutputError when the target cannot be written or the encoder refuses.
        """
        self.name = str(getattr(target, "name", "output")) if hasattr(target, "write") else str(target)
        self._format = format or Path(self.name).suffix[1:].lower()
        self._info = info
        self._frames = 0
        self._last: Frame | None = None
        self._irregular = False
        self._sink: Muxer | Y4M | Pictures | None = None
        self._turn: Turn | None = None
        if self._format in _UNTAGGED:
            self._turn, upright, self._notes = turn(info)
            for number, stream in enumerate(info.streams):
                what = f"{stream.kind.name.lower()} stream {number} ({stream.codec})"
                self._notes.append(f"{what} is not kept: {self._format} has no such streams")
            with self._reported():
                self._sink = _UNTAGGED[self._format](target, upright)
        elif self._format in FORMATS:
            with self._reported():
                self._sink = Muxer(target, info, codec, options, self._format)
                self._notes = self._sink.notes
        else:
            names = ", ".join([*FORMATS, *_UNTAGGED])
            raise OutputError(f"{self.name}: unknown output format; use one of {names}")

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def warnings(self) -> list[str]:
        """Return one line for each thing that the output format could not keep."""
        if self._irregular and self._format in _UNTAGGED:
            return [*self._notes, f"{self._format} has no timestamps; the variable frame rate is lost"]
        return list(self._notes)

    def write(self, frame: Frame) -> None:
        """Add a frame; its pts (in `info.time_base`) must be above its predecessor's, its size as in `info`."""
        if frame.rgb.shape != (self._info.height, self._info.width, 3):
            raise ValueError(f"frame {self._frames} has shape {frame.rgb.shape}, not as announced")
        if self._last is not None:
            if frame.pts <= self._last.pts:
                raise ValueError(f"frame {self._frames} has pts {frame.pts}, not above {self._last.pts}")
            self._irregular |= frame.duration != self._last.duration
        self._last = Frame(frame.rgb[:0], frame.pts, frame.duration)
        self._frames += 1
        with self._reported() as sink:
            sink.write(frame if self._turn is None else replace(frame, rgb=self._turn(frame.rgb)))

    def write_packet(self, packet: Packet) -> None:
        """Add a packet of a copied stream; it is passed over when the format cannot hold that stream."""
        with self._reported() as sink:
            if isinstance(sink, Muxer):
                sink.write_packet(packet)

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        if self._sink is not None:
            with self._reported() as sink:
                sink.close()
            self._sink = None

    def abort(self) -> None:
        """Close the file without finishing it; what was written is of no use. After `close` it does nothing."""
        if self._sink is not None:
            self._sink.abort()
            self._sink = None

    @contextmanager
    def _reported(self) -> Iterator[Any]:
        """Turn errors of FFmpeg and of the system into one OutputError, and close the file."""
        try:
            yield self._sink
        except UnknownCodecError as error:
            raise OutputError(f"{self.name}: FFmpeg has no encoder named {error}") from None
        except (av.error.FFmpegError, OSError, ValueError, OverflowError) as error:
            self.abort()
            reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
            raise OutputError(f"{self.name}: cannot be written ({reason})") from None
