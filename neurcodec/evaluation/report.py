"""The report: `report.json` (fields in docs/bench.md), `report.md`, plots and strips."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from neurcodec import __version__
from neurcodec.evaluation import compare, markdown, pictures
from neurcodec.evaluation.bench import ClipResult
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.codecs import Codec
from neurcodec.evaluation.compare import Json
from neurcodec.evaluation.curves import METHOD
from neurcodec.evaluation.metrics import METRICS, Networks

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Run:
    """What was measured, and how."""

    clips: Sequence[ClipResult]
    codecs: Sequence[Codec]
    networks: Networks
    command: str
    jobs: int


def tested_curves(codecs: Sequence[Codec]) -> tuple[list[str], list[str]]:
    """(curves under test, anchors): ours against the peers; without ours, each peer against all others."""
    peers = [curve for codec in codecs if not codec.ours for curve in codec.curves]
    ours = [curve for codec in codecs if codec.ours for curve in codec.curves]
    return ours or peers, peers


def build(run: Run) -> Json:
    """The whole report as JSON-ready data."""
    tests, anchors = tested_curves(run.codecs)
    curves = [curve for codec in run.codecs for curve in codec.curves]
    system = {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    return {
        "type": "neurcodec-bench",
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
        "bd_rate": compare.bd_table(run.clips, tests, anchors),
        "equal_bytes": compare.equal_bytes(run.clips, tests, anchors),
        "fixed_rates": compare.fixed_rates(run.clips, curves),
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
    return {"name": clip.name, "sha256": clip.hash, **size, "showcase_frame": clip.showcase, "points": points}


def _point(point: Point, clip: ClipResult) -> Json:
    data: Json = {"curve": point.curve, "value": point.value, "scale": point.scale}
    data |= {"bytes": point.size, "bpp": point.size * 8 / clip.pixels, "metrics": point.metrics}
    for side, cost in (("encode", point.encode), ("decode", point.decode)):
        data[side] = None if cost is None else {"fps": clip.frames / cost.seconds, **asdict(cost)}
    return data


def write(run: Run, folder: Path, cache: Cache, page: Path | None = None) -> Path:
    """Write report.json, plots and strips into `folder`, and the text to `page` (default: report.md in `folder`)."""
    folder.mkdir(parents=True, exist_ok=True)
    data = build(run)
    (folder / "report.json").write_text(json.dumps(data, indent=1) + "\n")
    curves = [curve for codec in run.codecs for curve in codec.curves]
    page = page or folder / "report.md"
    prefix = os.path.relpath(folder, page.parent)
    plots = []
    for metric in run.networks.metrics:
        plots.append(f"{prefix}/plot-{metric}.png")
        pictures.save_plot(folder / f"plot-{metric}.png", run.clips, curves, metric)
    strips = {name: f"{prefix}/{file}" for name, file in _write_strips(run, folder, cache).items()}
    page.write_text(markdown.render(data, plots, strips))
    return page


def _write_strips(run: Run, folder: Path, cache: Cache) -> dict[str, str]:
    """Save one strip per clip that has the points for it; returns the file names by clip."""
    tests, anchors = tested_curves(run.codecs)
    strips = {}
    for clip in run.clips:
        points = pictures.strip_points(clip, tests[0], [anchor for anchor in anchors if anchor != tests[0]])
        if points is not None:
            strips[clip.name] = f"strip-{clip.name}.jpg"
            pictures.save_strip(folder / strips[clip.name], clip, cache, points)
    return strips
