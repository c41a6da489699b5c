"""report.html from the data of report.json: its tables and curves, and the pictures that the caller chose."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neurcodec.evaluation import page
from neurcodec.evaluation.compare import Json, mean_advantage
from neurcodec.evaluation.curves import FEWEST_POINTS, hull, pareto
from neurcodec.evaluation.markdown import NO_OVERLAP, leading, number, percent

PICTURE_BUDGET = 4_800_000
"""Bytes for `page.encode_scenes`, so that report.html of six clips stays below 6 MB."""


def build(data: Json, wipes: Sequence[page.Wipe]) -> str:
    """The text of report.html; `data` as report.build makes it."""
    made = [*leading(data), *_bd_means(data), *_bd_clips(data), *_equal_bytes(data), *_costs(data), _how(data)]
    plots = [_plot(data, metric) for metric in data["metrics"]]
    return page.render("Scoreboard", {"notes": _notes(data), "tables": made, "plots": plots, "wipes": list(wipes)})


def _notes(data: Json) -> list[str]:
    machine = data["machine"]
    notes = [
        f"Made by `ncodec bench` on {data['created'][:10]} with neurcodec {data['neurcodec']} "
        f"({machine['processor']}, {machine['cores']} cores, {machine['jobs']} measurement(s) at a time).",
        "Rates are whole files in bits per pixel of the source. BD-rate is the mean difference of the bytes at equal "
        "quality; negative means fewer bytes than the anchor.",
    ]
    return notes + [f"Not measured: {name}: {reason}." for name, reason in data["missing"].items()]


def _title(data: Json, metric: str) -> str:
    """A metric for the first column, with its kind when it has one."""
    kind = data["metrics"][metric].get("kind")
    return f"{metric} ({kind})" if kind else metric


def _pairs(data: Json) -> dict[str, list[str]]:
    """Curve under test -> its anchors."""
    pairs: dict[str, list[str]] = {}
    for row in data["bd_rate"]:
        anchors = pairs.setdefault(row["test"], [])
        if row["anchor"] not in anchors:
            anchors.append(row["anchor"])
    return pairs


def _bd_rows(data: Json, metric: str, test: str) -> list[Json]:
    return [row for row in data["bd_rate"] if row["metric"] == metric and row["test"] == test]


def _bd_means(data: Json) -> list[page.Table]:
    tables: list[page.Table] = []
    for test, anchors in _pairs(data).items():
        rows = []
        for metric in data["metrics"]:
            found = {row["anchor"]: f"{percent(row['mean'])} ({row['overlapping']})"
                     for row in _bd_rows(data, metric, test)}  # fmt: skip
            rows.append([_title(data, metric), *(found.get(anchor, "-") for anchor in anchors)])
        note = "Mean over the clips, in brackets the number of clips that overlap."
        title = f"BD-rate of {test} against"
        tables.append(page.Table(title=title, note=note, header=["metric", *anchors], rows=rows, lead=not tables))
    return tables


def _bd_clips(data: Json) -> list[page.Table]:
    names = [clip["name"] for clip in data["clips"]]
    tables = []
    for metric in data["metrics"]:
        rows = []
        for row in (row for row in data["bd_rate"] if row["metric"] == metric):
            cells = (percent(row["clips"].get(name)) for name in names)
            rows.append([f"{row['test']} / {row['anchor']}", *cells])
        title = f"BD-rate per clip, {_title(data, metric)}"
        tables.append(page.Table(title=title, note="", header=["test / anchor", *names], rows=rows))
    return tables


def _equal_bytes(data: Json) -> list[page.Table]:
    tables = []
    for test, anchors in _pairs(data).items():
        rows = []
        for metric, kind in data["metrics"].items():
            cells = []
            for anchor in anchors:
                found = mean_advantage(data["equal_bytes"], metric, test, anchor)
                cells.append(NO_OVERLAP if found is None else f"{found[0]:.3f} / {found[1]:.3f} ({found[2]})")
            rows.append([f"{_title(data, metric)}, {'higher' if kind['higher'] else 'lower'} is better", *cells])
        note = f"{test} / anchor, mean over the points (their number in brackets) that lie in the anchor's range."
        title = f"Quality of {test} at equal bytes"
        tables.append(page.Table(title=title, note=note, header=["metric", *anchors], rows=rows))
    return tables


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _costs(data: Json) -> list[page.Table]:
    header, rows = ["codec"], []
    for side in ("encode", "decode"):
        header += [f"{side} frames/s", f"{side} CPU ms/frame", f"{side} peak MiB"]
    for curve, costs in data["costs"].items():
        if costs is not None:
            cells = [curve]
            for side in ("encode", "decode"):
                cells += [number(costs[f"{side}_fps"], 1), number(costs[f"{side}_cpu_ms"], 0)]
                cells.append(str(costs[f"{side}_memory"] >> 20))
            rows.append(cells)
    note = "Whole processes with start-up; frames/s suffer from whatever else the machine did, CPU time does not."
    return [page.Table(title="Speed and memory", note=note, header=header, rows=rows)]


def _how(data: Json) -> page.Table:
    rows = [["command", data["command"]]]
    for clip in data["clips"]:
        rows.append([clip["name"], f"{clip['width']}x{clip['height']}, {clip['frames']} frames"])
    for name, codec in data["codecs"].items():
        rows.append([name, "; ".join(f"{key}: {value}" for key, value in codec.items() if key != "curves")])
    return page.Table(title="How it was made", note="", header=["what", "details"], rows=rows)


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
