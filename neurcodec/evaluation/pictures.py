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
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.clips import Frames
from neurcodec.evaluation.compare import curve_points, envelope
from neurcodec.evaluation.curves import Curve
from neurcodec.evaluation.metrics import METRICS

COLOURS = 64
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
STRIP_WIDTH, STRIP_QUALITY = 480, 80
STRIP_RATE = 0.015
"""The strip shows the point of our curve whose bits per pixel are closest to this, by ratio."""
SAME_BYTES = 1.25
"""A peer's point counts as 'the same bytes' up to this ratio; it may be larger than ours, in its favour."""


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


def _bpp(point: Point, clip: ClipResult) -> float:
    return point.size * 8 / clip.pixels


def strip_points(clip: ClipResult, ours: str, peers: Sequence[str]) -> tuple[Point, Point] | None:
    """Our point of the strip, and the peers' best (lowest LPIPS) of about the same bytes, or their nearest in bytes."""
    own = [p for p in clip.points if p.curve == ours and p.picture]
    others = [p for p in clip.points if p.curve in peers and p.picture]
    if not own or not others:
        return None
    chosen = min(own, key=lambda p: abs(math.log(_bpp(p, clip) / STRIP_RATE)))
    same = [p for p in others if 1 / SAME_BYTES <= p.size / chosen.size <= SAME_BYTES]
    if same:
        return chosen, min(same, key=lambda p: (p.metrics.get("lpips") or 0.0, -(p.metrics.get("psnr") or 0.0)))
    return chosen, min(others, key=lambda p: abs(math.log(p.size / chosen.size)))


def save_strip(path: Path, clip: ClipResult, cache: Cache, points: tuple[Point, Point]) -> None:
    """One JPEG: the showcase frame of the source, of ours and of the peer, side by side, labelled."""
    tiles = [_tile(clip.picture, "source")]
    for point in points:
        size = f" at 1/{point.scale}" if point.scale > 1 else ""
        tiles.append(_tile(cache.picture(point.picture), f"{point.curve} {point.value}{size}: {point.size} bytes"))
    Image.fromarray(np.hstack(tiles)).save(path, quality=STRIP_QUALITY, optimize=True)


def _tile(picture: Frames, label: str) -> Frames:
    height, width = picture.shape[:2]
    size = (STRIP_WIDTH, round(height * STRIP_WIDTH / width))
    tile = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    header = np.zeros((22, STRIP_WIDTH, 3), np.uint8)
    cv2.putText(header, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.48, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([header, tile])
