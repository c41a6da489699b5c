"""Values of single fields just outside of their ranges, of which test vectors are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from neurcodec.container import Limits
from neurcodec.container.schema import SVAR_MAX, UVAR_MAX, Cursor, decode
from tools.format.files import TABLES, Values, edited

Vector = tuple[str, bytes]
INT_MAX, U32_MAX = 2**31 - 1, 2**32 - 1
STORED = {"u8": (0, 255), "uvar": (0, UVAR_MAX), "svar": (-SVAR_MAX - 1, SVAR_MAX), "str": (0, 300)}
"""What can be written as a field of a type, here: not the longest texts."""


def pairs(count: int) -> Values:
    """So many pairs of metadata."""
    return {"pair_count": count, "pairs": [{"key": f"{number}", "value": ""} for number in range(count)]}


def packet(**values: Any) -> Values:
    """A packet with these fields, and the flags that say which of the times are there."""
    given = {"pts_delta": 8, "dts_delta": 32, "duration": 128}
    flags = sum(flag for name, flag in given.items() if name in values)
    return {"flags": flags, "data": b"packet", **values}


def packets(*rows: Values) -> Values:
    """The fields of a pckt record."""
    return {"packet_count": len(rows), "packets": rows}


def outside(parts: Sequence[bytes], kind: str, names: Iterable[str]) -> Iterator[tuple[str, Vector]]:
    """For each of these fields the file with a value just below its range and just above, if they can be written."""
    place = next(part for part in parts if part[:4] == kind.encode())
    old = decode(TABLES[kind.encode()], Cursor(place[9:-4], kind, 0, Limits()))
    rows = {row.name: (row, "") for row in TABLES[kind.encode()]}
    for group in TABLES[kind.encode()]:
        rows |= {row.name: (row, group.name) for row in group.rows}
    for name in names:
        row, within = rows[name]
        least, most = STORED[row.kind]
        for side, value in (("low", row.low - 1), ("high", row.high + 1)):
            if least <= value <= most:
                new: Values = {name: "k" * value if row.kind == "str" else value}
                if within:
                    new = {within: [{**old[within][0], **new}, *old[within][1:]]}
                error = "FormatError" if row.new and side == "high" else "DamageError"
                yield f"{kind.lower()}_{name}_{side}", (error, edited(parts, **{kind: new}))
