"""The readable report: Markdown from the data of report.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from neurcodec.evaluation import tables
from neurcodec.evaluation.compare import Json
from neurcodec.evaluation.metrics import JURY

DETAILED = (*JURY, "lpips", "psnr")
"""Metrics whose BD-rates are listed clip by clip; the others are in report.json."""


def render(data: Json, plots: Sequence[str], strips: Mapping[str, str]) -> str:
    """The text of report.md; pictures are linked by the given file names."""
    sections = ["# Scoreboard", *tables.notes(data)]
    for made in tables.every(data, DETAILED):
        sections += [f"## {made['title']}", made["note"], table(made["header"], made["rows"])]
    sections.append(_pictures(data, plots, strips))
    return "\n\n".join(section for section in sections if section) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
