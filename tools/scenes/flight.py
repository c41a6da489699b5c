"""Scene 1 of the example clip: a flight along a lake between fractal mountains, with balloons and a boat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SIZE = 2048  # cells of the periodic height map
CELL = 4.0  # metres
SUN = np.array([-0.62, 0.40, 0.68], np.float32) / np.float32(np.linalg.norm([-0.62, 0.40, 0.68]))
SUN_COLOUR = np.array([1.50, 1.28, 0.98], np.float32)
SKY_LOW, SKY_HIGH = np.array([0.64, 0.76, 0.90], np.float32), np.array([0.11, 0.27, 0.60], np.float32)


def rgb(*values: float) -> Array:
    """Return a colour as float32."""
    return np.array(values, np.float32)


def mix(a: Array, b: Array, weight: Array) -> Array:
    """Blend two colours or colour arrays by a weight per pixel."""
    return a + (b - a) * weight[..., None]


def smooth(low: float, high: float, x: Array) -> Array:
    """Return the smooth step of x between low and high."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def lattice(rng: np.random.Generator, cells: int, size: int) -> Array:
    """Return periodic smooth noise (size, size), about unit variance, `cells` random values per side."""
    grid = rng.standard_normal((cells, cells)).astype(np.float32)
    wrapped = np.pad(grid, 4, mode="wrap")
    scale = size // cells
    large = cv2.resize(wrapped, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large[4 * scale : 4 * scale + size, 4 * scale : 4 * scale + size])


def fractal(rng: np.random.Generator, first: int, last: int, size: int, roughness: float) -> Array:
    """Return periodic fractal noise from `first` to `last` lattice cells per side, unit variance."""
    total, weight, cells = np.zeros((size, size), np.float32), 1.0, first
    while cells <= last:
        total += np.float32(weight) * lattice(rng, cells, size)
        weight *= roughness
        cells *= 2
    return total / total.std()


def sample(texture: Array, x: Array, z: Array, cell: float) -> Array:
    """Look a periodic texture up at world positions, bilinearly."""
    size = texture.shape[0]
    u, v = x / cell, z / cell
    i, j = np.floor(u), np.floor(v)
    fu, fv = u - i, v - j
    i0, j0 = i.astype(np.int64) % size, j.astype(np.int64) % size
    i1, j1 = (i0 + 1) % size, (j0 + 1) % size
    if texture.ndim == 3:
        fu, fv = fu[..., None], fv[..., None]
    top = texture[j0, i0] * (1 - fu) + texture[j0, i1] * fu
    low = texture[j1, i0] * (1 - fu) + texture[j1, i1] * fu
    return (top * (1 - fv) + low * fv).astype(np.float32)


@dataclass(frozen=True)
class World:
    """Maps of the landscape, all periodic (SIZE, SIZE): height in metres (water below 0), colour, sunlight, slopes."""

    height: Array
    colour: Array
    light: Array
    slope: Array
    detail: Array
    waves: Array
    clouds: Array


def _height(rng: np.random.Generator) -> Array:
    """Ridged mountains around a winding lake that runs along z."""
    ridges, weight, amplitude, cells = np.zeros((SIZE, SIZE), np.float32), np.float32(1), 1.0, 4
    while cells <= 512:
        noise = lattice(rng, cells, SIZE)
        ridge = (1 - np.minimum(np.abs(noise) * 0.9, 1)) ** 2 * weight
        ridges += np.float32(amplitude) * ridge
        weight = np.clip(ridge * 1.6, 0.05, 1)
        amplitude *= 0.52
        cells *= 2
    hills = fractal(rng, 4, 1024, SIZE, 0.5)
    ridges = _warp(ridges, 45 * fractal(rng, 8, 64, SIZE, 0.5), 45 * fractal(rng, 8, 64, SIZE, 0.5))
    z, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) * np.float32(CELL)
    period = SIZE * CELL
    course = period / 2 + 420 * np.sin(2 * np.pi * z / period * 2 + 1) + 160 * np.sin(2 * np.pi * z / period * 5)
    distance = np.abs(x - course) + 90 * hills
    valley = smooth(160, 2300, distance)
    height = -30 + 60 * smooth(120, 420, distance) + valley * (230 + 520 * ridges + 70 * hills) + 9 * hills
    return height.astype(np.float32)


def _warp(texture: Array, right: Array, down: Array) -> Array:
    """Move a periodic texture about by so many cells; it makes noise look less like a lattice."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    return sample(texture, x + right, y + down, 1.0)


def _sunlight(height: Array) -> Array:
    """Return how much sun reaches each cell, 0..1, soft at the edges of shadows."""
    light = np.ones_like(height)
    step = 2.0
    across = np.hypot(SUN[0], SUN[2])
    for k in range(1, 220):
        shift = k * step
        matrix = np.array([[1, 0, -SUN[0] / across * shift], [0, 1, -SUN[2] / across * shift]], np.float32)
        moved = cv2.warpAffine(height, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        ray = height + np.float32(shift * CELL * SUN[1] / across)
        light = np.minimum(light, np.clip(1 + (ray - moved) / np.float32(2 + shift * CELL * 0.02), 0, 1))
    return light


def _wood(rng: np.random.Generator, height: Array) -> Array:
    """Return where trees stand, 0..1: clumps on gentle slopes, single ones around them."""
    rise = cv2.GaussianBlur(height, (0, 0), 6, borderType=cv2.BORDER_REFLECT)
    steep = np.hypot(*[np.roll(rise, -1, axis) - np.roll(rise, 1, axis) for axis in (0, 1)]) / (2 * CELL)
    clumps, single = fractal(rng, 8, 256, SIZE, 0.6), fractal(rng, 256, 1024, SIZE, 0.9)
    here = smooth(0.25, 0.6, clumps * 0.9 + single * 0.45 - np.abs(height - 140) / 190)
    return here * (1 - smooth(0.55, 0.8, steep)) * smooth(6, 14, height)


def _colour(rng: np.random.Generator, height: Array, slope: Array, wood: Array) -> Array:
    """Return the ground's colour from height, steepness, trees and noise."""
    steep = np.hypot(slope[..., 0], slope[..., 1]) * (1 - 0.8 * wood)
    patches, fine = fractal(rng, 8, 512, SIZE, 0.6), fractal(rng, 256, 1024, SIZE, 0.9)
    grass = mix(rgb(0.105, 0.150, 0.040), rgb(0.26, 0.235, 0.09), smooth(-1, 1.6, patches + 0.5 * fine))
    rock = mix(rgb(0.20, 0.175, 0.15), rgb(0.36, 0.33, 0.30), smooth(-1.4, 1.4, fine + 0.5 * patches))
    ground = mix(grass, rock, smooth(0.55, 0.85, steep + 0.12 * fine + height / 3500))
    sand = rgb(0.42, 0.36, 0.25) * (1 + 0.10 * fine[..., None])
    ground = mix(ground, sand.astype(np.float32), 1 - smooth(2, 9, height + 2 * patches))
    leaves = mix(rgb(0.022, 0.055, 0.018), rgb(0.075, 0.105, 0.030), smooth(-1.5, 1.5, fine))
    ground = mix(ground, leaves, wood)
    snow = smooth(640, 800, height + 60 * patches) * (1 - smooth(0.75, 1.15, steep))
    ground = mix(ground, np.broadcast_to(rgb(0.80, 0.83, 0.88), ground.shape), snow)
    hollow = np.clip((height - cv2.blur(height, (41, 41), borderType=cv2.BORDER_REFLECT)) / 50, -1, 1)
    return (ground * (1 + 0.30 * hollow + 0.14 * fine)[..., None]).astype(np.float32)


def build(seed: int) -> World:
    """Make the landscape of a seed."""
    rng = np.random.default_rng(seed)
    height = _height(rng)
    wood = _wood(rng, height)
    height += wood * (7 + 3.5 * np.clip(fractal(rng, 512, 1024, SIZE, 0.9), -1.8, 1.8))
    slope = np.stack([np.roll(height, -1, a) - np.roll(height, 1, a) for a in (1, 0)], -1) / np.float32(2 * CELL)
    return World(
        height,
        _colour(rng, height, slope, wood),
        _sunlight(height),
        slope,
        fractal(rng, 32, 512, 1024, 0.85),
        fractal(rng, 16, 256, 512, 0.7),
        fractal(rng, 4, 512, 1024, 0.58),
    )


def sky(world: World, direction: Array, time: float) -> Array:
    """Return the sky's colour, clouds included, in the directions (..., 3)."""
    up = np.clip(direction[..., 1], 0.0, 1)
    colour = mix(np.broadcast_to(SKY_LOW, direction.shape), np.broadcast_to(SKY_HIGH, direction.shape), up**0.55)
    far = 1800 / np.maximum(direction[..., 1], 0.02)
    cover = sample(world.clouds, direction[..., 0] * far + 40 * time, direction[..., 2] * far, 14.0)
    thick = smooth(0.2, 1.6, cover) * smooth(0.03, 0.22, direction[..., 1])
    lit = sample(world.clouds, direction[..., 0] * far + 40 * time + 120, direction[..., 2] * far - 120, 14.0)
    shade = np.clip(0.88 + 0.16 * (cover - lit), 0.6, 1.15)
    colour = mix(colour, shade[..., None] * rgb(0.98, 0.97, 0.96), thick * 0.85)
    facing = np.clip(direction @ SUN, 0, 1)
    return (colour + SUN_COLOUR * (0.25 * facing[..., None] ** 12 + 0.6 * facing[..., None] ** 900)).astype(np.float32)


def march(world: World, origin: Array, direction: Array, limit: float, steps: int) -> Array:
    """Return the distance to the ground or water along each ray (n, 3), `limit` where there is none."""
    distance = np.full(len(direction), limit, np.float32)
    active = np.arange(len(direction))
    start = np.broadcast_to(origin, direction.shape)
    t = np.full(len(direction), 2.0, np.float32)
    for _ in range(steps):
        place = start[active] + direction[active] * t[:, None]
        gap = place[:, 1] - np.maximum(sample(world.height, place[:, 0], place[:, 2], CELL), 0)
        hit = gap < 0.0015 * t
        distance[active[hit]] = t[hit]
        go = ~hit & (t < limit) & ((direction[active, 1] < 0) | (place[:, 1] < 1900))
        active = active[go]
        t = t[go] + np.maximum(0.42 * gap[go], 0.004 * t[go] + 0.3)
        if not len(active):
            break
    return distance


def haze(world: World, colour: Array, direction: Array, distance: Array) -> Array:
    """Let air stand between the eye and the colour."""
    amount = 1 - np.exp(-((distance / 9500) ** 1.3))
    facing = np.clip(direction @ SUN, 0, 1) ** 6
    return mix(colour, rgb(0.52, 0.63, 0.78) + facing[..., None] * rgb(0.22, 0.14, 0.04), amount)


def ground(world: World, place: Array, distance: Array, shadow: Array) -> Array:
    """Return the lit colour of the ground at the places (n, 3); `shadow` is the objects' shade, 1 = none."""
    x, z = place[:, 0], place[:, 2]
    near = np.exp(-distance / 700)
    slope = sample(world.slope, x, z, CELL)
    bumps = sample(world.detail, x, z, 0.9)
    push = sample(world.detail, x + 0.9, z, 0.9) - bumps, sample(world.detail, x, z + 0.9, 0.9) - bumps
    normal = np.stack([-slope[:, 0] - 0.5 * near * push[0], np.ones_like(x), -slope[:, 1] - 0.5 * near * push[1]], -1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    sun = np.clip(normal @ SUN, 0, 1) * sample(world.light, x, z, CELL) * shadow
    fine = bumps + 0.8 * sample(world.detail, x, z, 0.23) * np.exp(-distance / 250)
    albedo = sample(world.colour, x, z, CELL) * np.exp(0.30 * np.exp(-distance / 900) * fine)[:, None]
    ambient = (0.55 + 0.45 * normal[:, 1:2]) * rgb(0.30, 0.38, 0.52)
    return (albedo * (1.75 * sun[:, None] * SUN_COLOUR + ambient)).astype(np.float32)


def water(world: World, place: Array, direction: Array, distance: Array, shadow: Array, time: float) -> Array:
    """Return the colour of the lake: its bed, and the sky and mountains mirrored in moving waves."""
    x, z = place[:, 0], place[:, 2]
    tilt = np.zeros((len(x), 2), np.float32)
    for cell, dx, dz, weight in ((0.35, 2.2, 1.0, 0.35), (1.1, -1.5, 3.1, 0.5), (3.7, 4.0, -2.0, 0.6)):
        here = sample(world.waves, x + dx * time, z + dz * time, cell)
        fade = weight * np.exp(-distance / (1500 * cell))
        tilt[:, 0] += fade * (sample(world.waves, x + dx * time + cell, z + dz * time, cell) - here)
        tilt[:, 1] += fade * (sample(world.waves, x + dx * time, z + dz * time + cell, cell) - here)
    tilt *= 0.085
    normal = np.stack([tilt[:, 0], np.ones_like(x), tilt[:, 1]], -1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    facing = -(direction * normal).sum(1)
    mirror = direction + 2 * facing[:, None] * normal
    mirror[:, 1] = np.abs(mirror[:, 1]) + 0.01
    seen = sky(world, mirror, time)
    reach = march(world, place + rgb(0, 0.5, 0), mirror, 4000, 70)
    hit = reach < 4000
    if hit.any():
        there = place[hit] + mirror[hit] * reach[hit, None]
        colour = ground(world, there, reach[hit] + 800, np.ones(len(there), np.float32))
        seen[hit] = haze(world, colour, mirror[hit], reach[hit])
    fresnel = 0.03 + 0.97 * (1 - np.clip(facing, 0, 1)) ** 5
    depth = np.clip(-sample(world.height, x, z, CELL) / 14, 0, 1)
    bed = mix(rgb(0.23, 0.27, 0.20), rgb(0.025, 0.085, 0.105), depth**0.6)
    glint = np.clip((mirror / np.linalg.norm(mirror, axis=1, keepdims=True)) @ SUN, 0, 1) ** 500
    lit = sample(world.light, x, z, CELL) * shadow
    bed = bed * (0.45 + 0.75 * lit)[:, None]
    return mix(bed, seen, fresnel) + (3.0 * glint * lit)[:, None] * SUN_COLOUR


def camera(time: float, seconds: float) -> tuple[Array, Array]:
    """Return where the flying camera is and its axes (right, up, forward) as rows."""
    part = time / seconds
    eye = rgb(4020 - 70 * part, 258 - 30 * part, 2560 - 250 * time)
    heading, pitch, roll = -0.10 + 0.10 * part, -0.125 + 0.02 * part, 0.05 - 0.13 * part
    forward = rgb(np.sin(heading) * np.cos(pitch), np.sin(pitch), -np.cos(heading) * np.cos(pitch))
    level = np.cross(forward, rgb(0, 1, 0))
    level /= np.linalg.norm(level)
    lift = np.cross(level, forward)
    right = np.cos(roll) * level + np.sin(roll) * lift
    return eye, np.stack([right, np.cross(right, forward), forward]).astype(np.float32)
