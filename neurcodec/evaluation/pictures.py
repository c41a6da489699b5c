"""The report's pictures: one rate-quality plot per metric, and one strip per clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, StrMethodFormatter
from PIL import Image

from neurcodec.evaluation.bench import ClipResult
from neurcodec.evaluation.clips import Frames
from neurcodec.evaluation.compare import curve_points, envelope
from neurcodec.evaluation.curves import Curve
from neurcodec.evaluation.matched import Shown
from neurcodec.evaluation.metrics import METRICS

COLOURS = 64
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
STRIP_WIDTH, STRIP_QUALITY = 480, 80


def save_plot(path: Path, clips: Sequence[ClipResult], curves: Sequence[str], metric: str) -> None:
    """One PNG: for each clip the metric over bits per pixel; lines are envelopes, dots all measured points."""
    mpl.use("Agg")
    columns = min(3, len(clips))
    rows = math.ceil(len(clips) / columns)
    figure = Figure(figsize=(3.6 * columns, 2.7 * rows + 0.5), dpi=90, layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for panel, clip in zip(panels, clips, strict=False):
        _draw(panel, clip, curves, metric)
    for panel in panels[len(clips) :]:
        panel.axis("off")
    kind = METRICS[metric]
    unit = f" [{kind.unit}]" if kind.unit else ""
    arrow = "higher" if kind.higher else "lower"
    figure.suptitle(f"{kind.title}{unit}, {arrow} is better, over bits per pixel", fontsize=9, wrap=True)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(curves), fontsize=8)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    Image.open(buffer).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def _draw(panel: Axes, clip: ClipResult, curves: Sequence[str], metric: str) -> None:
    sign = 1.0 if METRICS[metric].higher else -1.0
    for index, curve in enumerate(curves):
        colour = f"C{index}"
        rates, values = _axes(curve_points(clip, curve, metric), clip, sign)
        panel.plot(rates, values, ".", color=colour, markersize=3, alpha=0.5)
        rates, values = _axes(envelope(clip, curve, metric), clip, sign)
        panel.plot(rates, values, color=colour, linewidth=1.2, label=curve)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(TICKS))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_title(clip.name, fontsize=9)
    panel.tick_params(labelsize=7, which="both")
    panel.grid(alpha=0.3, which="both", linewidth=0.4)


def _axes(points: Curve, clip: ClipResult, sign: float) -> tuple[list[float], list[float]]:
    return [size * 8 / clip.pixels for size, _ in points], [sign * value for _, value in points]


def save_strip(path: Path, clip: ClipResult, shown: Shown) -> None:
    """One JPEG: the middle one of the shown frames of source, ours and the peers, side by side, labelled."""
    frame = len(shown.frames) // 2
    versions = [version for version in shown.versions if not version.name.endswith("-coarse")]
    tiles = [_tile(version.pictures[frame], version.caption(clip.pixels)) for version in versions]
    Image.fromarray(np.hstack(tiles)).save(path, quality=STRIP_QUALITY, optimize=True)


def _tile(picture: Frames, label: str) -> Frames:
    height, width = picture.shape[:2]
    size = (STRIP_WIDTH, round(height * STRIP_WIDTH / width))
    tile = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    header = np.zeros((22, STRIP_WIDTH, 3), np.uint8)
    cv2.putText(header, label, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([header, tile])
