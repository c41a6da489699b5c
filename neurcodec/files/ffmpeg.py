"""What this FFmpeg knows: the suffixes of videos, and whether an encoder's hardware is here."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import cast

import av
from av.codec.codec import Capabilities, Codec, UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from neurcodec.errors import DeviceError

_BARE = {"gif", "h264", "hevc", "ivf", "m4v", "mjpeg", "mpeg1video", "mpeg2video", "obu", "vvc", "yuv4mpegpipe"}
"""FFmpeg's names of formats that hold a video without sound."""
_OTHERS = {
    ".avif", ".heic", ".heif", ".isma", ".m3u8", ".m4a", ".m4b", ".mka", ".mks", ".mpd", ".mpo", ".ra", ".wma",
}  # fmt: skip
"""Suffixes that formats of videos have for sound, pictures, subtitles and lists alone."""


@cache
def video_suffixes() -> frozenset[str]:
    """The suffixes of videos, as ".mp4": of the formats into which FFmpeg puts video and sound, and of bare videos."""
    found: set[str] = set()
    for name in av.formats_available:
        try:
            with av.open(BytesIO(), "w", format=name) as container:
                codec, sound = container.default_video_codec, container.default_audio_codec
                suffixes = container.format.extensions
        except (ValueError, av.error.FFmpegError):  # it can only be read, or not be written to memory
            continue
        if codec not in ("none", "png") and (sound != "none" or name in _BARE):  # png: the cover of a song
            found |= {f".{suffix}" for suffix in suffixes}
    return frozenset(found - _OTHERS)


def check_hardware(encoder: str) -> None:
    """DeviceError where an encoder needs hardware, as h264_nvenc does, that is not here."""
    try:
        codec = Codec(encoder, "w")
    except UnknownCodecError:
        return  # the writer says so, with the file's name
    if not codec.capabilities & (Capabilities.hardware | Capabilities.hybrid) or not codec.video_formats:
        return
    context = cast(VideoCodecContext, av.CodecContext.create(codec))
    context.width, context.height, context.pix_fmt = 256, 256, codec.video_formats[0].name
    context.framerate = Fraction(25)
    try:
        context.open()
    except av.error.FFmpegError as error:
        raise DeviceError(
            f"the encoder {encoder} needs hardware, or a driver of it, that is not here ({error.strerror}); "
            "--video-codec libx264 works without"
        ) from None
