"""Test clips: the RGB frames that every codec gets, their hash, and lossless files of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from neurcodec.errors import InputError
from neurcodec.media.reader import VideoReader

Frames = NDArray[np.uint8]
"""RGB pictures, uint8 (T, H, W, 3), or one of them (H, W, 3)."""


@dataclass(frozen=True)
class Clip:
    """The frames that are measured: `frames` uint8 RGB (T, H, W, 3), at `rate` frames per second."""

    name: str
    frames: Frames
    rate: Fraction

    @cached_property
    def hash(self) -> str:
        """SHA-256 of size, rate and pixels, hexadecimal."""
        digest = hashlib.sha256(f"{self.frames.shape} {self.rate}".encode())
        digest.update(self.frames.tobytes())
        return digest.hexdigest()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.frames.shape[2], self.frames.shape[1]

    @property
    def pixels(self) -> int:
        """Pixels of all frames together."""
        return self.frames.size // 3

    @cached_property
    def showcase(self) -> int:
        """The frame that pictures show: the one whose change from the frame before it is the median of the clip."""
        small = self.frames[:, ::4, ::4].astype(np.int16)
        if len(small) < 2:
            return 0
        change = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2, 3))
        order = np.argsort(change, kind="stable")
        return int(order[len(order) // 2]) + 1


def bits_per_pixel(size: int, clip: Clip) -> float:
    """Rate of `size` bytes for this clip."""
    return size * 8 / clip.pixels


def iterate(path: Path, limit: int | None = None) -> Iterator[Frames]:
    """The first `limit` frames of a video file as uint8 RGB (H, W, 3); InputError when it cannot be read."""
    with VideoReader(path) as reader:
        for frame in islice(reader, limit):
            yield frame.rgb


def frame_rate(path: Path) -> Fraction:
    """Average frames per second of the video (25 when the file does not say)."""
    with VideoReader(path) as reader:
        return reader.info.frame_rate or Fraction(25)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of the video."""
    with VideoReader(path) as reader:
        return reader.info.width, reader.info.height


def load(path: Path, limit: int | None = None) -> Clip:
    """A clip of the first `limit` frames; InputError when there is none or their size changes."""
    frames = list(iterate(path, limit))
    if not frames:
        raise InputError(f"{path}: holds no frame")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise InputError(f"{path}: the picture size changes inside the clip; cut it first")
    return Clip(path.stem, np.stack(frames), frame_rate(path))


def write_lossless(path: Path, frames: Iterable[Frames], rate: Fraction) -> None:
    """Write RGB frames without loss (FFV1, exact time base); use the suffix `.nut`."""
    with av.open(str(path), "w") as container:
        stream: VideoStream | None = None
        for index, pixels in enumerate(frames):
            if stream is None:
                stream = container.add_stream("ffv1", rate=rate)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "bgr0"
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
