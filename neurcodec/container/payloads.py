"""Records to payloads and back, with the rules that go beyond single fields (spec section 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from neurcodec.container import bounds, tables, timestamps
from neurcodec.container.schema import SVAR_MAX, Cursor, Values, decode, encode
from neurcodec.container.values import (
    BaseLayer,
    ColorRange,
    Gop,
    Header,
    IndexEntry,
    ModelInfo,
    Packet,
    Profile,
    StreamInfo,
    StreamKind,
    Substream,
    VideoTrack,
)
from neurcodec.errors import FormatError, LimitError

_HEAD_PLAIN = ("width", "height", "color_primaries", "color_transfer", "color_matrix", "chroma_location", "bit_depth")
_BOTH_PTS = tables.PTS_GIVEN | tables.PTS_ABSENT
_BOTH_DTS = tables.DTS_GIVEN | tables.DTS_ABSENT
_STRM_PLAIN = (
    "codec", "codec_tag", "bit_rate", "sample_rate", "channel_layout", "sample_format", "frame_size", "disposition",
    "extradata",
)  # fmt: skip


def _ratio(name: str, value: Fraction) -> Values:
    return {f"{name}_num": value.numerator, f"{name}_den": value.denominator}


def _fraction(values: Values, name: str) -> Fraction:
    return Fraction(values[f"{name}_num"], values[f"{name}_den"])


def _pairs(pairs: Mapping[str, str]) -> Values:
    return {"pair_count": len(pairs), "pairs": [{"key": key, "value": value} for key, value in pairs.items()]}


def _mapping(values: Values, cursor: Cursor) -> dict[str, str]:
    pairs = {pair["key"]: pair["value"] for pair in values["pairs"]}
    if len(pairs) != len(values["pairs"]):
        raise cursor.damage("a key is there twice")
    return pairs


def pack_header(header: Header) -> bytes:
    """Payload of HEAD."""
    matrix = header.display_matrix
    values = {name: getattr(header, name) for name in _HEAD_PLAIN}
    values |= {"profile": header.profile, "color_range": header.color_range}
    values |= _ratio("time_base", header.time_base) | _ratio("frame_rate", header.frame_rate)
    values |= _ratio("sar", header.sample_aspect_ratio)
    values |= {"has_display_matrix": int(matrix is not None), "display_matrix": matrix}
    if matrix is not None and len(matrix) != 9:
        raise LimitError(f"cannot write HEAD: display_matrix has {len(matrix)} numbers, not 9")
    return encode(tables.HEAD_TABLE, values, "HEAD")


def unpack_header(cursor: Cursor) -> Header:
    """The record of a HEAD payload."""
    values = decode(tables.HEAD_TABLE, cursor)
    cursor.finish()
    matrix = values.get("display_matrix")
    header = Header(
        time_base=_fraction(values, "time_base"),
        frame_rate=_fraction(values, "frame_rate"),
        sample_aspect_ratio=_fraction(values, "sar"),
        display_matrix=None if matrix is None else tuple(matrix),
        color_range=ColorRange(values["color_range"]),
        profile=Profile(values["profile"]),
        **{name: values[name] for name in _HEAD_PLAIN},
    )
    bounds.check_picture(header, cursor.limits, f"HEAD at byte {cursor.base}")
    return header


def pack_model(model: ModelInfo) -> bytes:
    """Payload of MODL."""
    values = {"name": model.name, "weights_hash": model.weights_hash, "entropy_hash": model.entropy_hash}
    return encode(tables.MODL_TABLE, values, "MODL")


def unpack_model(cursor: Cursor) -> ModelInfo:
    """The record of a MODL payload."""
    values = decode(tables.MODL_TABLE, cursor)
    cursor.finish()
    return ModelInfo(values["name"], values["weights_hash"], values["entropy_hash"])


def pack_gop(gop: Gop, first_frame: int, step: Fraction | None) -> bytes:
    """Payload of GOPC; `step` is the frame spacing to try first, in time base units."""
    if not 1 <= gop.frames <= 255 or any(b <= a for a, b in pairwise(gop.pts)):
        raise LimitError(f"cannot write GOPC: its {gop.frames} timestamps must be 1 to 255, each above the one before")
    if gop.last_duration < 0:
        raise LimitError(f"cannot write GOPC: the last duration is {gop.last_duration}, below 0")
    parts = sorted((kind, data) for kind, data in gop.substreams.items() if data)
    values: Values = {
        "first_frame": first_frame,
        "frames": gop.frames,
        "quality": gop.quality,
        "mini_gop": gop.mini_gop,
        "digest": gop.digest,
        "base_scale": 0,
        "substream_count": len(parts),
        "substreams": [{"id": kind, "size": len(data)} for kind, data in parts],
        "data": b"".join(data for _, data in parts),
    }
    values |= timestamps.pack(gop.pts, gop.last_duration, step)
    if gop.base is not None:
        if gop.base.scale < 1:
            raise LimitError(f"cannot write GOPC: base_scale is {gop.base.scale}, outside 1..16")
        values |= {"base_scale": gop.base.scale, "base_quantiser": gop.base.quantiser}
    return encode(tables.GOPC_TABLE, values, "GOPC")


def unpack_gop(cursor: Cursor, header: Header) -> Gop:
    """The record of a GOPC payload; the substreams' sizes sum to the data that is there."""
    values = decode(tables.GOPC_TABLE, cursor)
    rows, data = values["substreams"], values["data"]
    if any(b["id"] <= a["id"] for a, b in pairwise(rows)):
        raise cursor.damage("substream ids do not rise")
    if sum(row["size"] for row in rows) != len(data):
        raise cursor.damage(f"substream sizes do not sum to the {len(data)} bytes that are there")
    bounds.check_chunk(values["frames"], len(data), header, cursor.limits, f"GOPC at byte {cursor.base}")
    base = BaseLayer(values["base_scale"], values["base_quantiser"]) if values["base_scale"] else None
    substreams, start = {}, 0
    for row in rows:
        substreams[Substream(row["id"])] = data[start : start + row["size"]]
        start += row["size"]
    layered = header.profile is Profile.LAYERED
    if (base is not None) != layered or (Substream.BASE in substreams) != layered:
        name = header.profile.name.lower()
        raise cursor.damage(f"{'no' if layered else 'a'} base layer in a file of the {name} profile")
    pts, last_duration = timestamps.unpack(values, cursor)
    return Gop(
        pts, last_duration, values["quality"], values["mini_gop"], substreams, values["digest"], base,
        values["first_frame"],
    )  # fmt: skip


def pack_metadata(pairs: Mapping[str, str]) -> bytes:
    """Payload of meta."""
    return encode(tables.META_TABLE, _pairs(pairs), "meta")


def unpack_metadata(cursor: Cursor) -> dict[str, str]:
    """The pairs of a meta payload."""
    values = decode(tables.META_TABLE, cursor)
    cursor.finish()
    return _mapping(values, cursor)


def pack_track(track: VideoTrack) -> bytes:
    """Payload of vide."""
    display, light = track.mastering_display, track.light_level
    if display is not None and len(display) != 10:
        raise LimitError(f"cannot write vide: mastering_display has {len(display)} numbers, not 10")
    values = {"disposition": track.disposition, "field_order": track.field_order, **_pairs(track.metadata)}
    values |= {"has_mastering_display": int(display is not None), "mastering_display": display}
    values |= {"has_light_level": int(light is not None)}
    values |= dict(zip(("max_cll", "max_fall"), light or (), strict=False))
    return encode(tables.VIDE_TABLE, values, "vide")


def unpack_track(cursor: Cursor) -> VideoTrack:
    """The record of a vide payload."""
    values = decode(tables.VIDE_TABLE, cursor)
    cursor.finish()
    display = values.get("mastering_display")
    return VideoTrack(
        values["disposition"],
        values["field_order"],
        None if display is None else tuple(display),
        (values["max_cll"], values["max_fall"]) if values["has_light_level"] else None,
        _mapping(values, cursor),
    )


def pack_stream(number: int, stream: StreamInfo) -> bytes:
    """Payload of strm."""
    values = {name: getattr(stream, name) for name in _STRM_PLAIN}
    values |= {"stream": number, "kind": stream.kind} | _ratio("time_base", stream.time_base) | _pairs(stream.metadata)
    return encode(tables.STRM_TABLE, values, "strm")


def unpack_stream(cursor: Cursor) -> tuple[int, StreamInfo]:
    """Number and record of a strm payload."""
    values = decode(tables.STRM_TABLE, cursor)
    cursor.finish()
    stream = StreamInfo(
        kind=StreamKind(values["kind"]),
        time_base=_fraction(values, "time_base"),
        metadata=_mapping(values, cursor),
        **{name: values[name] for name in _STRM_PLAIN},
    )
    return values["stream"], stream


def pack_packets(stream: int, packets: Sequence[Packet]) -> bytes:
    """Payload of pckt, for packets of one stream."""
    out = [encode(tables.PCKT_TABLE, {"stream": stream, "packet_count": len(packets)}, "pckt")]
    next_pts = duration = 0
    for packet in packets:
        flags = tables.KEYFRAME * packet.keyframe | tables.DISCARD * packet.discard
        pts = next_pts if packet.pts is None else packet.pts
        if packet.pts is None:
            flags |= tables.PTS_ABSENT
        elif pts != next_pts:
            flags |= tables.PTS_GIVEN
        if packet.dts is None:
            flags |= tables.DTS_ABSENT
        elif packet.dts != pts:
            flags |= tables.DTS_GIVEN
        if packet.duration != duration:
            flags |= tables.DURATION_GIVEN
        values = {
            "flags": flags, "pts_delta": pts - next_pts, "dts_delta": (packet.dts or 0) - pts,
            "duration": packet.duration, "data": packet.data,
        }  # fmt: skip
        out.append(encode(tables.PACKET_TABLE, values, "pckt"))
        duration = packet.duration
        next_pts = pts + duration
    return b"".join(out)


def unpack_packets(cursor: Cursor) -> Iterator[Packet]:
    """The packets of a pckt payload, one at a time."""
    head = decode(tables.PCKT_TABLE, cursor)
    next_pts = duration = 0
    for _ in range(head["packet_count"]):
        values = decode(tables.PACKET_TABLE, cursor)
        flags = values["flags"]
        if flags & tables.PACKET_RESERVED:
            raise FormatError(f"{cursor.place()}: reserved packet flags are set; a newer reader is needed")
        if flags & _BOTH_PTS == _BOTH_PTS or flags & _BOTH_DTS == _BOTH_DTS:
            raise cursor.damage(f"packet flags {flags} say that a time is both there and absent")
        if not values.get("pts_delta", 1) or not values.get("dts_delta", 1) or values.get("duration") == duration:
            raise cursor.damage("a packet field says what holds without it")
        pts = next_pts + values.get("pts_delta", 0)
        dts = pts + values.get("dts_delta", 0)
        duration = values.get("duration", duration)
        next_pts = pts + duration
        if max(abs(pts), abs(dts), abs(next_pts)) > SVAR_MAX:
            raise cursor.damage("packet times leave the range of 63 bits")
        yield Packet(
            head["stream"],
            values["data"],
            None if flags & tables.PTS_ABSENT else pts,
            None if flags & tables.DTS_ABSENT else dts,
            duration,
            bool(flags & tables.KEYFRAME),
            bool(flags & tables.DISCARD),
        )
    cursor.finish()


def pack_index(entries: Sequence[IndexEntry]) -> bytes:
    """Payload of indx."""
    rows, offset, pts = [], 0, 0
    for entry in entries:
        rows.append({"distance": entry.offset - offset, "frames": entry.frames, "pts_step": entry.first_pts - pts})
        offset, pts = entry.offset, entry.first_pts
    return encode(tables.INDX_TABLE, {"entry_count": len(rows), "entries": rows}, "indx")


def unpack_index(cursor: Cursor) -> tuple[IndexEntry, ...]:
    """The entries of an indx payload."""
    values = decode(tables.INDX_TABLE, cursor)
    cursor.finish()
    entries, offset, pts, first = [], 0, 0, 0
    for row in values["entries"]:
        offset += row["distance"]
        pts += row["pts_step"]
        entries.append(IndexEntry(offset, first, row["frames"], pts))
        first += row["frames"]
    return tuple(entries)


def pack_end(frames: int, chunks: int, index_distance: int, chain: int) -> bytes:
    """Payload of FEND."""
    values = {"frames": frames, "chunks": chunks, "index_distance": index_distance, "chain": chain}
    return encode(tables.FEND_TABLE, values, "FEND")


def unpack_end(cursor: Cursor) -> Values:
    """The fields of a FEND payload."""
    values = decode(tables.FEND_TABLE, cursor)
    cursor.finish()
    return values
