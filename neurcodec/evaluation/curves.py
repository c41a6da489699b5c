"""Rate-quality curves: the envelope of a codec's points, BD-rate (Bjontegaard 2001) and quality at equal bytes.

A curve is a list of (bytes, quality) where more quality is better; metrics that fall with quality are negated before.
"""

from __future__ import annotations

from collections.abc import Sequence

import bjontegaard
import numpy as np
from scipy.interpolate import PchipInterpolator

Curve = Sequence[tuple[float, float]]
METHOD = "pchip"
"""Interpolation between points, on the logarithm of the bytes: monotone, no overshoot."""
FEWEST_POINTS = 4


def pareto(points: Curve) -> list[tuple[float, float]]:
    """The points that no other point beats with as few bytes; bytes and quality both rise strictly."""
    kept: list[tuple[float, float]] = []
    for size, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or quality > kept[-1][1]:
            kept.append((size, quality))
    return kept


def hull(points: Curve) -> list[tuple[float, float]]:
    """The upper convex hull over bytes: what remains when a user picks the better of several ways at each rate."""
    kept: list[tuple[float, float]] = []
    for point in pareto(points):
        while len(kept) > 1 and _below(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return kept


def _below(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """True when `middle` lies on or under the straight line from `first` to `last`."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def bd_rate(anchor: Curve, test: Curve) -> float | None:
    """Mean difference of the bytes of `test` from `anchor` at equal quality, in percent; negative = fewer bytes.

    Both are envelopes with at least two points. None when no quality is reached by both.
    """
    if len(anchor) < 2 or len(test) < 2:
        return None
    if max(anchor[0][1], test[0][1]) >= min(anchor[-1][1], test[-1][1]):
        return None
    (rate_a, quality_a), (rate_t, quality_t) = np.array(anchor, float).T, np.array(test, float).T
    options = {"method": METHOD, "require_matching_points": False, "min_overlap": 0}
    return float(bjontegaard.bd_rate(rate_a, quality_a, rate_t, quality_t, **options))


def quality_at(curve: Curve, size: float) -> float | None:
    """Interpolated quality of an envelope at this many bytes; None outside its range of bytes."""
    if len(curve) < 2 or not curve[0][0] <= size <= curve[-1][0]:
        return None
    sizes, qualities = np.array(curve, float).T
    return float(PchipInterpolator(np.log(sizes), qualities)(np.log(size)))
