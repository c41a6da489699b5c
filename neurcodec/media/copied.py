"""Copied streams: how an audio, subtitle or attachment stream is described, and made again in another file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

from neurcodec.container.values import Packet, StreamInfo, StreamKind

# Written by muxers about themselves; wrong after a remux, or counted again by the next muxer.
DROPPED_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id", "duration"}
STATISTICS = ("bps", "number_of_", "_statistics_")
KINDS = {"audio": StreamKind.AUDIO, "subtitle": StreamKind.SUBTITLE, "attachment": StreamKind.ATTACHMENT}

# What FFmpeg takes where a file states the number of channels only, as Matroska does; MP4 wants to know.
USUAL_LAYOUTS = {
    f"{count} channels": layout
    for count, layout in enumerate(("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1"), 1)
}
KEY_BYTES, VALUE_BYTES = 255, 1 << 16  # of metadata, as the format bounds them
METADATA_BYTES, PAIRS = 1 << 19, 1024  # in all
DISPOSITIONS = (1 << 31) - 1  # FFmpeg's are bits of a signed integer
STAND_INS = {StreamKind.AUDIO: ("aac", "libopus"), StreamKind.SUBTITLE: ("ass", "mov_text", "webvtt")}


def user_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Return the tags that say something about the content, without what muxers write about themselves."""
    kept = {}
    for key, value in metadata.items():
        plain = key.lower()
        if plain not in DROPPED_KEYS and not plain.startswith(STATISTICS):
            kept[key] = value
    return kept


def too_long(metadata: Mapping[str, str]) -> list[str]:
    """Return the keys of tags that are longer than a file can hold; ones behind the most that it holds count too."""
    long, size = [], 0
    for count, (key, value) in enumerate(metadata.items()):
        lengths = len(key.encode(errors="replace")), len(value.encode(errors="replace"))
        size += sum(lengths)
        if not 1 <= lengths[0] <= KEY_BYTES or lengths[1] > VALUE_BYTES or size > METADATA_BYTES or count >= PAIRS:
            long.append(key)
    return long


def describe(stream: Any) -> StreamInfo:
    """Describe a PyAV input stream; ValueError, which says why, when it cannot be copied."""
    kind, context = KINDS.get(stream.type), stream.codec_context
    common = {"time_base": stream.time_base, "disposition": int(stream.disposition)}
    common["metadata"] = user_metadata(stream.metadata)
    if kind == StreamKind.ATTACHMENT:
        return StreamInfo(kind, "none", extradata=stream.data, **common)
    if kind is None or context is None:
        raise ValueError("FFmpeg does not know its kind" if kind is None else "FFmpeg has no decoder for it")
    common |= {"extradata": context.extradata or b"", "bit_rate": context.bit_rate or 0}
    common["codec_tag"] = _codec_tag(context)
    if kind == StreamKind.AUDIO:
        if not context.sample_rate or not context.layout.nb_channels:
            raise ValueError("it says no sample rate or channels, as where there is no sound in it")
        common["sample_rate"] = context.sample_rate
        common["channel_layout"] = context.layout.name
        common["sample_format"] = context.format.name if context.format else ""
        common["frame_size"] = context.frame_size
    return StreamInfo(kind, context.codec.canonical_name, **common)


def _codec_tag(context: Any) -> int:
    """Return the stream's FourCC as a little-endian integer; 0 when PyAV cannot say it."""
    try:
        tag = str(context.codec_tag).encode("ascii")
    except UnicodeError:
        return 0
    return int.from_bytes(tag, "little") if len(tag) == 4 else 0


def add(container: Any, info: StreamInfo) -> Any:
    """Add the stream to the PyAV output `container` and return it; its packets are muxed as they are.

    PyAV makes a stream without an encoder only from a template stream. The template comes from a scratch file of the
    same format, with any codec that it holds; a pass-through bitstream filter then puts the wanted codec in its place.
    """
    if info.kind == StreamKind.ATTACHMENT:
        name = info.metadata.get("filename", "attachment")
        return container.add_attachment(name, info.metadata.get("mimetype", "application/octet-stream"), info.extradata)
    decoder = av.Codec(info.codec, "r")
    if decoder.type != info.kind.name.lower():
        raise ValueError(f"{info.codec} is no codec for it")
    stand_in = next(name for name in STAND_INS[info.kind] if av.Codec(name, "w").name in container.supported_codecs)
    with av.open(io.BytesIO(), "w", format=container.format.name) as scratch:
        template = scratch.add_stream(stand_in)
        BitStreamFilterContext("null", in_stream=decoder, out_stream=template)
        stream: Any = container.add_stream_from_template(template, opaque=True)
    context = stream.codec_context
    context.extradata = info.extradata or None
    if info.kind == StreamKind.AUDIO:
        context.sample_rate = info.sample_rate
        context.layout = USUAL_LAYOUTS.get(info.channel_layout, info.channel_layout)
        if info.sample_format:
            context.format = info.sample_format
        context.bit_rate = info.bit_rate
    context.time_base = info.time_base
    stream.time_base = info.time_base
    stream.disposition = info.disposition & DISPOSITIONS
    stream.metadata.update(info.metadata)
    return stream


def to_av(packet: Packet, info: StreamInfo, stream: Any) -> Any:
    """Return the packet as PyAV muxes it into `stream`, whose header is written; its times are in that one's units."""
    out: Any = av.Packet(packet.data)
    out.stream = stream
    out.time_base = stream.time_base
    scale = info.time_base / stream.time_base
    out.pts, out.dts = (None if time is None else round(time * scale) for time in (packet.pts, packet.dts))
    out.duration = round(packet.duration * scale)
    out.is_keyframe = packet.keyframe
    return out
