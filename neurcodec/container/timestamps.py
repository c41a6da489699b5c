"""Timestamps of a chunk's frames in a few bytes: evenly spaced, with rounding, or listed (spec section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from math import gcd

from neurcodec.container.schema import SVAR_MAX, Cursor, Values
from neurcodec.container.tables import STEP_MAX


def pack(pts: Sequence[int], last_duration: int, step: Fraction | None) -> Values:
    """Timing fields of GOPC for rising `pts`; `step` is the frame spacing to try, in time base units."""
    durations = [b - a for a, b in pairwise(pts)] + [last_duration]
    for candidate in (Fraction(durations[0]), step):
        if candidate is None or candidate < 1 or max(candidate.as_integer_ratio()) > STEP_MAX:
            continue
        phase = _phase(pts, candidate)
        if phase is not None:
            num, den = candidate.as_integer_ratio()
            change = last_duration - _times(num, den, phase, len(pts), pts[0])[1]
            if len(pts) > 1 or not change:
                return {
                    "first_pts": pts[0], "step_num": num, "step_den": den, "phase": phase, "last_change": change
                }  # fmt: skip
    return {"first_pts": pts[0], "step_num": 0, "durations": durations}


def _phase(pts: Sequence[int], step: Fraction) -> int | None:
    """The least phase with pts[i] - pts[0] = floor((phase + i * num) / den) for every i, or None."""
    num, den = step.as_integer_ratio()
    gaps = [(value - pts[0]) * den - i * num for i, value in enumerate(pts)]
    low, high = max(gaps), min(gaps) + den - 1
    return low if low <= high else None


def _times(num: int, den: int, phase: int, frames: int, first: int) -> tuple[tuple[int, ...], int]:
    """The pts of evenly spaced frames, and the time from the last one to where the next would be."""
    *pts, end = (first + (phase + i * num) // den for i in range(frames + 1))
    return tuple(pts), end - pts[-1]


def _even(durations: Sequence[int]) -> bool:
    """Could these durations stand as a step without a fraction?"""
    steps = set(durations[:-1] or durations)
    return len(steps) == 1 and 0 < steps.pop() <= STEP_MAX


def unpack(values: Values, cursor: Cursor) -> tuple[tuple[int, ...], int]:
    """The pts of every frame and the last frame's duration, from decoded fields; DamageError if pts do not rise."""
    first, frames, num = values["first_pts"], values["frames"], values["step_num"]
    if num:
        den, phase, change = values["step_den"], values.get("phase", 0), values["last_change"]
        if num < den or phase >= den or gcd(num, den) > 1:
            raise cursor.damage(f"frame spacing {num}/{den} with phase {phase} does not give rising timestamps")
        pts, last = _times(num, den, phase, frames, first)
        last += change
        if last < 0 or (change and frames == 1):
            raise cursor.damage(f"the change {change} of the last duration does not fit the spacing")
    else:
        *steps, last = values["durations"]
        if 0 in steps or _even(values["durations"]):
            raise cursor.damage("a listed duration before the last is 0, or they are even and need no list")
        pts = tuple(accumulate(steps, initial=first))
    if pts[-1] + last > SVAR_MAX:
        raise cursor.damage("timestamps leave the range of 63 bits")
    return pts, last
