"""Field tables as data, and the one encoder and decoder of payloads that follows them (spec sections 2 and 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neurcodec.container.values import Limits
from neurcodec.errors import DamageError, FormatError, InputError, LimitError

UVAR_MAX = (1 << 63) - 1
SVAR_MAX = (1 << 62) - 1
_FIXED = {"u8": (1, False), "u32": (4, False), "i32": (4, True)}
Values = dict[str, Any]
FieldPlace = tuple[int, int, str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a field table.

    kind: u8, u32, i32 (little-endian), uvar, svar (LEB128, zigzag), bytes (`low` of them), str and blob (uvar length
    first), rest (all that is left), or rows (a nested table, `rows`). low..high bounds the value, or the length of
    bytes, str and blob. when = (earlier field, one of "=", ">", "&", number): the field is there only if that holds.
    count: an earlier field, or a number, that says how often the field is repeated. new: a value above `high` may
    come from a later version and is a FormatError, not damage. cap: the entry of `Limits` that bounds the value too.
    """

    name: str
    kind: str
    low: int = 0
    high: int = 0
    meaning: str = ""
    when: tuple[str, str, int] | None = None
    count: str = ""
    rows: tuple[Field, ...] = ()
    new: bool = False
    cap: str = ""

    def present(self, values: Mapping[str, Any]) -> bool:
        """Whether the field is there, given the fields before it; no field is where the one it depends on is not."""
        if self.when is None:
            return True
        name, relation, number = self.when
        value = int(values.get(name, -1))
        if value < 0:
            return False
        return bool({"=": value == number, ">": value > number, "&": value & number}[relation])

    def repeats(self, values: Mapping[str, Any]) -> int:
        """How often a repeated field is there."""
        return int(self.count) if self.count.isdigit() else int(values[self.count])


class Cursor:
    """A position in one payload. `base` is the payload's offset in the file, `what` its record type, for messages.

    With `trace`, every field read is noted as (start, end, path, value), offsets in the file.
    """

    def __init__(self, data: bytes, what: str, base: int, limits: Limits, trace: list[FieldPlace] | None = None):
        self.data = data
        self.what = what
        self.base = base
        self.limits = limits
        self.pos = 0
        self.trace = trace

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self.data) - self.pos

    def place(self) -> str:
        """Where in the file the cursor is, for messages."""
        return f"{self.what} at byte {self.base + self.pos}"

    def damage(self, message: str) -> DamageError:
        """The error for a wrong payload, with its place."""
        return DamageError(f"{self.place()}: {message}")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.left:
            raise self.damage(f"needs {size} bytes where {self.left} are left in the record")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def uvar(self) -> int:
        """An unsigned LEB128 integer below 2^63, in its shortest form."""
        value = 0
        for i in range(9):
            byte = self.take(1)[0]
            value |= (byte & 127) << (7 * i)
            if byte < 128:
                if byte == 0 and i > 0:
                    raise self.damage("an integer is not in its shortest form")
                return value
        raise self.damage("an integer is longer than 9 bytes")

    def finish(self) -> None:
        """Raise unless everything was read."""
        if self.left:
            raise self.damage(f"{self.left} bytes too many in the record")


def pack_uvar(value: int) -> bytes:
    """LEB128, shortest form; 0 <= value < 2^63."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(table: Sequence[Field], cursor: Cursor, path: str = "") -> Values:
    """Read the fields of a table; DamageError or FormatError where the bytes do not fit it."""
    values: Values = {}
    for row in table:
        if not row.present(values):
            continue
        if not row.count:
            values[row.name] = _decode_one(row, cursor, path + row.name)
            continue
        repeats = row.repeats(values)
        if repeats > cursor.left:
            raise cursor.damage(f"{repeats} x {row.name} cannot fit in the {cursor.left} bytes that are left")
        values[row.name] = [_decode_one(row, cursor, f"{path}{row.name}[{i}]") for i in range(repeats)]
    return values


def _decode_one(row: Field, cursor: Cursor, path: str) -> Any:
    if row.kind == "rows":
        return decode(row.rows, cursor, path + ".")
    start = cursor.pos
    value: Any
    if row.kind in _FIXED:
        size, signed = _FIXED[row.kind]
        value = int.from_bytes(cursor.take(size), "little", signed=signed)
    elif row.kind == "uvar":
        value = cursor.uvar()
    elif row.kind == "svar":
        raw = cursor.uvar()
        value = (raw >> 1) ^ -(raw & 1)
    elif row.kind == "bytes":
        value = cursor.take(row.low)
    elif row.kind == "rest":
        value = cursor.take(cursor.left)
    else:
        value = _decode_sized(row, cursor)
    if isinstance(value, int):
        _check(row, value, cursor, start)
    if cursor.trace is not None:
        cursor.trace.append((cursor.base + start, cursor.base + cursor.pos, path, value))
    return value


def _check(row: Field, value: int, cursor: Cursor, start: int) -> None:
    if row.low <= value <= row.high and (not row.cap or value <= getattr(cursor.limits, row.cap)):
        return
    cursor.pos = start
    if row.low <= value <= row.high:
        raise LimitError(
            f"{cursor.place()}: {row.name} {value} is above the limit of {getattr(cursor.limits, row.cap)} ({row.cap})"
        )
    if row.new and value > row.high:
        raise FormatError(f"{cursor.place()}: {row.name} {value} is not known to this reader; a newer one is needed")
    raise cursor.damage(f"{row.name} is {value}, outside {row.low}..{row.high}")


def _decode_sized(row: Field, cursor: Cursor) -> bytes | str:
    size = cursor.uvar()
    if not row.low <= size <= row.high:
        raise cursor.damage(f"{row.name} has {size} bytes, outside {row.low}..{row.high}")
    data = cursor.take(size)
    if row.kind == "blob":
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise cursor.damage(f"{row.name} is not UTF-8") from None


def encode(table: Sequence[Field], values: Mapping[str, Any], what: str) -> bytes:
    """Bytes of a table's fields; LimitError where a value is outside its row's range, InputError for bad text."""
    out = bytearray()
    for row in table:
        if not row.present(values):
            continue
        for value in values[row.name] if row.count else (values[row.name],):
            out += _encode_one(row, value, what)
    return bytes(out)


def _encode_one(row: Field, value: Any, what: str) -> bytes:
    if row.kind == "rows":
        return encode(row.rows, value, what)
    if isinstance(value, str):
        try:
            value = value.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(f"cannot write {what}: {row.name} {value!r} is not valid Unicode text") from None
    bounded = len(value) if isinstance(value, bytes) else int(value)
    if row.kind != "rest" and not row.low <= bounded <= row.high:
        measure = f"has {bounded} bytes" if isinstance(value, bytes) else f"is {bounded}"
        raise LimitError(f"cannot write {what}: {row.name} {measure}, outside {row.low}..{row.high}")
    if row.kind in _FIXED:
        size, signed = _FIXED[row.kind]
        return int(value).to_bytes(size, "little", signed=signed)
    if row.kind == "uvar":
        return pack_uvar(int(value))
    if row.kind == "svar":
        return pack_uvar(int(value) << 1 if value >= 0 else (-int(value) << 1) - 1)
    data: bytes = value
    return data if row.kind in ("bytes", "rest") else pack_uvar(len(data)) + data
