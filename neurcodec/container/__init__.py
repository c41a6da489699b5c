"""The `.nvc` container: bytes only, with the standard library alone (bitstream_spec.md)."""

from neurcodec.container.reader import Reader
from neurcodec.container.summary import check, summary
from neurcodec.container.values import (
    BaseLayer,
    ColorRange,
    FrameType,
    Gap,
    Gop,
    Header,
    IndexEntry,
    Limits,
    Loss,
    ModelInfo,
    Packet,
    Profile,
    StreamInfo,
    StreamKind,
    Substream,
    VideoTrack,
    frame_types,
)
from neurcodec.container.writer import Writer

__all__ = [
    "BaseLayer",
    "ColorRange",
    "FrameType",
    "Gap",
    "Gop",
    "Header",
    "IndexEntry",
    "Limits",
    "Loss",
    "ModelInfo",
    "Packet",
    "Profile",
    "Reader",
    "StreamInfo",
    "StreamKind",
    "Substream",
    "VideoTrack",
    "Writer",
    "check",
    "frame_types",
    "summary",
]
