"""Stage `pairs`: sources as memory-mapped arrays, and the AV1 bases of the layered profile made from them.

A *pair* is some frames of a source (`training.sources`) and what libsvtav1 leaves of them at a scale and quantiser of
the layered profile's ladder (decision 0008). `index.json` lists the sources (`file`, `frames`, `height`, `width`) and,
under each, its bases (`file`, `scale`, `crf`, `bytes`); frames are uint8 RGB arrays of shape (frames, height, width,
3). Sources in HELD_OUT go to a folder of their own, `held_out` beside `pairs`: nothing is ever trained on them.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from neurcodec.codec.base import base_size
from neurcodec.codec.layered import smaller
from neurcodec.media.av1 import MIN_SIDE, TUNING, decode_gop, encode_gop
from neurcodec.training.sources import IMAGE_SUFFIXES, SMALLEST, VIDEO_SUFFIXES, Frames, draw_source

CRFS = {1: (28, 63), 2: (54, 66), 3: (58, 68), 4: (60, 70)}
"""The quantisers of each scale that bases are made with: those of the ladder and some around them."""
SHARES = {1: 0.5, 2: 1.0, 3: 0.8, 4: 0.6}
"""How likely a source has a base of each scale, relative to the others."""
HELD_OUT = frozenset(Path(__file__).with_name("held_out.txt").read_text(encoding="utf-8").split())
"""Names of the clips and photographs (FOLDER-STEM) that training never sees and its losses are reported on."""


@dataclass(frozen=True, slots=True)
class PairsConfig:
    """Settings of the stage. frames: of each source. bases: of each source, of different scales. variants: how often
    each clip or photograph is drawn. preset: of SVT-AV1. photographs: 0 leaves them out, clips: 0 leaves the clips
    out.
    """

    frames: int = 12
    bases: int = 3
    variants: int = 1
    preset: int = 4
    clips: int = 1
    photographs: int = 1
    seed: int = 1


def clip_name(file: str) -> str:
    """The clip or picture that a source's file in the index was made of."""
    return re.sub(r"\.v\d+$", "", Path(file).stem)


def av1_round_trip(
    frames: Frames, scale: int, crf: int, preset: int, tuning: str = TUNING
) -> tuple[Frames, list[bytes]]:
    """Frames (T, H, W, 3) as the layered profile's base at 1/scale: what its decoder shows, and its packets."""
    small = smaller(frames, scale)
    packets = encode_gop(small, crf, preset, 1, tuning)
    return decode_gop(packets, len(small), small.shape[2], small.shape[1]), packets


def draw_scales(width: int, height: int, count: int, rng: random.Random) -> list[int]:
    """Different scales that a picture's size allows, drawn by SHARES."""
    left = [scale for scale in CRFS if min(base_size(width, height, scale)) >= MIN_SIDE]
    drawn: list[int] = []
    while left and len(drawn) < count:
        drawn += rng.choices(left, [SHARES[scale] for scale in left])
        left.remove(drawn[-1])
    return drawn


def make_pairs(path: Path, out: Path, config: PairsConfig, variant: int) -> dict[str, Any] | None:
    """Write one drawing of a source and its bases below `out`.

    Returns its index entry, or None for a picture that is too small.
    """
    cv2.setNumThreads(1)
    name = f"{path.parent.name}-{path.stem}.v{variant}"
    rng = random.Random(f"{config.seed}/{name}")
    source = draw_source(path, config.frames, rng)
    count, height, width, _ = source.shape
    if min(height, width) < SMALLEST:
        return None
    np.save(out / f"{name}.npy", source)
    bases = []
    for scale in draw_scales(width, height, config.bases, rng):
        crf = rng.randint(*CRFS[scale])
        base, packets = av1_round_trip(source, scale, crf, config.preset)
        file = f"{name}.{scale}.npy"
        np.save(out / file, base)
        bases.append({"file": file, "scale": scale, "crf": crf, "bytes": sum(map(len, packets))})
    return {"file": f"{name}.npy", "frames": count, "height": height, "width": width, "bases": bases}


def held_out(path: Path) -> bool:
    """Whether a clip or photograph is kept out of training."""
    return f"{path.parent.name}-{path.stem}" in HELD_OUT


def read_index(folder: Path) -> list[dict[str, Any]]:
    """The sources of a folder of pairs; none if there is no index yet."""
    index = folder / "index.json"
    return json.loads(index.read_text()) if index.exists() else []


def write_index(folder: Path, entries: list[dict[str, Any]]) -> None:
    """Put an index in place at once, so that who reads it meanwhile sees the old or the new one."""
    (folder / "index.json.tmp").write_text(json.dumps(entries))
    (folder / "index.json.tmp").replace(folder / "index.json")


def prepare(data: Iterable[Path], runs: Path, config: PairsConfig, jobs: int = 2) -> None:
    """Make the pairs of every clip and photograph in the folders `data`, below `runs`; what is there is kept.

    What is held out comes first, then the clips, then the photographs, each in a drawn order; the index grows with
    them, so that training can begin with a few.
    """
    suffixes = (VIDEO_SUFFIXES if config.clips else set()) | (IMAGE_SUFFIXES if config.photographs else set())
    paths = sorted(path for folder in data for path in folder.iterdir() if path.suffix.lower() in suffixes)
    variants = range(config.variants)
    wanted = [(path, variant) for variant in variants for path in paths if not (variant and held_out(path))]
    random.Random(config.seed).shuffle(wanted)
    wanted.sort(key=lambda one: (not held_out(one[0]), one[0].suffix.lower() in IMAGE_SUFFIXES))
    folders = {kept: runs / ("held_out" if kept else "pairs") for kept in (False, True)}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    index = {kept: read_index(folder) for kept, folder in folders.items()}
    done = {entry["file"] for entries in index.values() for entry in entries}
    fresh = get_context("spawn")  # a fork would inherit locks of OpenCV's threads
    with ProcessPoolExecutor(jobs, fresh, os.nice, (19,)) as pool:
        futures = {
            pool.submit(make_pairs, path, folders[held_out(path)], config, variant): held_out(path)
            for path, variant in wanted
            if f"{path.parent.name}-{path.stem}.v{variant}.npy" not in done
        }
        for future in as_completed(futures):
            if (entry := future.result()) is not None:
                kept = futures[future]
                index[kept].append(entry)
                write_index(folders[kept], index[kept])
