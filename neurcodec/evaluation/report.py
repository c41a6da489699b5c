"""The report: `report.json` (fields in docs/bench.md), `report.md`, `report.html`, plots and strips."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neurcodec import __version__
from neurcodec.evaluation import compare, markdown, pictures, report_page
from neurcodec.evaluation.bench import ClipResult
from neurcodec.evaluation.cache import SCORING, Point
from neurcodec.evaluation.codecs import Codec
from neurcodec.evaluation.compare import Json
from neurcodec.evaluation.curves import METHOD
from neurcodec.evaluation.matched import RATE
from neurcodec.evaluation.metrics import JURY, METRICS, Networks
from neurcodec.evaluation.page import Scene, Shot, encode_scenes

FORMAT_VERSION = 2
PLOTTED = (*JURY, "lpips")
"""Metrics that are drawn as pictures of their own, where they were measured; report.html draws all."""


@dataclass(frozen=True)
class Run:
    """What was measured, and how."""

    clips: Sequence[ClipResult]
    codecs: Sequence[Codec]
    networks: Networks
    command: str
    jobs: int


def tested_curves(codecs: Sequence[Codec]) -> tuple[list[str], list[str]]:
    """(curves under test, anchors): ours against the peers and our own base; without ours, peers against each other."""
    peers = [curve for codec in codecs if not codec.ours for curve in codec.curves]
    ours = [curve for codec in codecs if codec.ours for curve in codec.curves]
    return ours or peers, peers + ours[1:]


def build(run: Run) -> Json:
    """The whole report as JSON-ready data."""
    tests, anchors = tested_curves(run.codecs)
    curves = [curve for codec in run.codecs for curve in codec.curves]
    rates = compare.bd_table(run.clips, tests, anchors)
    system = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    return {
        "type": "neurcodec-bench",
        "scoring": SCORING,
        "version": FORMAT_VERSION,
        "neurcodec": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": run.command,
        "machine": {**system, "jobs": run.jobs},
        "metrics": {name: asdict(METRICS[name]) for name in run.networks.metrics},
        "missing": run.networks.missing,
        "interpolation": METHOD,
        "codecs": {codec.name: {"curves": list(codec.curves), **codec.describe()} for codec in run.codecs},
        "clips": [_clip(clip) for clip in run.clips],
        "jury": compare.jury(rates),
        "bd_rate": rates,
        "equal_bytes": compare.equal_bytes(run.clips, tests, anchors),
        "costs": {curve: compare.costs(run.clips, curve) for curve in curves},
    }


def processor() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _clip(clip: ClipResult) -> Json:
    size = {"frames": clip.frames, "width": clip.width, "height": clip.height, "rate": str(clip.rate)}
    points = [_point(point, clip) for point in clip.points]
    return {"name": clip.name, "sha256": clip.hash, **size, "shown": _shown(clip), "points": points}


def _point(point: Point, clip: ClipResult) -> Json:
    data: Json = {"curve": point.curve, "value": point.value, "scale": point.scale}
    data |= {"bytes": point.size, "bpp": point.size * 8 / clip.pixels, "metrics": point.metrics}
    for side, cost in (("encode", point.encode), ("decode", point.decode)):
        data[side] = None if cost is None else {"fps": clip.frames / cost.seconds, **asdict(cost)}
    return data


def _shown(clip: ClipResult) -> Json | None:
    """What the pictures of a clip are of."""
    if clip.shown is None:
        return None
    versions = [{"name": v.name, "setting": v.setting, "bytes": v.size} for v in clip.shown.versions]
    return {"frames": clip.shown.frames, "versions": versions}


def rounded(data: Any) -> Any:
    """The same data with numbers of six digits: more is noise."""
    if isinstance(data, float):
        return float(f"{data:.6g}")
    if isinstance(data, dict):
        return {key: rounded(value) for key, value in data.items()}
    return [rounded(value) for value in data] if isinstance(data, list) else data


def write(run: Run, folder: Path, page: Path | None = None) -> Path:
    """Write report.json, report.html, plots and strips into `folder`, the text to `page` (report.md in `folder`)."""
    folder.mkdir(parents=True, exist_ok=True)
    data = build(run)
    (folder / "report.json").write_text(json.dumps(rounded(data)) + "\n")
    curves = [curve for codec in run.codecs for curve in codec.curves]
    page = page or folder / "report.md"
    prefix = os.path.relpath(folder, page.parent)
    plots = []
    for metric in [name for name in run.networks.metrics if name in PLOTTED] or run.networks.metrics:
        plots.append(f"{prefix}/plot-{metric}.png")
        pictures.save_plot(folder / f"plot-{metric}.png", run.clips, curves, metric)
    strips = {}
    for clip in run.clips:
        if clip.shown is not None:
            strips[clip.name] = f"{prefix}/strip-{clip.name}.jpg"
            pictures.save_strip(folder / f"strip-{clip.name}.jpg", clip, clip.shown)
    page.write_text(markdown.render(data, plots, strips))
    wipes = encode_scenes([_scene(clip) for clip in run.clips if clip.shown is not None], report_page.PICTURE_BUDGET)
    (folder / "report.html").write_text(report_page.build(data, wipes), "utf-8")
    return page


def _scene(clip: ClipResult) -> Scene:
    """The wipe of a clip: first ours, behind the source, beside the first peer, VVenC where it was run."""
    assert clip.shown is not None
    peers = [i for i, v in enumerate(clip.shown.versions) if i > 1 and not v.name.endswith("-coarse")]
    shots = [Shot(v.name, v.setting, v.size, v.pictures) for v in clip.shown.versions]
    note = f"{clip.width}x{clip.height}, {clip.frames} frames; about {RATE:g} bits per pixel"
    return Scene(clip.name, note, clip.shown.frames, shots, (1, peers[0] if peers else 0))
