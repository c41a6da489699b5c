"""The measuring loop: every codec at every setting on every clip, from one lossless cut, through the cache."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from neurcodec.errors import InputError
from neurcodec.evaluation import cache, clips, scoring
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.codecs import Codec, Setting
from neurcodec.evaluation.matched import Shown, show
from neurcodec.evaluation.metrics import Networks

Progress = Callable[[str, int], None]
"""Called with a short text and the number of settings that are newly done."""
GROUP = 4
"""Coded versions of a clip that are scored together, so that the source's features are computed once for them."""


@dataclass
class ClipResult:
    """All points of one clip, what the report says about it, and what it shows: pictures at the same bytes."""

    name: str
    hash: str
    frames: int
    width: int
    height: int
    rate: Fraction
    points: list[Point]
    shown: Shown | None = None

    @property
    def pixels(self) -> int:
        """Pixels of all frames together."""
        return self.frames * self.width * self.height


def cache_key(codec: Codec, clip: Clip, setting: Setting) -> dict[str, Any]:
    """Everything that a result depends on."""
    return cache.key(codec.name, codec.describe(), clip.hash, setting.value, setting.scale)


def measure(codec: Codec, settings: Sequence[Setting], scorer: scoring.ClipScorer, store: Cache) -> list[Point]:
    """Code the scorer's clip at these settings, score all versions together, and store the points of each setting."""
    clip = scorer.clip
    with tempfile.TemporaryDirectory(prefix="ncodec-bench-") as name:
        source = Path(name) / "source.nut"
        clips.write_lossless(source, clip.frames, clip.rate)
        groups = [_code(codec, setting, source, clip) for setting in settings]
    scored = [(point, frames) for group in groups for point, frames in group if frames is not None]
    for (point, _), metrics in zip(scored, scorer.score([frames for _, frames in scored]), strict=True):
        point.metrics = metrics
    for setting, group in zip(settings, groups, strict=True):
        store.put(cache_key(codec, clip, setting), [point for point, _ in group])
    return [point for group in groups for point, _ in group]


def _code(codec: Codec, setting: Setting, source: Path, clip: Clip) -> list[tuple[Point, Frames | None]]:
    """Encode once and decode each curve; no frames for a size outside the compared rates."""
    coded, size, encoding = codec.encode(source, setting, source.parent)
    wanted = codec.wanted(setting, size, clip)
    group: list[tuple[Point, Frames | None]] = []
    for curve in codec.curves:
        point, frames = Point(curve, setting.value, setting.scale, size, encoding), None
        if wanted:
            video, point.decode = codec.decode(coded, setting, clip, curve)
            frames = np.stack(list(clips.iterate(video)))
            video.unlink()
        group.append((point, frames))
    coded.unlink()
    return group


def run(
    paths: Sequence[Path],
    frames: int,
    codecs: Sequence[Codec],
    networks: Networks,
    store: Cache,
    jobs: int,
    quiet: bool = False,
) -> list[ClipResult]:
    """Measure all codecs on the first `frames` frames of every file, with a progress bar on a terminal."""
    check_names(paths)
    share_threads(jobs)
    total = sum(len(codec.settings(*clips.picture_size(path))) for path in paths for codec in codecs)
    with tqdm(total=total, unit="point", disable=quiet or None, dynamic_ncols=True, file=sys.stderr) as bar:

        def progress(text: str, count: int) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(count)

        return [run_clip(clips.load(path, frames), codecs, networks, store, jobs, progress) for path in paths]


def run_clip(
    clip: Clip, codecs: Sequence[Codec], networks: Networks, store: Cache, jobs: int, progress: Progress
) -> ClipResult:
    """All points of one clip, from the cache where it has them; `jobs` groups of points are measured at a time."""
    points: list[Point] = []
    work: list[tuple[Codec, list[Setting]]] = []
    for codec in codecs:
        missing: list[Setting] = []
        for setting in codec.settings(*clip.size):
            stored = store.get(cache_key(codec, clip, setting), networks.metrics)
            left_out = stored and any(not point.metrics and codec.wanted(setting, point.size, clip) for point in stored)
            if stored is None or left_out:
                missing.append(setting)
            else:
                points += stored
                progress(f"{clip.name} {codec.name}", 1)
        size = max(1, GROUP // len(codec.curves))
        work += [(codec, missing[start : start + size]) for start in range(0, len(missing), size)]
    points += _measure_all(work, scoring.ClipScorer(clip, networks), store, jobs, progress)
    points.sort(key=lambda point: (point.curve, point.scale, point.value))
    shown = show(clip, codecs, points, store)
    return ClipResult(clip.name, clip.hash, len(clip.frames), *clip.size, clip.rate, points, shown)


def _measure_all(
    work: list[tuple[Codec, list[Setting]]], scorer: scoring.ClipScorer, store: Cache, jobs: int, progress: Progress
) -> list[Point]:
    points: list[Point] = []
    with ThreadPoolExecutor(jobs) as pool:
        tasks = {pool.submit(measure, *item, scorer, store): item for item in work}
        try:
            for task in as_completed(tasks):
                points += task.result()
                codec, settings = tasks[task]
                progress(f"{scorer.clip.name} {codec.name}", len(settings))
        finally:
            pool.shutdown(cancel_futures=True)
    return points


def share_threads(jobs: int) -> None:
    """Give each of `jobs` parallel measurements its share of the processor cores for the metrics."""
    threads = max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // jobs))
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def check_names(paths: Sequence[Path]) -> None:
    """InputError when two clips would have the same name in the report."""
    names = [path.stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two clips are called '{name}'; rename one")
