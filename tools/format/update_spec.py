"""Write the tables and examples of bitstream_spec.md again: python -m tools.format.update_spec."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from neurcodec.container import Limits, tables
from neurcodec.container.features import FEATURES
from neurcodec.container.framing import FRAME_BYTES, HEADER_BYTES, PREAMBLE_BYTES
from neurcodec.container.schema import Cursor, Field, FieldPlace, decode
from tools.format import worked
from tools.format.requirements import RULES

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "bitstream_spec.md"
EXAMPLE = ROOT / "tests" / "vectors" / "good" / "example.nvc"
_BLOCK = re.compile(r"(<!-- (table: [^>]+|example|requirements|features|worked) -->\n).*?(<!-- end -->)", re.DOTALL)
_ROW_BYTES = 16


def number(value: int) -> str:
    """A bound as text, large ones as powers of two."""
    if value < 0:
        return "-" + (f"({text})" if "^" in (text := number(-value)) else text)
    for offset, suffix in ((0, ""), (1, "-1")):
        power = value + offset
        if value > 1 << 16 and power & (power - 1) == 0:
            return f"2^{power.bit_length() - 1}{suffix}"
    return str(value)


def row(field: Field, names: dict[int, str]) -> str:
    """One line of a markdown table."""
    kind = {"bytes": f"bytes {field.low}", "rows": f"rows of {names.get(id(field.rows))}"}.get(field.kind, field.kind)
    bounded = field.kind not in ("bytes", "rows", "rest")
    bounds = f"{number(field.low)}..{number(field.high)}" if bounded else ""
    present = "{} {} {}".format(*field.when) if field.when else ""
    return f"| {field.name} | {kind} | {bounds} | {present} | {field.count} | {field.meaning} |"


def table(name: str) -> str:
    """A table of the specification."""
    names = {id(rows): title for title, rows in tables.TABLES.items()}
    head = "| Field | Type | Range | Present | Repeated | Meaning |\n|---|---|---|---|---|---|\n"
    return head + "".join(row(field, names) + "\n" for field in tables.TABLES[name])


def spans(data: bytes) -> list[FieldPlace]:
    """Every field of a file as (start, end, name, value)."""
    limits = Limits()
    out: list[FieldPlace] = []
    decode(tables.PREAMBLE_TABLE, Cursor(data[:PREAMBLE_BYTES], "preamble", 0, limits, out))
    at = PREAMBLE_BYTES
    while at < len(data):
        kind, length = data[at : at + 4].decode(), int.from_bytes(data[at + 5 : at + 9], "little")
        end = at + FRAME_BYTES + length
        out += [(at, at + 4, "type", kind), (at + 4, at + 5, "flags", data[at + 4]), (at + 5, at + 9, "length", length)]
        cursor = Cursor(data[at + HEADER_BYTES : end - 4], kind, at + HEADER_BYTES, limits, out)
        values = decode(tables.TABLES[kind], cursor)
        for i in range(values.get("packet_count", 0)):
            decode(tables.PACKET_TABLE, cursor, f"packet[{i}].")
        out.append((end - 4, end, "crc", int.from_bytes(data[end - 4 : end], "little")))
        at = end
    return out


def dump(data: bytes) -> str:
    """The annotated hex dump of a file."""
    lines = []
    for start, end, name, value in spans(data):
        if name == "type":
            lines.append("")
        shown = "" if isinstance(value, bytes) else f" = {value:#010x}" if name in ("crc", "chain") else f" = {value}"
        for at in range(start, end, _ROW_BYTES):
            note = name + shown if at == start else ""
            lines.append(f"{at:04x}  {data[at : min(at + _ROW_BYTES, end)].hex(' '):<47}  {note}".rstrip())
    return "```\n" + "\n".join(lines) + "\n```\n"


def code(text: str) -> str:
    """Text as code; nothing where there is none."""
    return f"`{text}`" if text else ""


def requirements() -> str:
    """The rules with their vectors."""
    head = "| Rule | Section | What must hold | Kind | Vectors |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| R{rule.number} | {rule.section} | {rule.text} | {rule.kind} | {code(rule.vectors)} |\n" for rule in RULES
    )


def added() -> str:
    """What the minor versions have brought."""
    return "| Version | What a chunk may have since | Told by |\n|---|---|---|\n" + "".join(
        f"| {tables.MAJOR}.{feature.minor} | {feature.name} | {feature.mark} |\n" for feature in FEATURES
    )


def updated(text: str) -> str:
    """The specification with its generated blocks written anew."""
    blocks: dict[str, Callable[[], str]] = {
        "example": lambda: dump(EXAMPLE.read_bytes()),
        "requirements": requirements,
        "features": added,
        "worked": lambda: f"```\n{worked.example()}\n```\n",
    }

    def block(match: re.Match[str]) -> str:
        name = match[2]
        body = blocks[name]() if name in blocks else table(name.removeprefix("table: "))
        return match[1] + body + match[3]

    return _BLOCK.sub(block, text)


if __name__ == "__main__":
    SPEC.write_text(updated(SPEC.read_text(encoding="utf-8")), encoding="utf-8")
