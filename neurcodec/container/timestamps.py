"""Timestamps of a chunk's frames in a few bytes: constant, evenly spaced with rounding, or listed (spec section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

from neurcodec.container.schema import SVAR_MAX, Cursor, Values

CONSTANT, EVEN, LISTED = 0, 1, 2
_STEP_MAX = 1 << 30


def pack(pts: Sequence[int], last_duration: int, step: Fraction | None) -> Values:
    """Timing fields of GOPC for rising `pts`; `step` is the frame spacing to try, in time base units."""
    first = pts[0]
    durations = [b - a for a, b in pairwise(pts)] + [last_duration]
    values: Values = {"first_pts": first}
    if last_duration > 0 and len(set(durations)) == 1:
        return values | {"timing": CONSTANT, "spacing": last_duration}
    for candidate in (Fraction(durations[0]) if len(pts) > 1 else Fraction(1), step):
        if candidate is None or candidate < 1 or max(candidate.as_integer_ratio()) > _STEP_MAX:
            continue
        phase = _phase(pts, candidate)
        if phase is not None:
            num, den = candidate.as_integer_ratio()
            even = {"step_num": num, "step_den": den, "phase": phase, "last_duration": last_duration}
            return values | {"timing": EVEN} | even
    return values | {"timing": LISTED, "durations": durations}


def _phase(pts: Sequence[int], step: Fraction) -> int | None:
    """The least phase with pts[i] - pts[0] = floor((phase + i * num) / den) for every i, or None."""
    num, den = step.as_integer_ratio()
    gaps = [(value - pts[0]) * den - i * num for i, value in enumerate(pts)]
    low, high = max(gaps), min(gaps) + den - 1
    return low if low <= high else None


def unpack(values: Values, cursor: Cursor) -> tuple[tuple[int, ...], int]:
    """The pts of every frame and the last frame's duration, from decoded fields; DamageError if pts do not rise."""
    first, frames = values["first_pts"], values["frames"]
    if values["timing"] == CONSTANT:
        last = values["spacing"]
        pts = tuple(first + i * last for i in range(frames))
    elif values["timing"] == EVEN:
        num, den, phase, last = (values[name] for name in ("step_num", "step_den", "phase", "last_duration"))
        if num < den or phase >= den:
            raise cursor.damage(f"frame spacing {num}/{den} with phase {phase} does not give rising timestamps")
        pts = tuple(first + (phase + i * num) // den for i in range(frames))
    else:
        *steps, last = values["durations"]
        if 0 in steps:
            raise cursor.damage("a frame before the last has duration 0, so timestamps do not rise")
        pts = tuple(accumulate(steps, initial=first))
    if pts[-1] + last > SVAR_MAX:
        raise cursor.damage("timestamps leave the range of 63 bits")
    return pts, last
