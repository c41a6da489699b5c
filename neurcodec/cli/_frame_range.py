"""Options that choose a part of a video: times and frame numbers."""

from __future__ import annotations

import re
from fractions import Fraction

import click

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)")
_FRAMES = re.compile(r"(\d*):(\d*)")


class _Time(click.ParamType[Fraction]):
    """Seconds, or [H:]M:S."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        match = _TIME.fullmatch(str(value))
        if not match:
            self.fail(f"{value!r} is no time; give seconds or [H:]M:S, as 90.5 or 1:30.5", param, ctx)
        hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds


start = click.option("--start", type=_Time(), metavar="T", help="Begin at this time: seconds or [H:]M:S.")
end = click.option("--end", type=_Time(), metavar="T", help="Stop before the first frame at or after this time.")
frames = click.option("--frames", metavar="A:B", help="Only frames A to B-1, counted from 0; either may be left out.")


def pair(frames: str | None) -> tuple[int, int | None] | None:
    """The first frame and the one behind the last; a usage error for what is no such pair."""
    if frames is None:
        return None
    match = _FRAMES.fullmatch(frames)
    if not match:
        raise click.UsageError(f"--frames {frames!r}: give two numbers as in 100:150, the second not included")
    return int(match[1] or 0), int(match[2]) if match[2] else None
