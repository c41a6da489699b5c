"""Frames to train on: windows of clips, and clips made of photographs, changed as users' pictures differ from them.

Nothing here knows a codec but H.264, in which many users' sources were coded before (DESIGN section 4;
docs/training.md).
"""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from neurcodec.container.values import ColorRange
from neurcodec.media.av1 import packets_of
from neurcodec.media.colour import BT709, SCALING, Converter
from neurcodec.training.photographs import over_photograph

Frames = NDArray[np.uint8]

VIDEO_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov"}
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SMALLEST = 160
"""Rows and columns that a source must have."""

RESIZED, SIZES = 0.4, (0.7, 2.0)
"""Share of the sources that are made larger or smaller, and by how much: users' pictures have other sharpness."""
DEFOCUSED, DEFOCUS = 0.1, (2.0, 9.0)
"""Share out of focus but for a round area, and the radius of the circle of confusion in pixels (decision 0023)."""
GRAINY, GRAIN = 0.12, (1.0, 6.0)
"""Share with the noise of a camera, and its standard deviation (of 255)."""
PRECODED, PRECODED_CRF = 0.25, (19, 29)
"""Share that was coded as H.264 first, and how."""


def read_frames(path: Path, limit: int) -> Frames:
    """At most `limit` RGB frames uint8 (T, H, W, 3) of a clip or picture, cropped to even height and width."""
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
    """Resize every frame of (T, H, W, 3)."""
    return np.stack([cv2.resize(frame, (width, height), interpolation=interpolation) for frame in frames])


def draw_source(path: Path, frames: int, rng: random.Random) -> Frames:
    """A window of a clip, or a camera's way over a photograph, changed at random: uint8 (T, H, W, 3), T <= frames."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        source = over_photograph(read_frames(path, 1)[0], frames, rng)
    else:
        clip = read_frames(path, 64)
        step = rng.choice((1, 1, 2)) if len(clip) >= 2 * frames else 1
        start = rng.randint(0, max(0, len(clip) - step * frames))
        source = clip[start : start + step * frames : step]
        if rng.random() < RESIZED:
            source = at_other_size(source, rng)
    if rng.random() < DEFOCUSED:
        source = defocus(source, rng)
    if rng.random() < GRAINY:
        source = grain(source, rng)
    if rng.random() < PRECODED:
        source = h264_round_trip(source, rng.randint(*PRECODED_CRF))
    return np.ascontiguousarray(source)


def at_other_size(frames: Frames, rng: random.Random) -> Frames:
    """Frames made smaller, or a random window of them made larger to about the size that they had."""
    height, width = frames.shape[1:3]
    least = max(SIZES[0], (SMALLEST + 2) / min(height, width))
    factor = rng.uniform(min(least, 1), SIZES[1])
    if factor < 1:
        return resize(frames, int(width * factor) // 2 * 2, int(height * factor) // 2 * 2, cv2.INTER_AREA)
    rows, columns = int(height / factor), int(width / factor)
    top, left = rng.randint(0, height - rows), rng.randint(0, width - columns)
    return resize(frames[:, top : top + rows, left : left + columns], width, height, cv2.INTER_CUBIC)


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


def grain(frames: Frames, rng: random.Random) -> Frames:
    """The frames with a camera's noise: new in every frame, a little soft, mostly in the luma."""
    noise = np.random.default_rng(rng.getrandbits(32))
    deviation, softness = rng.uniform(*GRAIN), rng.uniform(0.3, 0.9)
    noisy = []
    for frame in frames:
        plane = noise.normal(0, 1, (*frame.shape[:2], 3)) * 0.3 + noise.normal(0, 1, (*frame.shape[:2], 1))
        plane = cv2.GaussianBlur(plane, (0, 0), softness)
        noisy.append(np.clip(np.rint(frame + deviation * plane / plane.std()), 0, 255).astype(np.uint8))
    return np.stack(noisy)


def h264_round_trip(frames: Frames, crf: int) -> Frames:
    """What libx264 makes of the frames."""
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = frames.shape[1:3]
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, 25), Fraction(25)
    encoder.options = {"preset": "veryfast", "crf": str(crf), "threads": "1"}
    packets = packets_of(encoder, frames)
    decoder: Any = av.CodecContext.create("h264", "r")
    converter = Converter(BT709, ColorRange.LIMITED, frames.shape[1])
    return np.stack([converter.to_rgb(frame) for packet in [*packets, None] for frame in decoder.decode(packet)])
