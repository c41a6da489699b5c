"""Clips made of photographs: a camera moves over one in sub-pixel steps, and sometimes a second picture over that."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]

SIZE = (384, 288)
"""Width and height of the clips."""
ZOOM = (0.9, 1.7)
"""Pixels of the photograph that become one of the clip, along each axis."""
PAN, SHAKE, ROLL, ZOOMING = 3.0, 0.8, 0.6, 0.012
"""Most pixels a frame, standard deviation of the hand's pixels, most degrees a frame, most change of zoom a frame."""
LAYERED, PULLED, EXPOSED = 0.25, 0.2, 0.2
"""Share of the clips with a second picture, with a focus that is pulled, with a changing exposure."""


def over_photograph(photo: NDArray[np.uint8], frames: int, rng: random.Random) -> Frames:
    """A camera moved over a photograph (H, W, 3): uint8 (frames, h, w, 3), at most `SIZE`."""
    columns, rows = (min(limit, side // 2 * 2) for limit, side in zip(SIZE, photo.shape[1::-1], strict=True))
    clip = camera_path(photo, frames, (rows, columns), rng)
    if rng.random() < LAYERED:
        second = camera_path(np.ascontiguousarray(photo[:, ::-1]), frames, (rows, columns), rng)
        share = moving_blob(frames, (rows, columns), rng)
        clip = rounded(clip + share[..., None] * (second - clip.astype(np.float32)))
    if rng.random() < PULLED:
        pull = np.linspace(rng.uniform(0.1, 3), rng.uniform(0.1, 3), frames)
        clip = np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame, sigma in zip(clip, pull, strict=True)])
    if rng.random() < EXPOSED:
        gain = np.linspace(rng.uniform(0.7, 1.2), rng.uniform(0.7, 1.2), frames)
        clip = rounded(clip * gain[:, None, None, None])
    return clip


def rounded(values: NDArray[np.floating]) -> Frames:
    """Values as samples of 8 bits."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def walk(frames: int, speed: float, shake: float, rng: random.Random) -> NDArray[np.float64]:
    """A steady motion of at most `speed` a frame, and a hand's smooth shake: (frames,)."""
    path, place, drift = [], 0.0, 0.0
    steady = rng.uniform(-speed, speed) * rng.random()
    for _ in range(frames):
        path.append(place + drift)
        place += steady
        drift = 0.8 * drift + rng.gauss(0, shake)
    return np.array(path)


def camera_path(photo: NDArray[np.uint8], frames: int, size: tuple[int, int], rng: random.Random) -> Frames:
    """What a moving camera sees of a photograph: uint8 (frames, rows, columns, 3). size: rows, columns."""
    rows, columns = size
    shake = SHAKE * rng.choice((0, 0, 0.3, 1))
    across, down = walk(frames, PAN, shake, rng), walk(frames, PAN / 2, shake, rng)
    roll = np.deg2rad(rng.uniform(-8, 8) + walk(frames, ROLL, 0.1 * shake, rng))
    zoom = rng.uniform(*ZOOM) * np.exp(walk(frames, ZOOMING, 0, rng))
    x, y = (rng.uniform(0.35, 0.65) * side for side in photo.shape[1::-1])
    soft = photo if zoom.max() <= 1.1 else cv2.GaussianBlur(photo, (0, 0), 0.35 * float(zoom.max()))
    seen = []
    for number in range(frames):
        c, s = zoom[number] * np.cos(roll[number]), zoom[number] * np.sin(roll[number])
        move = np.array([[c, -s, x + across[number]], [s, c, y + down[number]]])
        move[:, 2] -= move[:, :2] @ (columns / 2, rows / 2)
        way = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        seen.append(cv2.warpAffine(soft, move, (columns, rows), flags=way, borderMode=cv2.BORDER_REFLECT_101))
    return np.stack(seen).astype(np.uint8, copy=False)


def moving_blob(frames: int, size: tuple[int, int], rng: random.Random) -> NDArray[np.float32]:
    """A round area that moves, 1 inside and 0 outside with a soft edge: float32 (frames, rows, columns)."""
    rows, columns = size
    y, x = (rng.uniform(0.2, 0.8) * side + walk(frames, 4, 0.3, rng)[:, None, None] for side in size)
    radius, edge = rng.uniform(0.12, 0.35) * rows, rng.uniform(1, 6)
    distance = np.hypot(np.arange(rows)[:, None] - y, np.arange(columns) - x)
    return np.clip((radius - distance) / edge + 0.5, 0, 1).astype(np.float32)
