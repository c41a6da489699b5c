"""The measuring loop: every codec at every setting on every clip, from one lossless cut, through the cache."""

from __future__ import annotations

import os
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

from neurcodec.errors import InputError
from neurcodec.evaluation import clips, scoring
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.codecs import Codec, Setting
from neurcodec.evaluation.metrics import Networks

Progress = Callable[[str], None]
"""Called after each point with a short text about it."""


@dataclass
class ClipResult:
    """All points of one clip, and what the report says about it; `picture` is the source's showcase frame."""

    name: str
    hash: str
    frames: int
    width: int
    height: int
    rate: Fraction
    showcase: int
    picture: Frames
    points: list[Point]

    @property
    def pixels(self) -> int:
        """Pixels of all frames together."""
        return self.frames * self.width * self.height


def cache_key(codec: Codec, clip: Clip, setting: Setting) -> dict[str, Any]:
    """Everything that a result depends on."""
    return {
        "codec": codec.name,
        "settings": codec.describe(),
        "value": setting.value,
        "half": setting.half,
        "clip": clip.hash,
        "scoring": scoring.VERSION,
    }


def measure(codec: Codec, setting: Setting, source: Path, scorer: scoring.ClipScorer, cache: Cache) -> list[Point]:
    """Code `source` (the lossless cut of the scorer's clip) once, score every curve of it, and store the result."""
    clip, key, points = scorer.clip, cache_key(codec, scorer.clip, setting), []
    with tempfile.TemporaryDirectory(prefix="ncodec-bench-") as name:
        coded, size, encoding = codec.encode(source, setting, Path(name))
        wanted = codec.wanted(setting, size, clip)
        for curve in codec.curves:
            point = Point(curve, setting.value, setting.half, size, encoding.seconds, encoding.peak_memory)
            points.append(point)
            if not wanted:
                continue
            video, decoding = codec.decode(coded, setting, clip, curve)
            point.decode_seconds, point.decode_memory = decoding.seconds, decoding.peak_memory
            frames = np.stack(list(clips.iterate(video)))
            video.unlink()
            point.metrics = scorer.score(frames)
            point.picture = cache.put_picture(key, curve, frames[clip.showcase])
    cache.put(key, points)
    return points


def run_clip(
    clip: Clip, codecs: Sequence[Codec], networks: Networks, cache: Cache, jobs: int, progress: Progress
) -> ClipResult:
    """All points of one clip, from the cache where it has them; `jobs` points are measured at a time."""
    points: list[Point] = []
    open_work: list[tuple[Codec, Setting]] = []
    for codec in codecs:
        for setting in codec.settings():
            stored = cache.get(cache_key(codec, clip, setting), networks.metrics)
            if stored is None:
                open_work.append((codec, setting))
            else:
                points += stored
                progress(f"{clip.name} {codec.name} {setting.value} (cached)")
    if open_work:
        points += _measure_all(clip, open_work, networks, cache, jobs, progress)
    points.sort(key=lambda point: (point.curve, point.half, point.value))
    count, height, width, _ = clip.frames.shape
    picture = clip.frames[clip.showcase].copy()
    return ClipResult(clip.name, clip.hash, count, width, height, clip.rate, clip.showcase, picture, points)


def _measure_all(
    clip: Clip, work: list[tuple[Codec, Setting]], networks: Networks, cache: Cache, jobs: int, progress: Progress
) -> list[Point]:
    scorer, points = scoring.ClipScorer(clip, networks), []
    with tempfile.TemporaryDirectory(prefix="ncodec-bench-") as name, ThreadPoolExecutor(jobs) as pool:
        source = Path(name) / "source.nut"
        clips.write_lossless(source, clip.frames, clip.rate)
        tasks = {pool.submit(measure, *item, source, scorer, cache): item for item in work}
        try:
            for task in as_completed(tasks):
                points += task.result()
                codec, setting = tasks[task]
                progress(f"{clip.name} {codec.name} {setting.value}")
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
