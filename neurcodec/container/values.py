"""What a file says, as frozen records, the ids used in it, and the limits that a reader holds it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from fractions import Fraction
from typing import Any

HASH_BYTES = 16
DIGEST_BYTES = 8
_UNLIMITED = (1 << 63) - 1


class FrameType(IntEnum):
    """Kind of a frame: intra, backbone predicted from the backbone before, sparse (motion only)."""

    I = 0  # noqa: E741 - the field's name for it
    P = 1
    S = 2


class Profile(IntEnum):
    """How the picture is predicted: from earlier frames only, or from an AV1 base layer too."""

    NATIVE = 0
    LAYERED = 1


class Substream(IntEnum):
    """What a substream of a GOPC record holds. Numbers are never reused."""

    MOTION = 0
    LATENTS_I = 1
    LATENTS_P = 2
    BASE = 3
    TEXTURE = 4
    TEXTURE_LEVELS = 5
    STRENGTH = 6
    CAPTION = 7
    SKETCH = 8


class StreamKind(IntEnum):
    """Kind of a copied stream."""

    AUDIO = 0
    SUBTITLE = 1
    ATTACHMENT = 2
    DATA = 3


class ColorRange(IntEnum):
    """Range of the source's samples, with FFmpeg's numbers."""

    UNSPECIFIED = 0
    LIMITED = 1
    FULL = 2


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """A video's picture and its timing, as files are tagged with them.

    `width` and `height` are the stored picture's, before `sample_aspect_ratio` (0 = not stated) and `display_matrix`
    (FFmpeg's nine 32-bit integers, None = upright) are applied; neither is baked into the frames. `frame_rate` is the
    average, 0 = variable or unknown. The colour fields are CICP's numbers (H.273; 2 = not stated); `chroma_location`
    0 = not stated.
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

    def common(self) -> dict[str, Any]:
        """These fields alone, by name: what a file and the video it is made of have in common."""
        return {entry.name: getattr(self, entry.name) for entry in fields(VideoFormat)}


@dataclass(frozen=True, slots=True)
class Header(VideoFormat):
    """What a file says of its video (record HEAD)."""

    profile: Profile = Profile.NATIVE


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """What the source's video stream says beside its format (record vide); decoding does not need it.

    disposition: FFmpeg's bits. field_order: FFmpeg's number, 0 = unknown, 1 = progressive. mastering_display: x and y
    of red, green, blue and white in 1/50000, greatest and least luminance in 1/10000 cd/m2. light_level: the greatest
    of a sample, and the greatest mean of a frame, cd/m2. metadata: of the stream: language, title, timecode.
    """

    disposition: int = 0
    field_order: int = 0
    mastering_display: tuple[int, ...] | None = None
    light_level: tuple[int, int] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that made the file (record MODL). Each hash is the first 16 bytes of a SHA-256."""

    name: str
    weights_hash: bytes
    entropy_hash: bytes


@dataclass(frozen=True, slots=True)
class BaseLayer:
    """How the base layer of a chunk was reduced: picture size / scale, AV1 quantiser."""

    scale: int
    quantiser: int


@dataclass(frozen=True, slots=True)
class Gop:
    """One closed group of pictures (record GOPC). `pts` has one entry per frame, in time base units, rising.

    `last_duration` 0 = unknown. `first_frame` is the number of the chunk's first frame in the file; the writer counts
    it itself and ignores what is given. Empty substreams are not stored.
    """

    pts: tuple[int, ...]
    last_duration: int
    quality: int
    mini_gop: int
    substreams: Mapping[Substream, bytes]
    digest: bytes
    base: BaseLayer | None = None
    first_frame: int = 0

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    @property
    def frame_types(self) -> tuple[FrameType, ...]:
        """Type of each frame; in a chunk with a base layer I and P are its frames, and S are filled."""
        return frame_types(len(self.pts), self.mini_gop)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream copied from the source (record strm). Names of codec, layout and format are FFmpeg's; 0 or "" = unknown.

    Streams are numbered from 0 in the order in which they are written. An attachment's bytes are its `extradata`.
    """

    kind: StreamKind
    codec: str
    time_base: Fraction
    codec_tag: int = 0
    bit_rate: int = 0
    sample_rate: int = 0
    channel_layout: str = ""
    sample_format: str = ""
    frame_size: int = 0
    disposition: int = 0
    extradata: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a copied stream (in record pckt). Times are in the stream's time base; `duration` 0 = unknown."""

    stream: int
    data: bytes
    pts: int | None
    dts: int | None
    duration: int = 0
    keyframe: bool = True
    discard: bool = False


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """Where a GOPC record starts in the file, and the number and pts of its first frame."""

    offset: int
    first_frame: int
    frames: int
    first_pts: int


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes start..end (not included) that a salvaging reader had to leave out, and why."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames that a salvaging reader did not find; `frames` None = everything from there on, number unknown."""

    first_frame: int
    frames: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader accepts, checked before anything of that size is allocated; `Limits.none()` lifts it."""

    side: int = 16384
    pixels: int = 1 << 28
    chunk_pixels: int = 1 << 32
    record_bytes: int = 64 << 20
    chunk_frames: int = 255
    pixels_per_byte: int = 1 << 23
    native_pixels_per_byte: int = 1 << 19
    native_picture_per_byte: int = 1 << 14
    file_pixels: int = 1 << 45
    seconds: int = 12 * 3600
    streams: int = 64
    stream_bytes: int = 128 << 20
    metadata_bytes: int = 1 << 20
    index_entries: int = 1 << 18

    @classmethod
    def none(cls) -> Limits:
        """Limits that nothing exceeds."""
        return cls(**{entry.name: _UNLIMITED for entry in fields(cls)})


def frame_types(frames: int, mini_gop: int) -> tuple[FrameType, ...]:
    """Types of a chunk's frames: I first, P at each multiple of the mini-GOP's length and at the end, S elsewhere."""
    return tuple(
        FrameType.I if i == 0 else FrameType.P if i % mini_gop == 0 or i == frames - 1 else FrameType.S
        for i in range(frames)
    )
