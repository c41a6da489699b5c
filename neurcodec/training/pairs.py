"""Training frames as memory-mapped arrays: sources, and the AV1 bases of the layered profile made from them.

A *pair* is one clip's source frames and what a libsvtav1 base layer at a random scale and quantiser makes of
them. `index.json` in the output folder lists the sources (`file`, `frames`, `height`, `width`) and, under each,
its bases (`file`, `scale`, `crf`); frames are `uint8` RGB arrays of shape (frames, height, width, 3).
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from neurcodec.media.av1 import decode_gop, encode_gop
from neurcodec.media.colour import SCALING

Frames = NDArray[np.uint8]

VIDEO_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov"}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}

ENLARGED = (1.25, 2.2)
"""Every source is there a second time, enlarged by a factor in this range: users' pictures are larger than the training
clips, and what a codec does to smooth areas is seen too rarely without (docs/training.md)."""
DEFOCUS = (2.0, 9.0)
"""And a third time, out of focus but for a round area, with a circle of confusion of such a radius in pixels: without,
the generator takes blur of the lens for blur of the codec and sharpens it (decision 0023)."""


def clip_name(file: str) -> str:
    """The clip or picture that a source's file in the index was made of."""
    stem = Path(file).stem
    for variant in VARIANTS:
        stem = stem.removesuffix(variant)
    return stem


def read_frames(path: Path, limit: int) -> Frames:
    """Return at most `limit` RGB frames of a clip or picture, cropped to even height and width."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = []
        for frame in container.decode(stream):
            frames.append(frame.to_ndarray(format="rgb24", interpolation=SCALING))
            if len(frames) == limit:
                break
    array: Frames = np.stack(frames).astype(np.uint8, copy=False)
    return array[:, : array.shape[1] // 2 * 2, : array.shape[2] // 2 * 2]


def resize(frames: Frames, width: int, height: int, interpolation: int) -> Frames:
    """Resize every frame of (frames, height, width, 3)."""
    return np.stack([cv2.resize(frame, (width, height), interpolation=interpolation) for frame in frames])


def av1_round_trip(frames: Frames, crf: int, preset: int) -> Frames:
    """Encode RGB frames as one closed AV1 GOP (yuv420p, BT.709) and return what the decoder shows."""
    packets = encode_gop(frames, crf, preset, threads=1)
    return decode_gop(packets, len(frames), frames.shape[2], frames.shape[1])


def enlarge(frames: Frames, rng: random.Random) -> Frames:
    """A random window of the frames enlarged by a factor in ENLARGED, as large as they were."""
    height, width = frames.shape[1:3]
    factor = rng.uniform(*ENLARGED)
    larger = resize(frames, round(width * factor), round(height * factor), cv2.INTER_CUBIC)
    top, left = (rng.randint(0, there - here) for there, here in zip(larger.shape[1:3], (height, width), strict=True))
    return np.ascontiguousarray(larger[:, top : top + height, left : left + width])


def defocus(frames: Frames, rng: random.Random) -> Frames:
    """The frames out of focus, with a sharp round area (a quarter of the sources have none)."""
    height, width = frames.shape[1:3]
    radius = rng.uniform(*DEFOCUS)
    reach = int(radius) + 1
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1)
    y, x, sharp = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(-0.2, 0.6) * width
    distance = np.hypot(np.arange(height)[:, None] - y, np.arange(width) - x)
    share = np.clip((distance - sharp) / (0.05 * width), 0, 1)[..., None]
    blurred = [cv2.filter2D(frame, -1, disc / disc.sum(), borderType=cv2.BORDER_REPLICATE) for frame in frames]
    mixed = [frame + share * (soft.astype(np.float64) - frame) for frame, soft in zip(frames, blurred, strict=True)]
    return np.rint(np.stack(mixed)).astype(np.uint8)


VARIANTS = {"": None, ".enlarged": enlarge, ".defocused": defocus}
"""What each source is made into, by the suffix of its name."""


def make_pairs(path: Path, out: Path, frames: int, bases: int, seed: int, variant: str) -> dict[str, Any] | None:
    """Write one clip's source, as this one of VARIANTS, and its bases below `out`.

    Returns its index entry, or None for a tiny picture.
    """
    cv2.setNumThreads(1)
    name = f"{path.parent.name}-{path.stem}{variant}"
    rng = random.Random(f"{seed}/{name}")
    source = read_frames(path, frames)
    count, height, width, _ = source.shape
    if min(height, width) < 160:
        return None
    if (change := VARIANTS[variant]) is not None:
        source = change(source, rng)
    np.save(out / f"{name}.npy", source)
    entry: dict[str, Any] = {
        "file": f"{name}.npy",
        "frames": count,
        "height": height,
        "width": width,
        "bases": [],
    }
    for number in range(bases):
        scale = rng.choice((1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4))
        crf = rng.randint(36 if scale == 1 else 42, 70)
        small = source
        if scale > 1:
            size = (width // (2 * scale) * 2, height // (2 * scale) * 2)
            small = resize(source, *size, cv2.INTER_AREA)
        if min(small.shape[1:3]) < 64:
            continue
        base = av1_round_trip(small, crf, preset=4 if scale == 1 else 2)
        file = f"{name}.{number}.npy"
        np.save(out / file, base)
        entry["bases"].append({"file": file, "scale": scale, "crf": crf})
    return entry


def prepare(data: Iterable[Path], out: Path, frames: int = 48, bases: int = 6, seed: int = 1, jobs: int = 2) -> None:
    """Make the pairs of every clip and picture below the folders `data`, and the index, in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES
    paths = sorted(path for folder in data for path in folder.iterdir() if path.suffix.lower() in suffixes)
    index = []
    with ProcessPoolExecutor(jobs, initializer=os.nice, initargs=(19,)) as pool:
        futures = [
            pool.submit(make_pairs, path, out, frames, bases, seed, variant)
            for path in paths
            for variant in VARIANTS
        ]
        for future in futures:
            entry = future.result()
            if entry is not None:
                index.append(entry)
                temporary = out / "index.json.tmp"
                temporary.write_text(json.dumps(index))
                temporary.replace(out / "index.json")
