"""Files that break a single rule on times: part of the test vectors."""

from __future__ import annotations

from neurcodec.container.schema import SVAR_MAX
from tools.format.edge_fields import U32_MAX, Vector, packet, packets
from tools.format.files import bare, edited, even, example, pack, sealed, single, split


def bad() -> dict[str, Vector]:
    """Rules of sections 4.6 and 5 on times."""
    chunks, whole = bare(pack([even(0, 2), even(2, 2, 1)])), bare(example())
    again = edited([*chunks[:3], chunks[4], chunks[5]], GOPC={"first_pts": 512})
    one, two, three = single([0], 9), single([0, 9], 9), single([0, 9, 20], 9)
    least = packet(pts_delta=-SVAR_MAX)
    times = {
        "both_pts": packets(packet(flags=8 + 16, pts_delta=1)),
        "no_pts_delta": packets(packet(pts_delta=0)),
        "no_dts_delta": packets(packet(dts_delta=0)),
        "no_duration": packets(packet(duration=0)),
        "same_duration": packets(packet(duration=9), packet(duration=9)),
        "both_dts": packets(packet(flags=32 + 64, dts_delta=1)),
        "far_pts": packets(least, packet(pts_delta=-1, dts_delta=5, duration=1)),
        "far_dts": packets(packet(pts_delta=-1, dts_delta=-SVAR_MAX)),
        "far_end": packets(packet(pts_delta=1, duration=SVAR_MAX)),
    }
    return {
        **{name: ("DamageError", edited(whole, pckt=values)) for name, values in times.items()},
        "packet_flags": ("FormatError", edited(whole, pckt=packets(packet(flags=4)))),
        "no_such_stream": ("DamageError", edited(whole, pckt={"stream": 1})),
        "pts_again": ("DamageError", sealed([*chunks[:4], split(again)[3], chunks[5]])),
        "small_step": ("DamageError", edited(one, GOPC={"step_num": 2, "step_den": 3, "phase": 2})),
        "phase": ("DamageError", edited(one, GOPC={"step_num": 4, "step_den": 3, "phase": 3})),
        "not_lowest": ("DamageError", edited(one, GOPC={"step_num": 6, "step_den": 4, "phase": 0})),
        "one_changed": ("DamageError", edited(one, GOPC={"last_change": 1})),
        "below_zero": ("DamageError", edited(two, GOPC={"last_change": -10})),
        "zero_duration": ("DamageError", edited(three, GOPC={"durations": [9, 0, 9]})),
        "even_list": ("DamageError", edited(three, GOPC={"durations": [9, 9, 5]})),
        "even_list_of_one": ("DamageError", edited(one, GOPC={"step_num": 0, "durations": [9]})),
        "longest_even_list": (
            "DamageError",
            edited(two, GOPC={"step_num": 0, "durations": [U32_MAX, 9]}, HEAD={"time_base_den": 2**30}),
        ),
    }
