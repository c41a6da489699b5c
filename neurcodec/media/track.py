"""What a video stream says beside its pictures, from a source and to an output: language, title, flags (spec 4.5)."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

from neurcodec.container.values import VideoTrack
from neurcodec.media import copied
from neurcodec.media.streams import DEFAULT, short, side_data

PROGRESSIVE = 1
_OF_MUXERS = ("handler_name", "vendor_id")
_DISPLAY = struct.Struct("=20i2i")  # FFmpeg's AVMasteringDisplayMetadata: ten fractions, and which of them are there
_LIGHT = struct.Struct("=2I")  # its AVContentLightMetadata


def of_source(stream: Any, first: Any, whole: bool) -> tuple[VideoTrack, list[str]]:
    """What a PyAV video stream with this first frame says, and a line for each thing that is too long to keep.

    whole: its interlaced pictures are made whole, so that it has no order of fields any more.
    """
    tags, lost = short(copied.user_metadata(stream.metadata))
    named = {key: (key.lower(), value) for key, value in tags.items()}
    tags = {key: tags[key] for key, tag in named.items() if tag[0] not in _OF_MUXERS and tag != ("language", "und")}
    flags, order, known = int(stream.disposition), stream.codec_context.field_order, side_data(first)
    track = VideoTrack(
        0 if flags == DEFAULT else flags,
        0 if whole or order == PROGRESSIVE else order,
        _display(known.get("MASTERING_DISPLAY_METADATA", b"")),
        _light(known.get("CONTENT_LIGHT_LEVEL", b"")),
        tags,
    )
    return track, [f"of the video track, {lost}"] if lost else []


def onto_output(track: VideoTrack, stream: Any) -> list[str]:
    """Say the same of a PyAV output stream; a line for what its pictures of 8 bits do not say."""
    stream.metadata.update(track.metadata)
    if track.disposition:
        stream.disposition = track.disposition
    if track.field_order:
        stream.codec_context.field_order = track.field_order
    if track.mastering_display is None and track.light_level is None:
        return []
    return ["the mastering display's data and light levels are not written to the output; `ncodec info` shows them"]


def _display(data: bytes) -> tuple[int, ...] | None:
    """A mastering display in the units of the file; None where the data are no whole one."""
    if len(data) < _DISPLAY.size:
        return None
    *numbers, primaries, luminance = _DISPLAY.unpack(data[: _DISPLAY.size])
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if not (primaries and luminance) or any(low < 0 or high <= 0 for low, high in pairs):
        return None
    *places, least, greatest = (Fraction(*pair) for pair in pairs)
    return (*(round(place * 50000) for place in places), round(greatest * 10000), round(least * 10000))


def _light(data: bytes) -> tuple[int, int] | None:
    return _LIGHT.unpack(data[: _LIGHT.size]) if len(data) >= _LIGHT.size else None
