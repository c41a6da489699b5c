"""Repair of timestamps."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurcodec.media.timing import Timeline, nominal_step


def place(stamps: list[int | None], step: int = 10, durations: list[int] | None = None) -> tuple[list[int], Timeline]:
    """Place a list of timestamps."""
    line = Timeline(step)
    stated = durations or [0] * len(stamps)
    return [line.place(pts, duration) for pts, duration in zip(stamps, stated, strict=True)], line


@pytest.mark.parametrize(
    ("stamps", "placed", "missing", "backward"),
    [
        ([0, 10, 20], [0, 10, 20], 0, 0),
        ([5, 6, 1000, 1001], [5, 6, 1000, 1001], 0, 0),
        ([None, None, None], [0, 10, 20], 3, 0),
        ([0, None, 20, None], [0, 10, 20, 30], 2, 0),
        ([0, 10, 0, 10, 20, 30, 40, 50], [0, 10, 20, 30, 40, 50, 60, 70], 0, 6),
        ([7, 7, 7], [7, 17, 27], 0, 2),
        ([-30, -20, None, 0], [-30, -20, -10, 0], 1, 0),
        ([], [], 0, 0),
    ],
)
def test_places(stamps: list[int | None], placed: list[int], missing: int, backward: int) -> None:
    result, line = place(stamps)
    assert (result, line.missing, line.backward) == (placed, missing, backward)
    assert len(line.warnings()) == (missing > 0) + (backward > 0)


def test_a_stated_duration_is_used_for_the_gap() -> None:
    assert place([0, None, None], durations=[7, 3, 0])[0] == [0, 7, 10]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40))), st.integers(1, 1000))
def test_the_result_always_rises_and_good_stamps_stay(stamps: list[int | None], step: int) -> None:
    placed, _ = place(stamps, step)
    assert all(two > one for one, two in itertools.pairwise(placed))
    highest = None
    for stamp, result in zip(stamps, placed, strict=True):
        if stamp is not None and (highest is None or stamp > highest):
            assert result == stamp
        highest = result


def test_nominal_step() -> None:
    assert nominal_step(Fraction(1, 90000), Fraction(30000, 1001)) == 3003
    assert nominal_step(Fraction(1, 1000), Fraction(0)) == 40
    assert nominal_step(Fraction(1, 10), Fraction(60)) == 1
