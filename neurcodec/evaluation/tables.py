"""The words of a report: paragraphs, and tables of plain text. `markdown` and `report_page` both show these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurcodec.evaluation.compare import Json, mean_advantage
from neurcodec.evaluation.metrics import JURY
from neurcodec.evaluation.page import Table

NO_OVERLAP = "no overlap"


def every(data: Json, detailed: Sequence[str]) -> list[Table]:
    """All tables of the data of report.json, what decides first; BD-rates clip by clip of the metrics in `detailed`."""
    decisive = [table for table in (_jury(data), _generator(data)) if table is not None]
    rates = [*_bd_means(data), *_bd_clips(data, detailed), *_equal_bytes(data)]
    return [*decisive, *rates, _costs(data), _settings(data), _definitions(data)]


def notes(data: Json) -> list[str]:
    """How the data of report.json came about, a paragraph each."""
    clips, machine = data["clips"], data["machine"]
    listed = ", ".join(f"{c['name']} ({c['width']}x{c['height']}, {c['frames']} frames)" for c in clips)
    lines = [
        f"Made by `{data['command']}` on {data['created'][:10]} with neurcodec {data['neurcodec']} "
        f"({machine['processor']}, {machine['cores']} cores, {machine['jobs']} measurement(s) at a time).",
        f"Clips: {listed}.",
        "Rates are whole files (peers: the sum of their packets) in bits per pixel of the source. BD-rate is the mean "
        f"difference of the bytes at equal quality ({data['interpolation']} over the logarithm of the bytes, over the "
        "qualities that both reach); negative means fewer bytes than the anchor. Peers are the convex hull of their "
        "points of all sizes.",
    ]
    return lines + [f"Not measured: {name}: {reason}." for name, reason in data["missing"].items()]


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table, `no overlap` for None."""
    return NO_OVERLAP if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A signed percentage, `no overlap` for None."""
    return NO_OVERLAP if value is None else f"{value:+.1f} %"


def _jury(data: Json) -> Table | None:
    """The mean of judges against every anchor, and the judges behind it."""
    rows = []
    for found in data["jury"]:
        judges = [_rate(data, name, found["test"], found["anchor"]) for name in JURY]
        clips = [value for value in found["clips"].values() if value is not None]
        span = f"{percent(min(clips))} to {percent(max(clips))}" if clips else NO_OVERLAP
        rows.append((f"{found['test']} / {found['anchor']}", percent(found["mean"]), *judges, span))
    if not rows:
        return None
    note = (
        "The geometric mean of the BD-rates by three judges that no loss of ours contains; last, the clip where it is "
        "lowest and the one where it is highest. `-coarse` is the same file without the generator."
    )
    titles = [data["metrics"][name]["title"] for name in JURY]
    header = ["BD-rate of / against", "mean of judges", *titles, "clips"]
    return {"title": "Mean of judges", "note": note, "header": header, "rows": list(map(list, rows)), "lead": True}


def _rate(data: Json, metric: str, test: str, anchor: str) -> str:
    rows = [r for r in data["bd_rate"] if (r["metric"], r["test"], r["anchor"]) == (metric, test, anchor)]
    return percent(rows[0]["mean"]) if rows else "-"


def _generator(data: Json) -> Table | None:
    """What the generator is worth: every curve that has a coarse twin, which holds the same files, against it."""
    rows = []
    for curve in _pairs(data):
        base = f"{curve}-coarse"
        for metric, kind in data["metrics"].items():
            final, coarse = _mean(data, curve, metric), _mean(data, base, metric)
            if final is not None and coarse is not None:
                rate = _rate(data, metric, curve, base)
                rows.append((f"{kind['title']}, {curve}", kind["kind"], rate, number(final), number(coarse)))
    if not rows:
        return None
    note = (
        "The same files with and without diffusion: BD-rate against the base alone (negative: the generator helps), "
        "and the means over all points. A `loss` was part of training and says little; a `judge` never was."
    )
    header = ["metric", "kind", "BD-rate", "with", "without"]
    made = list(map(list, rows))
    return {"title": "What the generator is worth", "note": note, "header": header, "rows": made, "lead": True}


def _mean(data: Json, curve: str, metric: str) -> float | None:
    points: list[dict[str, Any]] = [point for clip in data["clips"] for point in clip["points"]]
    values = [p["metrics"][metric] for p in points if p["curve"] == curve and p["metrics"].get(metric) is not None]
    return sum(values) / len(values) if values else None


def _title(data: Json, metric: str) -> str:
    """A metric for the first column, with its kind."""
    return f"{metric} ({data['metrics'][metric]['kind']})"


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


def _bd_means(data: Json) -> list[Table]:
    tables: list[Table] = []
    for test, anchors in _pairs(data).items():
        rows = []
        for metric in data["metrics"]:
            found = {row["anchor"]: f"{percent(row['mean'])} ({row['overlapping']})"
                     for row in _bd_rows(data, metric, test)}  # fmt: skip
            rows.append([_title(data, metric), *(found.get(anchor, "-") for anchor in anchors)])
        note = "Mean over the clips, in brackets the number of clips that overlap."
        title = f"BD-rate of {test} against"
        tables.append(Table(title=title, note=note, header=["metric", *anchors], rows=rows, lead=not tables))
    return tables


def _bd_clips(data: Json, detailed: Sequence[str]) -> list[Table]:
    names = [clip["name"] for clip in data["clips"]]
    found = {"mean of judges": data["jury"]} if data["jury"] else {}
    for metric in (name for name in data["metrics"] if name in detailed):
        found[_title(data, metric)] = [row for row in data["bd_rate"] if row["metric"] == metric]
    tables = []
    for title, rates in found.items():
        rows = [[f"{row['test']} / {row['anchor']}", *(percent(row["clips"][name]) for name in names)] for row in rates]
        tables.append(Table(title=f"BD-rate per clip, {title}", note="", header=["test / anchor", *names], rows=rows))
    return tables


def _equal_bytes(data: Json) -> list[Table]:
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
        tables.append(Table(title=title, note=note, header=["metric", *anchors], rows=rows))
    return tables


def _costs(data: Json) -> Table:
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
    note = (
        "Whole processes, start-up and lossless input and output included; peers use one thread. Frames/s are wall "
        "clock and suffer from whatever else the machine did; CPU time (all cores together) does not. Memory is the "
        "highest resident set of the process and its children, sampled every 20 ms."
    )
    return Table(title="Speed and memory", note=note, header=header, rows=rows)


def _settings(data: Json) -> Table:
    rows = []
    for name, codec in data["codecs"].items():
        rows.append([name, "; ".join(f"{key}: `{value}`" for key, value in codec.items() if key != "curves")])
    return Table(title="Settings", note="", header=["codec", "settings"], rows=rows)


def _definitions(data: Json) -> Table:
    rows = []
    for name, kind in data["metrics"].items():
        better = "higher" if kind["higher"] else "lower"
        rows.append([name, kind["kind"], kind["title"], kind["unit"] or "-", better])
    header = ["name", "kind", "title", "unit", "better"]
    return Table(title="Metrics", note="Definitions are in `docs/bench.md`.", header=header, rows=rows)
