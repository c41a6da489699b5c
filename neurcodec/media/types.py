"""What the media layer hands over: the description of a video, and its frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from neurcodec.container.values import StreamInfo, VideoFormat, VideoTrack


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: `rgb` uint8 (height, width, 3), `pts` and `duration` in units of the video's time base."""

    rgb: NDArray[np.uint8]
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What of a source is read, and how.

    video_stream: its number among all streams of the file; None: the default one, else the largest. deinterlace:
    "auto" where pictures say that they are interlaced, "on" or "off". start, end: the part between these times, in
    seconds from the first picture; end None: all.
    """

    video_stream: int | None = None
    deinterlace: str = "auto"
    start: Fraction = Fraction(0)
    end: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named span of the file; `start` and `end` in units of `time_base`."""

    start: int
    end: int
    time_base: Fraction
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoInfo(VideoFormat):
    """A video as it is tagged in its file. `duration` is in seconds; `frames` None = not stated by the file."""

    pixel_format: str = "yuv420p"
    codec: str = ""
    duration: Fraction | None = None
    frames: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[StreamInfo, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    track: VideoTrack = field(default_factory=VideoTrack)
