"""A size on the command line: 5MB, 700k, 1.5MiB, 123456."""

from __future__ import annotations

import re

import click

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+) *([kmg]i?)?b?", re.IGNORECASE)


class Size(click.ParamType[int]):
    """Bytes with a unit: powers of 1000, with an i of 1024."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = _SIZE.fullmatch(str(value))
        size = round(float(match[1]) * _UNITS[(match[2] or "").lower()]) if match else 0
        if size < 1:
            self.fail(f"{value!r} is no size; give bytes, or a unit as in 700k, 5MB, 1.5MiB", param, ctx)
        return size
