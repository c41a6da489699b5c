"""Formats without timestamps, streams and most tags: y4m, and numbered PNG pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from neurcodec.container.values import ColorRange
from neurcodec.errors import OutputError
from neurcodec.media import colour
from neurcodec.media.timing import FALLBACK_RATE
from neurcodec.media.types import Frame, VideoInfo

Turn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

# Signs of the display matrix's a, b, c, d: where a picture's columns and rows go.
_TURNS: Mapping[tuple[int, ...], Turn] = {
    (1, 0, 0, 1): lambda rgb: rgb,
    (0, 1, -1, 0): lambda rgb: np.rot90(rgb, -1),
    (-1, 0, 0, -1): lambda rgb: np.rot90(rgb, 2),
    (0, -1, 1, 0): np.rot90,
    (-1, 0, 0, 1): lambda rgb: rgb[:, ::-1],
    (1, 0, 0, -1): lambda rgb: rgb[::-1],
    (0, 1, 1, 0): lambda rgb: rgb.transpose(1, 0, 2),
    (0, -1, -1, 0): lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2),
}


def turn(info: VideoInfo) -> tuple[Turn, VideoInfo, list[str]]:
    """Return how pictures are turned as the display matrix says, what they are then, and what cannot be done."""
    matrix = info.display_matrix or (1, 0, 0, 0, 1, 0, 0, 0, 0)
    signs = tuple((value > 0) - (value < 0) for value in (matrix[0], matrix[1], matrix[3], matrix[4]))
    upright = replace(info, display_matrix=None)
    if signs not in _TURNS:
        return _TURNS[1, 0, 0, 1], upright, ["the rotation is not by quarters of a turn and is not kept"]
    if signs[0]:
        return _TURNS[signs], upright, []
    ratio = 1 / info.sample_aspect_ratio if info.sample_aspect_ratio else Fraction(0)
    return _TURNS[signs], replace(upright, width=info.height, height=info.width, sample_aspect_ratio=ratio), []


class Y4M:
    """A y4m file, 8-bit 4:2:0. Written here, for PyAV cannot give FFmpeg's muxer the sample aspect ratio."""

    def __init__(self, target: str | Path | BinaryIO, info: VideoInfo) -> None:
        """Open the target; the system's errors pass through."""
        self._own = isinstance(target, str | Path)
        file: Any = Path(str(target)).open("wb") if self._own else target  # noqa: SIM115 - `close` closes it
        self._file = file
        color_range = ColorRange.LIMITED if info.color_matrix == colour.RGB else info.color_range
        self._converter = colour.Converter(colour.UNSPECIFIED, color_range, info.height)
        rate, ratio = info.frame_rate or FALLBACK_RATE, info.sample_aspect_ratio
        aspect = f"{ratio.numerator}:{ratio.denominator}" if ratio else "0:0"
        tagged = f" XCOLORRANGE={color_range.name}" if color_range else ""
        header = f"W{info.width} H{info.height} F{rate.numerator}:{rate.denominator} Ip A{aspect} C420jpeg"
        self._file.write(f"YUV4MPEG2 {header} XYSCSS=420JPEG{tagged}\n".encode())

    def write(self, frame: Frame) -> None:
        """Write a frame."""
        picture = self._converter.from_rgb(frame.rgb, "yuv420p")
        self._file.write(b"FRAME\n")
        for plane in picture.planes:
            rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
            self._file.write(rows[: plane.height, : plane.width].tobytes())

    def close(self) -> None:
        """Close the file, where it was opened here."""
        if self._own:
            self._file.close()

    def abort(self) -> None:
        """Close the file as it is."""
        self.close()


class Pictures:
    """Numbered PNG files, from 1."""

    def __init__(self, pattern: str, info: VideoInfo) -> None:
        """Take the pattern of the names; OutputError where it is none."""
        name = Path(pattern).name
        if len(re.findall(r"%\d*d", name)) != 1 or name.count("%") != 1:
            raise OutputError(f"{pattern}: a PNG name needs one number pattern, as in frame_%05d.png")
        self._pattern = Path(pattern)
        self._ratio = info.sample_aspect_ratio
        self._number = 0

    def write(self, frame: Frame) -> None:
        """Write a frame as the next file."""
        self._number += 1
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.rgb), format="rgb24")
        encoder: Any = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "rgb24"
        encoder.time_base = Fraction(1, 25)
        encoder.sample_aspect_ratio = self._ratio
        packets = encoder.encode(picture) + encoder.encode(None)
        path = self._pattern.with_name(self._pattern.name % self._number)
        path.write_bytes(b"".join(bytes(packet) for packet in packets))

    def close(self) -> None:
        """Every picture is already whole."""

    def abort(self) -> None:
        """The pictures written so far stay; the caller chose their names."""
