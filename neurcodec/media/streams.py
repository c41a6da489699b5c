"""The streams of a source: how it is opened, which are taken, and what of their facts has no place here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from math import cos, radians, sin
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from av.stream import Discard

from neurcodec.container.values import Limits, StreamInfo, StreamKind
from neurcodec.errors import InputError, LimitError
from neurcodec.media import copied, formats

ATTACHED_PICTURE = 1 << 10
DEFAULT = 1
GENERATE_PTS = 1  # PyAV sets this flag; the timestamps that FFmpeg then makes up for AVI are in the wrong order
MAX_PIXELS = 1 << 28  # of one picture; FFmpeg refuses larger ones before it allocates them

LOST = {
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "SPHERICAL": "the projection of a 360 degree video",
    "STEREO3D": "the 3D mode",
    "ICC_PROFILE": "the ICC profile",
    "A53_CC": "captions inside the video stream",
}
"""Side data of frames, by PyAV's names, that a file has no place for."""


def reason(error: BaseException) -> str:
    """What an error of FFmpeg or of the system says, in one line."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0]


def opened(source: str | Path | BinaryIO, name: str) -> Any:
    """The PyAV input container; InputError when it cannot be read as media."""
    try:
        file = str(source.absolute()) if isinstance(source, Path) else source  # else "12:30.mp4" names a protocol
        container = av.open(file, "r", metadata_errors="replace", options={"max_pixels": str(MAX_PIXELS)})
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{name}: cannot be read as media ({reason(error)})") from None
    container.flags &= ~GENERATE_PTS
    return container


def choose_video(container: Any, name: str, number: int | None) -> Any:
    """The video stream of this number among all streams, or the default one, else the largest, ready to decode.

    InputError where there is none, or none that FFmpeg decodes; LimitError where its pictures are too large.
    """
    streams = [stream for stream in container.streams.video if not stream.disposition & ATTACHED_PICTURE]
    if not streams:
        raise InputError(f"{name}: holds no video stream; nothing to encode")
    if number is None:
        stream = max(streams, key=_worth)
    elif not (chosen := [stream for stream in streams if stream.index == number]):
        known = ", ".join(str(stream.index) for stream in streams)
        raise InputError(f"{name}: stream {number} is no video stream; there is {known}")
    else:
        stream = chosen[0]
    context = stream.codec_context
    if context is None:
        raise InputError(f"{name}: FFmpeg has no decoder for its video stream")
    if context.width * context.height > MAX_PIXELS:
        raise LimitError(f"{name}: pictures of {context.width}x{context.height} are above the limit")
    context.options = {"max_pixels": str(MAX_PIXELS)}
    stream.thread_type = "AUTO"
    if context.name == "libdav1d":
        stream.thread_count = 1  # its frame threads can hang for ever on damaged packets (measured)
    return stream


def _worth(stream: Any) -> tuple[bool, bool, int]:
    context = stream.codec_context
    size = context.width * context.height if context is not None else 0
    return context is not None, bool(stream.disposition & DEFAULT), size


def choose_copied(container: Any, video: Any) -> tuple[dict[int, StreamInfo], list[str]]:
    """The streams to copy, by their numbers in the source, and what is to be said of them and the others."""
    infos: dict[int, StreamInfo] = {}
    notes: list[str] = []
    limits, room = Limits(), Limits().stream_bytes
    beyond = 0
    for stream in container.streams:
        if stream is video or stream.discard == Discard.all:  # the latter is a QuickTime track of chapters
            continue
        name = f"stream {stream.index} ({stream.type})"
        if stream.type == "video":
            cover = stream.disposition & ATTACHED_PICTURE
            what = "cover picture" if cover else "further video stream; --video-stream chooses another"
            notes.append(f"stream {stream.index} ({what}) is not kept")
            continue
        try:
            info = _short_tags(copied.describe(stream), name, notes)
        except ValueError as error:
            notes.append(f"{name} is not kept: {error}")
            continue
        size = len(info.extradata) + copied.METADATA_BYTES
        if len(infos) >= limits.streams or size > min(room, limits.record_bytes):
            beyond += 1
        elif formats.holders(info):
            infos[stream.index] = info
            room -= size
        else:
            known = ", ".join(formats.FORMATS)
            notes.append(f"stream {stream.index} ({info.codec}) is not kept: none of {known} can hold it as it is")
    if beyond:
        most = f"{limits.streams} streams with {limits.stream_bytes >> 20} MiB of headers and attachments"
        notes.append(f"{beyond} {'stream is' if beyond == 1 else 'streams are'} not kept: a file holds {most} at most")
    fonts = [index for index, info in infos.items() if info.kind == StreamKind.ATTACHMENT]
    names = [(f"stream {index} ({info.codec})", info) for index, info in infos.items() if index not in fonts]
    if fonts:
        notes.append(f"{formats.attached(len(fonts))} kept in mkv only")
    return infos, [*notes, *formats.where_kept(names)]


def _short_tags(info: StreamInfo, name: str, notes: list[str]) -> StreamInfo:
    tags, lost = short(info.metadata)
    if lost:
        notes.append(f"of {name}, {lost}")
    return replace(info, metadata=tags)


def short(metadata: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The tags that a file can hold, and a clause that says which are too long; empty for none."""
    long = copied.too_long(metadata)
    kept = {key: value for key, value in metadata.items() if key not in long}
    return kept, f"metadata {', '.join(key[:40] for key in long)} is not kept: it is too long" if long else ""


def side_data(frame: Any) -> dict[str, bytes]:
    """A frame's side data by PyAV's names; nothing where it has some that PyAV does not know."""
    try:
        return {data.type.name: bytes(data) for data in frame.side_data}
    except ValueError:  # one unknown type hides all
        return {}


def display_matrix(frame: Any) -> tuple[int, ...] | None:
    """The nine integers that turn a frame for display; None where it is upright."""
    known = side_data(frame)
    if "DISPLAYMATRIX" in known:
        return struct.unpack("=9i", known["DISPLAYMATRIX"][:36])
    if not frame.rotation:
        return None
    across, along = (round(part * (1 << 16)) for part in (sin(radians(-frame.rotation)), cos(radians(frame.rotation))))
    return along, across, 0, -across, along, 0, 0, 0, 1 << 30


def lost_of_pictures(stream: Any, first: Any) -> list[str]:
    """A line for each thing of a stream's pictures that has no place in the file."""
    lost = [words for name, words in LOST.items() if name in side_data(first)]
    notes = [f"{', '.join(lost)} {'are' if lost[1:] else 'is'} not kept"] if lost else []
    tagged = {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") == "1"
    if tagged or any(component.is_alpha for component in first.format.components):
        notes.append("transparency is not kept")
    return notes
