"""What the report says in numbers: envelopes, BD-rates, quality at equal bytes, speed; as plain JSON-ready data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from neurcodec.evaluation.bench import ClipResult
from neurcodec.evaluation.curves import FEWEST_POINTS, Curve, bd_rate, hull, pareto, quality_at
from neurcodec.evaluation.metrics import JURY, METRICS

Json = dict[str, Any]


def curve_points(clip: ClipResult, curve: str, metric: str) -> list[tuple[float, float]]:
    """The measured (bytes, quality) of one curve, quality negated where less is better."""
    sign = 1.0 if METRICS[metric].higher else -1.0
    found = []
    for point in clip.points:
        value = point.metrics.get(metric)
        if point.curve == curve and value is not None:
            found.append((float(point.size), sign * value))
    return found


def envelope(clip: ClipResult, curve: str, metric: str) -> Curve:
    """The envelope of one curve; the convex hull for a codec that was run at several sizes. Empty below 4 points."""
    points = curve_points(clip, curve, metric)
    if len(points) < FEWEST_POINTS:
        return []
    scales = {point.scale for point in clip.points if point.curve == curve}
    return hull(points) if len(scales) > 1 else pareto(points)


def bd_table(clips: Sequence[ClipResult], tests: Sequence[str], anchors: Sequence[str]) -> list[Json]:
    """BD-rate (percent) of each test curve against each anchor, per metric and clip; null = no overlap."""
    rows: list[Json] = []
    for metric in _present(clips):
        for test, anchor in ((test, anchor) for test in tests for anchor in anchors if test != anchor):
            values = {
                clip.name: bd_rate(envelope(clip, anchor, metric), envelope(clip, test, metric)) for clip in clips
            }
            known = [value for value in values.values() if value is not None]
            mean = sum(known) / len(known) if known else None
            row = {"metric": metric, "test": test, "anchor": anchor, "clips": values}
            rows.append({**row, "mean": mean, "overlapping": len(known)})
    return rows


def _present(clips: Sequence[ClipResult]) -> list[str]:
    measured = {name for clip in clips for point in clip.points for name in point.metrics}
    return [name for name in METRICS if name in measured]


def equal_bytes(clips: Sequence[ClipResult], tests: Sequence[str], anchors: Sequence[str]) -> list[Json]:
    """Each measured value of the test curves beside what each anchor reaches at the same bytes; null = out of range."""
    rows: list[Json] = []
    for metric in _present(clips):
        sign = 1.0 if METRICS[metric].higher else -1.0
        for clip in clips:
            bounds = {anchor: envelope(clip, anchor, metric) for anchor in anchors}
            for point in clip.points:
                if point.curve not in tests or point.metrics.get(metric) is None:
                    continue
                curves = {anchor: curve for anchor, curve in bounds.items() if anchor != point.curve}
                others = {anchor: _signed(quality_at(curve, point.size), sign) for anchor, curve in curves.items()}
                row = {"metric": metric, "clip": clip.name, "test": point.curve, "value": point.value}
                rows.append({**row, "bytes": point.size, "score": point.metrics[metric], "anchors": others})
    return rows


def _signed(value: float | None, sign: float) -> float | None:
    return None if value is None else sign * value


def jury(rows: Sequence[Json]) -> list[Json]:
    """The mean of judges from the rows of `bd_table`: the geometric mean of the BD-rates by the JURY, in percent.

    One row for each pair of curves: `mean` of the means over the clips, `clips` of each clip; null where a judge finds
    no overlap. No row where a judge was not measured.
    """
    pairs = list(dict.fromkeys((row["test"], row["anchor"]) for row in rows))
    found: list[Json] = []
    for test, anchor in pairs:
        own = {row["metric"]: row for row in rows if (row["test"], row["anchor"]) == (test, anchor)}
        judges = [own[name] for name in JURY if name in own]
        if len(judges) == len(JURY):
            clips = {name: together([row["clips"][name] for row in judges]) for name in judges[0]["clips"]}
            mean = together([row["mean"] for row in judges])
            found.append({"test": test, "anchor": anchor, "mean": mean, "clips": clips})
    return found


def together(rates: Sequence[float | None]) -> float | None:
    """Geometric mean of rates in percent, None where one is."""
    known = [1 + rate / 100 for rate in rates if rate is not None]
    return 100 * (math.prod(known) ** (1 / len(known)) - 1) if len(known) == len(rates) else None


def mean_advantage(rows: Sequence[Json], metric: str, test: str, anchor: str) -> tuple[float, float, int] | None:
    """Mean of the test's and the anchor's score at equal bytes, and the number of points; None without any."""
    pairs = [
        (row["score"], row["anchors"][anchor])
        for row in rows
        if row["metric"] == metric and row["test"] == test and row["anchors"].get(anchor) is not None
    ]
    if not pairs:
        return None
    return sum(own for own, _ in pairs) / len(pairs), sum(other for _, other in pairs) / len(pairs), len(pairs)


def costs(clips: Sequence[ClipResult], curve: str) -> Json | None:
    """Speed over a curve's scored points at full size (frames/s, processor ms per frame) and its highest memory."""
    found = [(clip, p) for clip in clips for p in clip.points if p.curve == curve and p.decode and p.scale == 1]
    if not found:
        return None
    frames = sum(clip.frames for clip, _ in found)
    result: Json = {}
    for side in ("encode", "decode"):
        spent = [getattr(point, side) for _, point in found]
        result[f"{side}_fps"] = frames / sum(cost.seconds for cost in spent)
        result[f"{side}_cpu_ms"] = 1000 * sum(cost.cpu_seconds for cost in spent) / frames
        result[f"{side}_memory"] = max(cost.peak_memory for cost in spent)
    return result
