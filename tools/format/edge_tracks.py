"""Files with a description of the video (record vide), and others that break a rule on it: part of the test vectors."""

from __future__ import annotations

from typing import Any

from neurcodec.container import tables
from neurcodec.container.schema import encode
from tools.format.edge_fields import U32_MAX, Vector, outside, pairs
from tools.format.files import bare, changed, example, extended, packed, sealed, widened

LEAST = {"disposition": 0, "field_order": 0, "has_light_level": 1, "max_cll": 0, "max_fall": 0}
MOST = {
    "disposition": U32_MAX, "field_order": 5, "has_mastering_display": 1, "mastering_display": [0, U32_MAX] * 5,
    "has_light_level": 1, "max_cll": U32_MAX, "max_fall": U32_MAX,
    "pair_count": 1, "pairs": [{"key": "k" * 255, "value": ""}],
}  # fmt: skip


def tracked(**values: Any) -> list[bytes]:
    """The example without its index, with a vide record of these fields behind MODL."""
    parts = bare(example())
    track = {"disposition": 1, "field_order": 1, "has_mastering_display": 0, "has_light_level": 0, **pairs(0), **values}
    return [*parts[:3], packed(parts, b"vide", encode(widened(tables.VIDE_TABLE), track, "vide")), *parts[3:]]


def bad() -> dict[str, Vector]:
    """Rules on the description of the video."""
    whole, most = tracked(), tracked(**MOST)
    again = {"pair_count": 2, "pairs": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}
    rows = outside(most, "vide", ["field_order", "max_cll", "max_fall", "key"])
    track, rest = whole[3], [*whole[:3], *whole[4:]]
    damaged = {
        "one_key_of_track": sealed(tracked(**again)),
        "vide_has_mastering_display_high": changed(most, 3, 5, b"\2"),
        "vide_has_light_level_high": changed(most, 3, 46, b"\2"),
        "vide_pair_count_high": sealed(tracked(**pairs(1025))),
        "vide_trailing": extended(whole, b"vide"),
        "second_track": sealed([*whole[:4], track, *whole[4:]]),
        "late_track": sealed([*rest[:6], track, *rest[6:]]),
        "track_after_packets": sealed([*rest[:5], rest[6], track, rest[5], *rest[7:]]),
    }  # fmt: skip
    return {**dict(rows), **{name: ("DamageError", data) for name, data in damaged.items()}}
