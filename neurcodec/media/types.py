"""What the media layer hands over: the description of a video, and its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from neurcodec.container.values import ColorRange, StreamInfo


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: `rgb` uint8 (height, width, 3), `pts` and `duration` in units of the video's time base."""

    rgb: NDArray[np.uint8]
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named span of the file; `start` and `end` in units of `time_base`."""

    start: int
    end: int
    time_base: Fraction
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as it is tagged in its file.

    `width` and `height` are the stored picture's, before `sample_aspect_ratio` (0 = not stated) and `display_matrix`
    (FFmpeg's nine 32-bit integers, None = upright) are applied; neither is baked into the frames. The colour fields
    are the CICP numbers (2 = not stated), as in the container's Header; `chroma_location` 0 = not stated.
    `frame_rate` is the average, 0 = unknown; `duration` is in seconds; `frames` None = not stated by the file.
    """

    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction = Fraction(0)
    sample_aspect_ratio: Fraction = Fraction(0)
    display_matrix: tuple[int, ...] | None = None
    color_primaries: int = 2
    color_transfer: int = 2
    color_matrix: int = 2
    color_range: ColorRange = ColorRange.UNSPECIFIED
    chroma_location: int = 0
    bit_depth: int = 8
    pixel_format: str = "yuv420p"
    codec: str = ""
    duration: Fraction | None = None
    frames: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[StreamInfo, ...] = ()
    chapters: tuple[Chapter, ...] = ()
