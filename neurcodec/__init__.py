"""neurcodec: a neural video codec for very low bitrates, with exact entropy coding and a one-step diffusion decoder.

    neurcodec.encode("in.mp4", "out.nvc", target_kbps=60)
    neurcodec.decode("out.nvc", "back.mp4", start=10, end=20)
    with neurcodec.open("out.nvc") as video:
        picture = video[17].rgb
        for frame in video:
            show(frame.rgb, frame.time)
    data = neurcodec.encode_chunk(frames, quality=24)   # one chunk in memory
    frames = neurcodec.decode_chunk(data)

Nothing heavy is imported before a function needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurcodec import errors
from neurcodec.api import (
    decode,
    decode_batch,
    decode_chunk,
    encode,
    encode_batch,
    encode_chunk,
    info,
    open,
    probe,
    verify,
)
from neurcodec.jobs.options import BatchReport, Cluster, DecodeReport, EncodeReport, Progress

if TYPE_CHECKING:
    from neurcodec.jobs.inspection import VerifyReport
    from neurcodec.jobs.probe import ProbeReport
    from neurcodec.jobs.video import Video, VideoFrame

__all__ = [
    "BatchReport",
    "Cluster",
    "DecodeReport",
    "EncodeReport",
    "ProbeReport",
    "Progress",
    "VerifyReport",
    "Video",
    "VideoFrame",
    "__version__",
    "decode",
    "decode_batch",
    "decode_chunk",
    "encode",
    "encode_batch",
    "encode_chunk",
    "errors",
    "info",
    "open",
    "probe",
    "verify",
]

__version__ = "0.1.0"

_LATER = {"ProbeReport": "probe", "VerifyReport": "inspection", "Video": "video", "VideoFrame": "video"}


def __getattr__(name: str) -> Any:
    """Types whose modules take a moment to load."""
    if name not in _LATER:
        raise AttributeError(f"module 'neurcodec' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"neurcodec.jobs.{_LATER[name]}"), name)
