"""The readable report: Markdown from the data of report.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neurcodec.evaluation.compare import Json, mean_advantage

NO_OVERLAP = "no overlap"
OUT_OF_RANGE = "-"
DETAILED = ("lpips", "psnr")
"""Metrics whose values at equal bytes are listed point by point; the others are in report.json."""


def render(data: Json, plots: Sequence[str], strips: Mapping[str, str]) -> str:
    """The text of report.md; pictures are linked by the given file names."""
    sections = [_head(data), _settings(data), _bd_rates(data), _equal_bytes(data), _coarse(data)]
    sections += [_fixed_rates(data, name) for name in DETAILED if name in data["metrics"]]
    sections += [_points_at_equal_bytes(data, name) for name in DETAILED if name in data["metrics"]]
    sections += [_costs(data), _definitions(data), _pictures(plots, strips)]
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


def _bd_rates(data: Json) -> str:
    parts = ["## BD-rate, mean over the clips (number of clips that overlap)"]
    tests, anchors = _curves(data, "bd_rate", "test"), _curves(data, "bd_rate", "anchor")
    for test in tests:
        rows = []
        others = [anchor for anchor in anchors if anchor != test]
        for metric in data["metrics"]:
            found = [row for row in data["bd_rate"] if row["metric"] == metric and row["test"] == test]
            rows.append((metric, *(f"{percent(row['mean'])} ({row['overlapping']})" for row in found)))
        parts += [f"{test} against:", table(("metric", *others), rows)]
    parts.append("### Per clip")
    for metric in (name for name in DETAILED if name in data["metrics"]):
        rows = []
        for row in (row for row in data["bd_rate"] if row["metric"] == metric):
            rows.append((f"{row['test']} / {row['anchor']}", *(percent(value) for value in row["clips"].values())))
        parts += [f"{data['metrics'][metric]['title']}:", table(("test / anchor", *_names(data)), rows)]
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


def _fixed_rates(data: Json, metric: str) -> str:
    curves = [curve for codec in data["codecs"].values() for curve in codec["curves"]]
    rows = []
    for row in (row for row in data["fixed_rates"] if row["metric"] == metric):
        cells = (OUT_OF_RANGE if row["scores"][curve] is None else number(row["scores"][curve]) for curve in curves)
        rows.append((row["clip"], str(row["bpp"]), *cells))
    return f"### {data['metrics'][metric]['title']} at given rates\n\n" + table(("clip", "bpp", *curves), rows)


def _points_at_equal_bytes(data: Json, metric: str) -> str:
    rows = []
    anchors = _curves(data, "bd_rate", "anchor")
    for row in (row for row in data["equal_bytes"] if row["metric"] == metric):
        others = (number(row["anchors"][name]) if name in row["anchors"] else "-" for name in anchors)
        rows.append((row["clip"], row["test"], str(row["value"]), str(row["bytes"]), number(row["score"]), *others))
    header = ("clip", "codec", "setting", "bytes", "measured", *anchors)
    return f"### {data['metrics'][metric]['title']} at equal bytes, point by point\n\n" + table(header, rows)


def _coarse(data: Json) -> str:
    """What diffusion adds: means of every curve that has a coarse twin, which holds the same files."""
    rows = []
    for codec in data["codecs"].values():
        for curve in codec["curves"]:
            if f"{curve}-coarse" in codec["curves"]:
                for metric in data["metrics"]:
                    final, coarse = (_mean(data, name, metric) for name in (curve, f"{curve}-coarse"))
                    if final is not None and coarse:
                        change = percent(100 * (final / coarse - 1))
                        rows.append((f"{curve}: {metric}", number(final), number(coarse), change))
    if not rows:
        return ""
    header = ("metric", "with diffusion", "coarse picture", "change")
    return "## The same files with and without diffusion, mean over all points\n\n" + table(header, rows)


def _mean(data: Json, curve: str, metric: str) -> float | None:
    points: list[dict[str, Any]] = [point for clip in data["clips"] for point in clip["points"]]
    values = [p["metrics"][metric] for p in points if p["curve"] == curve and p["metrics"].get(metric) is not None]
    return sum(values) / len(values) if values else None


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
        rows.append((name, kind["title"], kind["unit"] or "-", "higher" if kind["higher"] else "lower"))
    return "## Metrics\n\nDefinitions are in `docs/bench.md`.\n\n" + table(("name", "title", "unit", "better"), rows)


def _pictures(plots: Sequence[str], strips: Mapping[str, str]) -> str:
    parts = ["## Plots", *(f"![{plot}]({plot})" for plot in plots)]
    if strips:
        parts += [
            "## Strips",
            "Source, ours, and the peers' best by LPIPS at about the same bytes. The frame is the one whose change "
            "from the one before is the median of the clip, the rate our point closest to 0.015 bits per pixel.",
            *(f"{name}\n\n![{name}]({strip})" for name, strip in strips.items()),
        ]
    return "\n\n".join(parts)
