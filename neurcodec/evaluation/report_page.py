"""report.html from the data of report.json: its tables and curves, and the pictures that the caller chose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neurcodec.evaluation import page, tables
from neurcodec.evaluation.compare import Json
from neurcodec.evaluation.curves import FEWEST_POINTS, hull, pareto

PICTURE_BUDGET = 4_800_000
"""Bytes for `page.encode_scenes`, so that report.html of six clips stays below 6 MB."""


def build(data: Json, wipes: Sequence[page.Wipe]) -> str:
    """The text of report.html; `data` as report.build makes it."""
    made = tables.every(data, list(data["metrics"]))
    plots = [_plot(data, metric) for metric in data["metrics"]]
    notes = tables.notes(data)
    return page.render("Scoreboard", {"notes": notes, "tables": made, "plots": plots, "wipes": list(wipes)})


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _plot(data: Json, metric: str) -> page.Plot:
    about = data["metrics"][metric]
    names = [name for codec in data["codecs"].values() for name in codec["curves"]]
    clips = []
    for clip in data["clips"]:
        curves = [_curve(clip, name, metric, about["higher"]) for name in names]
        clips.append(page.ClipPlot(clip=clip["name"], curves=[curve for curve in curves if curve["points"]]))
    plot = page.Plot(metric=metric, title=about["title"], unit=about["unit"], higher=about["higher"], clips=clips)
    if "kind" in about:
        plot["kind"] = about["kind"]
    return plot


def _curve(clip: Json, name: str, metric: str, higher: bool) -> page.PlotCurve:
    """The measured points of one curve by rising rate, and the envelope that BD-rate uses."""
    points = [p for p in clip["points"] if p["curve"] == name and _known(p["metrics"].get(metric))]
    points.sort(key=lambda point: point["bytes"])
    sign = 1 if higher else -1
    scales = {point["scale"] for point in clip["points"] if point["curve"] == name}
    bound = hull if len(scales) > 1 else pareto
    line = bound([(p["bpp"], sign * p["metrics"][metric]) for p in points]) if len(points) >= FEWEST_POINTS else []
    return {
        "name": name,
        "points": [_point(point, metric) for point in points],
        "hull": [[_short(bpp), _short(sign * value)] for bpp, value in line],
    }


def _point(point: Json, metric: str) -> page.PlotPoint:
    value = _short(point["metrics"][metric])
    return {"bpp": _short(point["bpp"]), "bytes": point["bytes"], "value": value, "label": _setting(point)}


def _setting(point: Json) -> str:
    size = f" at 1/{point['scale']}" if point["scale"] > 1 else ""
    return f"setting {point['value']:g}{size}"


def _short(value: float) -> float:
    """Five digits, which no plot can show."""
    return float(f"{value:.5g}")
