"""The readable report: Markdown from the data of report.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neurcodec.evaluation.compare import Json, mean_advantage
from neurcodec.evaluation.metrics import JURY
from neurcodec.evaluation.page import Table

NO_OVERLAP = "no overlap"
OUT_OF_RANGE = "-"
DETAILED = (*JURY, "lpips", "psnr")
"""Metrics whose BD-rates are listed clip by clip; the others are in report.json."""


def render(data: Json, plots: Sequence[str], strips: Mapping[str, str]) -> str:
    """The text of report.md; pictures are linked by the given file names."""
    sections = [_head(data)]
    sections += [f"## {t['title']}\n\n{t['note']}\n\n{table(t['header'], t['rows'])}" for t in leading(data)]
    sections += [_bd_rates(data), _per_clip(data), _equal_bytes(data), _costs(data), _settings(data)]
    sections += [_definitions(data), _pictures(data, plots, strips)]
    return "\n\n".join(section for section in sections if section) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table, `no overlap` for None."""
    return NO_OVERLAP if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """A signed percentage, `no overlap` for None."""
    return NO_OVERLAP if value is None else f"{value:+.1f} %"


def _curves(data: Json, rows: str, column: str) -> list[str]:
    return list(dict.fromkeys(row[column] for row in data[rows]))


def _head(data: Json) -> str:
    clips, machine = data["clips"], data["machine"]
    listed = ", ".join(f"{c['name']} ({c['width']}x{c['height']}, {c['frames']} frames)" for c in clips)
    lines = [
        "# Scoreboard",
        f"Made by `{data['command']}` on {data['created'][:10]} with neurcodec {data['neurcodec']} "
        f"({machine['processor']}, {machine['cores']} cores, {machine['jobs']} measurement(s) at a time).",
        f"Clips: {listed}.",
        "Rates are whole files (peers: the sum of their packets) in bits per pixel of the source. BD-rate is the mean "
        f"difference of the bytes at equal quality ({data['interpolation']} over the logarithm of the bytes, over the "
        "qualities that both reach); negative means fewer bytes than the anchor. Peers are the convex hull of their "
        "points of all sizes.",
    ]
    lines += [f"Not measured: {name}: {reason}." for name, reason in data["missing"].items()]
    return "\n\n".join(lines)


def _settings(data: Json) -> str:
    rows = []
    for name, codec in data["codecs"].items():
        details = "; ".join(f"{key}: `{value}`" for key, value in codec.items() if key != "curves")
        rows.append((name, details))
    return "## Settings\n\n" + table(("codec", "settings"), rows)


def leading(data: Json) -> list[Table]:
    """What decides and so stands at the top: the mean of judges, and what the generator is worth."""
    return [table for table in (_jury(data), _generator(data)) if table is not None]


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
    for curve in _curves(data, "bd_rate", "test"):
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


def _bd_rates(data: Json) -> str:
    parts = ["## BD-rate, mean over the clips (number of clips that overlap)"]
    for test in _curves(data, "bd_rate", "test"):
        rows = []
        others = [anchor for anchor in _curves(data, "bd_rate", "anchor") if anchor != test]
        for metric, kind in data["metrics"].items():
            found = [row for row in data["bd_rate"] if row["metric"] == metric and row["test"] == test]
            cells = (f"{percent(row['mean'])} ({row['overlapping']})" for row in found)
            rows.append((metric, kind["kind"], *cells))
        parts += [f"{test} against:", table(("metric", "kind", *others), rows)]
    return "\n\n".join(parts)


def _per_clip(data: Json) -> str:
    parts = ["## BD-rate clip by clip"]
    jury = [(row, row["clips"]) for row in data["jury"]]
    tables = {"Mean of judges": jury} if jury else {}
    for metric in (name for name in DETAILED if name in data["metrics"]):
        title = data["metrics"][metric]["title"]
        tables[title] = [(row, row["clips"]) for row in data["bd_rate"] if row["metric"] == metric]
    for title, found in tables.items():
        rows = [(f"{row['test']} / {row['anchor']}", *map(percent, clips.values())) for row, clips in found]
        parts += [f"{title}:", table(("test / anchor", *_names(data)), rows)]
    return "\n\n".join(parts)


def _names(data: Json) -> list[str]:
    return [clip["name"] for clip in data["clips"]]


def _equal_bytes(data: Json) -> str:
    parts = ["## Quality at equal bytes, mean over the points that lie in the anchor's range (test / anchor)"]
    for test in _curves(data, "equal_bytes", "test"):
        anchors = [anchor for anchor in _curves(data, "bd_rate", "anchor") if anchor != test]
        rows = []
        for metric, kind in data["metrics"].items():
            cells = []
            for anchor in anchors:
                found = mean_advantage(data["equal_bytes"], metric, test, anchor)
                cells.append(NO_OVERLAP if found is None else f"{found[0]:.3f} / {found[1]:.3f} ({found[2]})")
            arrow = "higher" if kind["higher"] else "lower"
            rows.append((f"{metric} ({arrow} is better)", *cells))
        parts += [f"{test} against:", table(("metric", *anchors), rows)]
    return "\n\n".join(parts)


def _costs(data: Json) -> str:
    rows = []
    for curve, costs in data["costs"].items():
        if costs is not None:
            cells = [curve]
            for side in ("encode", "decode"):
                cells += [number(costs[f"{side}_fps"], 1), number(costs[f"{side}_cpu_ms"], 0)]
                cells.append(str(costs[f"{side}_memory"] >> 20))
            rows.append(cells)
    header = ["codec"]
    for side in ("encode", "decode"):
        header += [f"{side} frames/s", f"{side} CPU ms/frame", f"{side} peak MiB"]
    note = (
        "Whole processes, start-up and lossless input and output included; peers use one thread. Frames/s are wall "
        "clock and suffer from whatever else the machine did; CPU time (all cores together) does not. Memory is the "
        "highest resident set of the process and its children, sampled every 20 ms."
    )
    return f"## Speed and memory\n\n{note}\n\n" + table(header, rows)


def _definitions(data: Json) -> str:
    rows = []
    for name, kind in data["metrics"].items():
        better = "higher" if kind["higher"] else "lower"
        rows.append((name, kind["kind"], kind["title"], kind["unit"] or "-", better))
    header = ("name", "kind", "title", "unit", "better")
    return "## Metrics\n\nDefinitions are in `docs/bench.md`.\n\n" + table(header, rows)


def _pictures(data: Json, plots: Sequence[str], strips: Mapping[str, str]) -> str:
    parts = ["## Plots", *(f"![{plot}]({plot})" for plot in plots)]
    if strips:
        parts += [
            "## Strips",
            "Source, ours, and the peers at the same bytes (within 3 % where the captions do not say otherwise); "
            "`report.html` has the whole pictures, more frames, and a wipe between any two.",
        ]
    for clip in data["clips"]:
        if clip["name"] in strips:
            sizes = ", ".join(f"{v['name']} {v['setting']}: {v['bytes']}" for v in clip["shown"]["versions"][1:])
            parts.append(f"{clip['name']} (bytes of {clip['frames']} frames: {sizes})")
            parts.append(f"![{clip['name']}]({strips[clip['name']]})")
    return "\n\n".join(parts)
