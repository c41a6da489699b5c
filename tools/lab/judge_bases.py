"""What judges say of AV1 bases and of what the generator makes of them, over tunings, scales and quantisers.

    python -m tools.lab.judge_bases measure CLIP... --out points.jsonl --weights DIR \\
        --tuning now --tuning plain=tune=1
    python -m tools.lab.judge_bases measure CLIP... --out points.jsonl --weights DIR \\
        --model models/default --strengths 1
    python -m tools.lab.judge_bases report points.jsonl

Settings of the layered profile are chosen by it on training clips (docs/decisions/0027 and on): the base's tuning, its
ladder of scales, the generator's strength. A point is one base, decoded and shown with a strength of the generator (0
is the base alone), its bytes and its scores by the JURY. Points that are in the file already are not measured again.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch

from neurcodec.analysis.laplacian import detail, texture_index, texture_map
from neurcodec.coarse.codec import to_rgb
from neurcodec.codec.base import base_size
from neurcodec.codec.layered import base_frames, measured_gap, restored
from neurcodec.codec.strength import best_share
from neurcodec.container import BaseLayer
from neurcodec.entropy import temporal_units
from neurcodec.entropy.conditioning import Conditioning
from neurcodec.errors import NcodecError
from neurcodec.evaluation.clips import Clip, Frames, load
from neurcodec.evaluation.compare import together
from neurcodec.evaluation.curves import bd_rate, hull
from neurcodec.evaluation.metrics import JURY, METRICS, load_networks
from neurcodec.evaluation.programs import variable
from neurcodec.evaluation.scoring import ClipScorer
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import GROUP
from neurcodec.media.av1 import MIN_SIDE, TUNING
from neurcodec.training.pairs import av1_round_trip

LADDER = {1: (40, 46, 52, 58, 63), 2: (52, 57, 62, 67), 3: (56, 61, 66), 4: (58, 63, 68)}
"""The quantisers of each scale."""
SHOWN = ("lpips", "psnr", "flicker")
"""Also measured; nothing is chosen by them."""
OVERHEAD = 120
"""Bytes of a chunk's other substreams and of its head."""
Point = dict[str, Any]


def key(point: Point) -> tuple[Any, ...]:
    """What was measured."""
    names = ("clip", "tuning", "scale", "crf", "strength", *(("model",) if point["strength"] else ()))
    return tuple(point[name] for name in names)


def read_points(path: Path) -> list[Point]:
    """The points of a file, none where there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure_clip(
    path: Path, tunings: dict[str, str], frames: int, model: Path | None, strengths: tuple[float, ...], place: Path,
    done: set[tuple[Any, ...]], ladder: dict[int, tuple[int, ...]], preset: int,
) -> list[Point]:  # fmt: skip
    """The points of one clip that are not `done`."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clip = load(path, frames)
    generator = Generator.load(model / "generator") if model else None
    networks = load_networks([*JURY, *SHOWN], place)
    if networks.missing:
        raise NcodecError("; ".join(f"{name}: {reason}" for name, reason in networks.missing.items()))
    scorer = ClipScorer(clip, networks)
    name = str(model) if model else ""
    points: list[Point] = []
    shown: list[Frames] = []
    for tuning, text in tunings.items():
        for scale, crfs in ladder.items():
            if min(base_size(*clip.size, scale)) < MIN_SIDE:
                continue
            for crf in crfs:
                base = {"clip": clip.name, "tuning": tuning, "scale": scale, "crf": crf, "model": name}
                wanted = [strength for strength in strengths if key({**base, "strength": strength}) not in done]
                if not wanted:
                    continue
                decoded, coded = av1_round_trip(clip.frames, scale, crf, preset, text)
                size = OVERHEAD + len(temporal_units.encode(coded))
                pictures = enlarged(decoded, clip)
                painted = painted_by(generator, decoded, clip, crf, scale) if generator else None
                fit = best_share(clip.frames, pictures, painted) if painted is not None else 0.0
                for strength in wanted:
                    points.append({**base, "strength": strength, "bytes": size, "best_share": fit})
                    shown.append(mixed(pictures, painted, strength))
    for point, scores in zip(points, scorer.score(shown), strict=True):
        point |= scores
    return points


def enlarged(decoded: Frames, clip: Clip) -> Frames:
    """A decoded base (T, h, w, 3) at the clip's size, as a decoder without diffusion shows it."""
    columns, rows = clip.size
    frames = base_frames(decoded, rows, columns, 1, torch.device("cpu"))
    return np.stack([to_rgb(frame.picture, rows, columns) for frame in frames])


def painted_by(generator: Generator, decoded: Frames, clip: Clip, crf: int, scale: int) -> Frames:
    """What the generator makes of a decoded base, told of the clip's texture as the encoder does before its fit."""
    columns, rows = clip.size
    frames = list(base_frames(decoded, rows, columns, generator.config.feature_channels, torch.device("cpu")))
    gap = texture_map(measured_gap(clip.frames, lambda start: frames[start : start + GROUP]))
    told = Conditioning(texture_index(detail(clip.frames)), texture_gap=gap)
    return np.stack(list(restored(generator, frames, BaseLayer(scale, crf), (rows, columns), told)))


def mixed(base: Frames, painted: Frames | None, strength: float) -> Frames:
    """The base with a share of what the generator changes."""
    if painted is None or strength == 0:
        return base
    return np.clip(np.rint(base + strength * (painted.astype(np.float32) - base)), 0, 255).astype(np.uint8)


def rates(points: list[Point], test: tuple[Any, ...], anchor: tuple[Any, ...], metric: str) -> list[float]:
    """BD-rate (percent) of one group of points against another, of each clip where they overlap."""
    sign = 1.0 if METRICS[metric].higher else -1.0
    curves: dict[tuple[Any, ...], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        curves[group(point)][point["clip"]].append((point["bytes"], sign * point[metric]))
    found = [bd_rate(hull(curves[anchor][clip]), hull(curves[test][clip])) for clip in sorted(curves[anchor])]
    return [rate for rate in found if rate is not None]


def group(point: Point) -> tuple[Any, ...]:
    """What the report compares."""
    return point["tuning"], point["strength"] and point["model"], point["strength"]


@click.group()
def main() -> None:
    """Measure and report."""


@main.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File of points, one JSON a line.")
@click.option("--weights", required=True, type=click.Path(path_type=Path, exists=True), help="Metric networks.")
@click.option("--model", type=click.Path(path_type=Path, exists=True), help="Model folder of the generator.")
@click.option("--strengths", default="0", show_default=True, help="Strengths of the generator, separated by commas.")
@click.option("--tuning", multiple=True, help="NAME=PARAMETERS of SVT-AV1; `now` is the base's own tuning.")
@click.option("--points", "ladder", help="SCALE:CRF,... separated by blanks, in place of the whole ladder.")
@click.option("--frames", default=48, show_default=True, help="Of each clip.")
@click.option("--preset", default=2, show_default=True, help="Of SVT-AV1.")
@click.option("--cvvdp", default="cvvdp", show_default=True, help="Command of ColorVideoVDP.")
@click.option("--jobs", default=1, show_default=True, help="Clips at once.")
def measure(
    clips: tuple[Path, ...], out: Path, weights: Path, model: Path | None, strengths: str, tuning: tuple[str, ...],
    ladder: str | None, frames: int, preset: int, cvvdp: str, jobs: int,
) -> None:  # fmt: skip
    """Measure points and add them to a file."""
    os.environ[variable("cvvdp")] = cvvdp
    named = [text.partition("=") for text in tuning or ("now",)]
    tunings = {name: parameters if given else TUNING for name, given, parameters in named}
    steps = dict(part.split(":") for part in ladder.split()) if ladder else {}
    chosen = {int(scale): tuple(map(int, crfs.split(","))) for scale, crfs in steps.items()} or LADDER
    done = {key(point) for point in read_points(out)}
    levels = tuple(map(float, strengths.split(",")))
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        futures = [
            pool.submit(measure_clip, clip, tunings, frames, model, levels, weights, done, chosen, preset)
            for clip in clips
        ]
        for future in as_completed(futures):
            try:
                points = future.result()
            except NcodecError as error:
                raise click.ClickException(str(error)) from error
            with out.open("a") as file:
                file.writelines(json.dumps(point) + "\n" for point in points)


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
def report(file: Path) -> None:
    """BD-rates of all pairs of groups: the mean of judges, each judge, and what else was measured."""
    points = read_points(file)
    groups = list(dict.fromkeys(map(group, points)))
    for anchor, test in combinations(groups, 2):
        means, words = [], []
        for metric in (*JURY, *SHOWN):
            found = rates(points, test, anchor, metric)
            mean = sum(found) / len(found) if found else float("nan")
            means.append(mean)
            words.append(f"{metric} {mean:+.1f} ({max(found, default=0):+.0f})")
        jury = together(means[: len(JURY)])
        assert jury is not None  # as all means are known
        click.echo(f"{test} against {anchor}: mean {jury:+.1f} %; {', '.join(words)}")


if __name__ == "__main__":
    main()
