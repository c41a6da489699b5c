"""Media on PyAV: reading and writing video files, colour, timing, copied audio and subtitle packets, AV1 GOPs."""

from neurcodec.media.reader import VideoReader
from neurcodec.media.types import Chapter, Frame, Reading, VideoInfo
from neurcodec.media.writer import VideoWriter

__all__ = ["Chapter", "Frame", "Reading", "VideoInfo", "VideoReader", "VideoWriter"]
