"""Files at the ends of all ranges and just outside, and others that break a single rule: part of the test vectors.

They have no index (unless that is what they are about), so that no offset in it refuses what the rule would let pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from neurcodec.container import BaseLayer, Limits, Substream, tables
from neurcodec.container.schema import SVAR_MAX, Cursor, decode
from tools.format import edge_times, edge_tracks
from tools.format.edge_fields import INT_MAX, U32_MAX, Vector, outside, packet, packets, pairs
from tools.format.files import (
    HEADER,
    LAYERED,
    bare,
    edited,
    even,
    example,
    extended,
    gop,
    holding,
    pack,
    packed,
    sealed,
    single,
    split,
    versioned,
)


def ranges() -> dict[str, Vector]:
    """Bad values of single fields that no other rule refuses."""
    whole = bare(example())
    head = ("profile", "width", "height", "time_base_num", "time_base_den", "frame_rate_num", "frame_rate_den",
            "sar_num", "sar_den", "color_range", "chroma_location", "bit_depth")  # fmt: skip
    strm = ("kind", "codec", "time_base_num", "time_base_den", "bit_rate", "sample_rate", "channel_layout",
            "sample_format", "frame_size", "key")  # fmt: skip
    first = single([-5], 512)
    fraction = bare(edited(first, GOPC={"step_num": U32_MAX, "step_den": 2, "phase": 0}))
    layered = single([0], 512, BaseLayer(2, 9))
    rows = [
        *outside(whole, "HEAD", head), *outside(whole, "MODL", ["name"]), *outside(whole, "strm", strm),
        *outside(whole, "meta", ["key"]),
        *outside(first, "GOPC", ["frames", "quality", "mini_gop", "first_pts", "step_num", "id"]),
        *outside(fraction, "GOPC", ["step_den", "phase"]), *outside(layered, "GOPC", ["base_scale"]),
    ]  # fmt: skip
    times = {"step_num": 0, "durations": [2**62]}
    early = single([-SVAR_MAX, -SVAR_MAX + 1], 1)
    nine = [{"id": number, "size": 504 if number == 8 else 1} for number in range(9)]
    many = {"substream_count": 10, "substreams": [*nine, nine[-1]], "data": bytes(10)}
    return {
        **dict(rows),
        "gopc_durations_high": ("DamageError", edited(first, GOPC=times)),
        "gopc_last_change_high": ("DamageError", edited(early, GOPC={"last_change": 2**62})),
        "gopc_substream_count_high": ("FormatError", edited(layered, GOPC=many)),
        "gopc_size_low": ("DamageError", edited(first, GOPC={
            "substream_count": 1, "substreams": [{"id": 0, "size": 0}], "data": b""})),
        "meta_pair_count_low": ("DamageError", edited(whole, meta=pairs(0))),
        "meta_pair_count_high": ("DamageError", edited(whole, meta=pairs(1025))),
        "pckt_packet_count_low": ("DamageError", edited(whole, pckt=packets())),
        "pckt_data_low": ("DamageError", edited(whole, pckt=packets(packet(data=b"")))),
        "pckt_duration_high": ("DamageError", edited(whole, pckt=packets(packet(pts_delta=-9, duration=2**62)))),
        "head_has_display_matrix_high": ("DamageError", sealed([
            *whole[:1], packed(whole, b"HEAD", whole[1][9:-5] + b"\2" + bytes(36)), *whole[2:]])),
    }  # fmt: skip


def many_streams(count: int) -> bytes:
    """A file of so many streams, with a packet of the 64th."""
    parts = bare(pack([even(0, 1)]))
    streams = [packed(parts, b"strm", split(example())[3][9:-4]) for _ in range(count)]
    numbered = [packed(parts, b"strm", bytes([number]) + part[10:-4]) for number, part in enumerate(streams)]
    sound = packed(parts, b"pckt", bytes([63]) + split(example())[6][10:-4])
    return sealed([*parts[:3], *numbered, sound, *parts[3:]])


def few(side: int, frames: int, count: int) -> bytes:
    """A native file of one chunk of square pictures that has so many bytes."""
    rows = [{"id": 1, "size": count}] if count else []
    content = {"frames": frames, "substream_count": len(rows), "substreams": rows, "data": bytes(count)}
    return edited(single([0], 512), HEAD={"width": side, "height": side}, GOPC=content, FEND={"frames": frames})


def limits() -> dict[str, Vector]:
    """What is above a reader's limits or the range of times, by one; `good` has what is not."""
    most = bare(good()["most"])
    late = single([0], 512)
    seconds = edited(late, HEAD={"time_base_den": 1}, GOPC={"step_num": 43201})
    two = single([-9, 503], 512)
    return {
        "side": ("LimitError", edited(late, HEAD={"width": 16385, "height": 1})),
        "widest": ("LimitError", edited(late, HEAD={"width": 2**20, "height": 1})),
        "height": ("LimitError", edited(late, HEAD={"width": 1, "height": 16385})),
        "chunk_pixels": ("LimitError", edited(most, GOPC={"frames": 17}, FEND={"frames": 17})),
        "pixels_per_byte": ("LimitError", edited(most, GOPC={"substreams": [
            {"id": number, "size": 503 if number == 8 else 1} for number in range(9)], "data": bytes(511)})),
        "native_pixels_per_byte": ("LimitError", few(1024, 4, 7)),
        "native_picture_per_byte": ("LimitError", few(4096, 1, 959)),
        "no_bytes": ("LimitError", few(725, 1, 0)),
        "seconds": ("LimitError", seconds),
        "long_spacing": ("LimitError", edited(late, GOPC={"step_num": U32_MAX})),
        "long_last_duration": ("LimitError", edited(two, GOPC={"last_change": SVAR_MAX - 2000})),
        "long_duration": ("LimitError", edited(single([-9], 512), GOPC={"step_num": 0, "durations": [SVAR_MAX]})),
        "index_entries": ("LimitError", edited(split(example()), indx={"entry_count": 262145})),
        "streams": ("DamageError", many_streams(65)),
        "end_of_time": ("DamageError", edited(late, GOPC={"first_pts": SVAR_MAX - 511})),
    }  # fmt: skip


def order() -> dict[str, Vector]:
    """Rules on which records there are, and in which order."""
    whole, late = bare(example()), single([0], 9)

    def added(kind: bytes, at: int = 3, payload: bytes = b"?") -> bytes:
        return sealed([*whole[:at], packed(whole, kind, payload), *whole[at:]])

    def typed(kind: bytes, at: int) -> bytes:
        return sealed([*whole[:at], packed(whole, kind, whole[at][9:-4]), *whole[at + 1 :]])

    end = whole[-1][9:-4]
    later = [whole[6], packed(whole, b"strm", b"\1" + whole[3][10:-4])]
    other_head = whole[1][9:-5] + b"\1" + bytes(36)
    rows = {"substream_count": 2, "data": b"ab"}
    equal, falling = ([{"id": number, "size": 1} for number in ids] for ids in ((1, 1), (2, 1)))
    damaged = {
        "preamble": whole[0][:9], "one_byte": whole[0][:1], "only_head": whole[0] + whole[1],
        "no_header": typed(b"head", 1), "no_model": typed(b"modl", 2),
        "second_header": added(b"HEAD", payload=whole[1][9:-4]), "second_model": added(b"MODL", payload=whole[2][9:-4]),
        "other_head": added(b"head", payload=other_head), "other_model": added(b"modl", payload=whole[2][9:-5] + b"?"),
        "between": added(b"azaz", 2),
        "other_end": b"".join([*whole[:-1], packed(whole, b"fend", end)]),
        "behind_end": sealed([*whole, packed(whole, b"FEND", end)]),
        "chunk_count": edited(whole, FEND={"chunks": 3}),
        "stream_number": edited([*whole[:6], *whole[7:]], strm={"stream": 1}),
        "stream_after_packets": sealed([*whole[:4], *later, *whole[4:6], *whole[7:]]),
        "ids_equal": edited(late, GOPC={**rows, "substreams": equal}),
        "ids_fall": edited(late, GOPC={**rows, "substreams": falling}),
    }  # fmt: skip
    return {
        **{name: ("DamageError", data) for name, data in damaged.items()},
        "empty": ("FormatError", b""),
        "type_below": ("FormatError", added(b"`abc")), "type_above": ("FormatError", added(b"abc{")),
        "next_reader": ("FormatError", versioned(example(), 2, 2)),
        "older_than_needed": ("DamageError", versioned(example(), 0, 1)),
        **{f"claims_no_{name}": ("DamageError", versioned(data, 1, 0)) for name, data in extended_files().items()},
    }  # fmt: skip


def extended_files() -> dict[str, bytes]:
    """Files of one chunk that use one extension each."""
    based, many = gop([0], 512, 0, BaseLayer(2, 9)), gop([0, 512, 1024], 512, 0, BaseLayer(2, 9))
    return {
        "captions": pack([holding({Substream.CAPTION: b"caption"})]),
        "sketches": pack([holding({Substream.SKETCH: b"sketch"})]),
        "filled_frames": pack([replace(many, substreams={Substream.BASE: b"base"})], LAYERED),
        "detail": pack(
            [replace(based, substreams={Substream.LATENTS_P: b"latents", Substream.BASE: b"base"})], LAYERED
        ),
    }


def fields() -> dict[str, Vector]:
    """Rules on how fields are stored, and what stands behind them."""
    whole = bare(example())
    ends = {kind: extended(whole, kind.encode()) for kind in ("HEAD", "MODL", "strm", "meta", "pckt", "FEND")}
    again = {"pair_count": 2, "pairs": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}
    damaged = {
        **{f"{kind.lower()}_trailing": data for kind, data in ends.items()},
        "head_short": extended(whole, b"HEAD", -1),
        "ten_bytes": sealed(
            [*whole[:1], packed(whole, b"HEAD", b"\0" + b"\x80" * 9 + b"\1" + whole[1][10:-4]), *whole[2:]]
        ),
        "long_width": sealed([*whole[:1], packed(whole, b"HEAD", b"\0\xc0\0" + whole[1][11:-4]), *whole[2:]]),
        "one_key": edited(whole, meta=again),
        "one_key_of_stream": edited(whole, strm=again),
        "text": edited(whole, meta={"pairs": [{"key": b"\xff", "value": ""}]}),
    }
    return {name: ("DamageError", data) for name, data in damaged.items()}


def behind_index(after: Sequence[bytes], more: bytes = b"") -> bytes:
    """The example with `more` behind the fields of its index, and records behind the index."""
    parts = split(example())
    listing = packed(parts, b"indx", parts[8][9:-4] + more)
    distance = len(listing) + sum(map(len, after))
    return edited([*parts[:8], listing, *after, parts[9]], FEND={"index_distance": distance})


def index() -> dict[str, Vector]:
    """Rules on the index."""
    parts = split(example())
    entries = decode(tables.INDX_TABLE, Cursor(parts[8][9:-4], "indx", 0, Limits()))["entries"]

    def listed(name: str) -> bytes:
        return edited(parts, indx={"entries": [entries[0], {**entries[1], name: entries[1][name] + 1}]})

    short = split(edited(parts, indx={"entry_count": 1, "entries": entries[:1]}))
    damaged = {
        "index_place": listed("distance"), "index_frames": listed("frames"), "index_pts": listed("pts_step"),
        "index_count": edited(short, FEND={"index_distance": len(short[8])}),
        "index_early": behind_index([packed(parts, b"meta", b"\1\1a\0")]), "second_index": behind_index([parts[8]]),
        "indx_trailing": behind_index([], b"\0"),
        "index_distance": edited(parts, FEND={"index_distance": len(parts[8]) - 1}),
        "no_index_distance": edited(bare(example()), FEND={"index_distance": 1}),
    }  # fmt: skip
    return {name: ("DamageError", data) for name, data in damaged.items()}


def bad() -> dict[str, Vector]:
    """The files that must be refused, and how."""
    return {**ranges(), **limits(), **order(), **fields(), **index(), **edge_times.bad(), **edge_tracks.bad()}


def good() -> dict[str, bytes]:
    """Files whose fields are at the ends of their ranges."""
    whole, late = bare(example()), single([0], 512)
    head = dict.fromkeys(
        ("time_base_num", "time_base_den", "frame_rate_num", "frame_rate_den", "sar_num", "sar_den"), 1
    )
    stream = {"kind": 0, "codec": "c", "time_base_num": 1, "time_base_den": 1, "bit_rate": 0, "sample_rate": 0,
              "channel_layout": "", "sample_format": "", "frame_size": 0, "extradata": b"", **pairs(0)}  # fmt: skip
    largest = {"kind": 3, "codec": "c" * 64, "time_base_num": INT_MAX, "time_base_den": INT_MAX, "bit_rate": SVAR_MAX,
               "sample_rate": INT_MAX, "channel_layout": "l" * 255, "sample_format": "f" * 64, "frame_size": INT_MAX,
               "codec_tag": U32_MAX, "disposition": U32_MAX, **pairs(1024)}  # fmt: skip
    nine = [{"id": number, "size": 592 if number == 8 else 1} for number in range(9)]
    one = [{"key": "k" * 255, "value": "k" * 127}]
    return {
        "least": edited(whole, HEAD={
            **head, "width": 1, "height": 1, "frame_rate_num": 0, "sar_num": 0, "color_range": 0, "chroma_location": 0,
            "bit_depth": 1}, MODL={"name": "m"}, strm=stream, meta={"pair_count": 1, "pairs": one},
            pckt=packets(packet(data=b"p", duration=1), packet(duration=0), packet(pts_delta=-SVAR_MAX),
                         packet(pts_delta=SVAR_MAX, dts_delta=-SVAR_MAX))),
        "most": edited(single([0], 512, BaseLayer(16, 255)), HEAD={
            **dict.fromkeys(head, INT_MAX), "width": 16384, "height": 16384, "color_range": 2, "chroma_location": 6,
            "bit_depth": 32, "has_display_matrix": 1, "display_matrix": [-(2**31), INT_MAX, *[0] * 7]},
            MODL={"name": "m" * 64},
            GOPC={"frames": 16, "quality": 63, "mini_gop": 4, "step_num": 1, "substream_count": 9, "substreams": nine,
                  "data": bytes(600)}, FEND={"frames": 16}),
        "few_bytes": few(1024, 4, 8),
        "few_bytes_of_a_picture": few(4096, 1, 960),
        "most_of_a_stream": edited(whole, strm=largest, meta=pairs(1024), pckt=packets(
            packet(duration=SVAR_MAX), packet(pts_delta=-SVAR_MAX, duration=0), packet(dts_delta=SVAR_MAX))),
        "no_substreams": edited(late, GOPC={"quality": 0, "mini_gop": 1, "substream_count": 0, "substreams": [],
                                            "data": b""}),
        "end_of_time": edited(late, GOPC={"first_pts": SVAR_MAX - 512}),
        "start_of_time": edited(late, GOPC={"first_pts": -SVAR_MAX}),
        "limit_of_seconds": edited(late, HEAD={"time_base_den": 1}, GOPC={"step_num": 43200}),
        "even": edited(late, GOPC={"step_num": U32_MAX, "step_den": U32_MAX - 1, "phase": U32_MAX - 2}),
        "unknown_end": edited(single([0, 9], 9), GOPC={"last_change": -9}),
        "two_steps": sealed(single([0, 9, 17], 5)),
        "halves": edited(single([0, 9, 18], 9), GOPC={"step_num": 5, "step_den": 2, "phase": 0}),
        "unknown_length": sealed(single([0], 0)),
        "long_list": edited(single([0], 9), GOPC={"step_num": 0, "durations": [2**32]}, HEAD={"time_base_den": 2**30}),
        "core": versioned(example(), 1, 0),
        "core_layered": versioned(pack([replace(gop([0, 512], 512, 0, BaseLayer(2, 9)), mini_gop=1, substreams={
            Substream.BASE: b"base layer"})], LAYERED), 0, 0),
        "next_tick": pack([gop([0], 1), gop([1], 1, 1)], replace(HEADER, frame_rate=Fraction(0))),
        "streams_64": many_streams(64),
        "key_again": sealed([*whole[:4], packed(whole, b"meta", b"\1\5title\0"), *whole[4:]]),
        "overlap": pack([gop([0], 600), gop([512], 512, 1)]),
        "behind_index": behind_index([packed(split(example()), b"azaz", b"?")]),
        "plain_track": sealed(edge_tracks.tracked()),
        "least_track": sealed(edge_tracks.tracked(**edge_tracks.LEAST)),
        "most_of_a_track": sealed(edge_tracks.tracked(**edge_tracks.MOST)),
        "letters": sealed([*whole[:3], packed(whole, b"azaz", b"?"), *whole[3:]]),
    }  # fmt: skip
