"""Scene 2 of the example clip: a turning globe and books on a wooden table, soft shadows, a hand-held camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.scenes.flight import Array, fractal, mix, rgb, sample, smooth

TABLE, GLOBE, RING, FOOT, LOWER, UPPER, MARBLE, WALL = range(8)
LIGHT = np.array([-0.55, 0.72, 0.42], np.float32) / np.float32(np.linalg.norm([-0.55, 0.72, 0.42]))
CENTRE = np.array([0.0, 1.62, 0.0], np.float32)
AXIS_TILT = 0.41
FAR = 30.0


@dataclass(frozen=True)
class Textures:
    """Periodic maps: grain of the wood, continents of the globe, cloth of the book covers and the wall."""

    grain: Array
    land: Array
    cloth: Array


def build(seed: int) -> Textures:
    """Make the textures of a seed."""
    rng = np.random.default_rng(seed)
    return Textures(fractal(rng, 8, 512, 1024, 0.75), fractal(rng, 4, 512, 1024, 0.55), fractal(rng, 64, 512, 512, 0.9))


def _turn(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x - s * y, s * x + c * y


def _length(*parts: Array) -> Array:
    return np.sqrt(sum(part * part for part in parts))


def _round_box(parts: tuple[Array, Array, Array], half: Array, rounding: float) -> Array:
    out = [np.abs(part) - side + np.float32(rounding) for part, side in zip(parts, half, strict=True)]
    inside = np.minimum(np.maximum(np.maximum(out[0], out[1]), out[2]), 0)
    return _length(*(np.maximum(part, 0) for part in out)) + inside - np.float32(rounding)


def _book_distance(x: Array, y: Array, z: Array, which: int) -> Array:
    centre, half, angle = BOOKS[which]
    u, w = _turn(x - centre[0], z - centre[2], angle)
    return _round_box((u, y - centre[1], w), half, 0.03)


def _ring(x: Array, y: Array, z: Array) -> Array:
    u, v = _turn(x, y, AXIS_TILT)
    across, along = np.abs(_length(u, v) - np.float32(1.13)) - np.float32(0.028), np.abs(z) - np.float32(0.055)
    inside = np.minimum(np.maximum(across, along), 0)
    return _length(np.maximum(across, 0), np.maximum(along, 0)) + inside - np.float32(0.008)


def _foot(x: Array, y: Array, z: Array) -> Array:
    radius = _length(x, z)
    plate = np.maximum(np.abs(y - np.float32(0.07)) - np.float32(0.05), radius - np.float32(0.62)) - np.float32(0.02)
    flare = np.float32(0.07) + np.float32(0.10) * np.exp(-(((y - np.float32(0.14)) / np.float32(0.10)) ** 2))
    stem = np.maximum(np.abs(y - np.float32(0.30)) - np.float32(0.24), radius - flare)
    pin = _length(radius, y - np.float32(0.47)) - np.float32(0.11)
    return np.minimum(np.minimum(plate, stem * np.float32(0.8)), pin)


BOOKS = (
    (rgb(2.15, 0.17, -0.55), rgb(1.05, 0.17, 0.75), 0.35),
    (rgb(2.05, 0.47, -0.50), rgb(0.92, 0.13, 0.66), 0.10),
)
MARBLE_AT = rgb(-1.15, 0.24, 0.85)
BALLS = ((rgb(0, 1.40, 0), 1.62), (rgb(2.10, 0.30, -0.53), 1.45), (MARBLE_AT, 0.30))  # around all but table and wall


def field(place: Array) -> Array:
    """Return the distances (8, n) from places (n, 3) to the eight things of the scene."""
    x, y, z = np.ascontiguousarray(place.T)
    up = y - CENTRE[1]
    mx, my, mz = MARBLE_AT
    return np.stack(
        [
            y,
            _length(x, up, z) - 1,
            _ring(x, up, z),
            _foot(x, y, z),
            _book_distance(x, y, z, 0),
            _book_distance(x, y, z, 1),
            _length(x - mx, y - my, z - mz) - np.float32(0.24),
            z + np.float32(4.2),
        ]
    )


def _near(start: Array, direction: Array, spread: float) -> Array:
    """Tell which rays come within `spread` per unit of length of anything but the table and the wall."""
    near = np.zeros(len(start), bool)
    for centre, radius in BALLS:
        to = centre - start
        along = np.maximum((to * direction).sum(1), 0)
        off = to - along[:, None] * direction
        near |= (off * off).sum(1) < (radius + spread * along) ** 2
    return near


def _march(origin: Array, direction: Array) -> Array:
    with np.errstate(divide="ignore"):
        table, wall = -origin[1] / direction[:, 1], (-4.2 - origin[2]) / direction[:, 2]
    t = np.minimum(np.where(table > 0, table, FAR), np.where(wall > 0, wall, FAR)).astype(np.float32)
    active = np.flatnonzero(_near(np.broadcast_to(origin, direction.shape), direction, 0))
    t[active] = 1
    for _ in range(90):
        gap = field(origin + direction[active] * t[active, None]).min(0)
        t[active] += gap
        active = active[(gap > 0.0006 * t[active]) & (t[active] < FAR)]
        if not len(active):
            break
    return t


def _normal(place: Array, thing: Array) -> Array:
    total = np.zeros_like(place)
    total[thing == TABLE] = rgb(0, 1, 0)
    total[thing == WALL] = rgb(0, 0, 1)
    curved = np.flatnonzero((thing != TABLE) & (thing != WALL))
    pick = np.arange(len(curved))
    for corner in (rgb(1, -1, -1), rgb(-1, -1, 1), rgb(-1, 1, -1), rgb(1, 1, 1)):
        there = field(place[curved] + corner * np.float32(0.002))[thing[curved], pick]
        total[curved] += corner * there[:, None]
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


def _sunlit(place: Array, normal: Array) -> Array:
    """Return the share of the window's light, with penumbras that widen with distance."""
    light = np.ones(len(place), np.float32)
    near = np.flatnonzero(_near(place, np.broadcast_to(LIGHT, place.shape), 0.16))
    start = place[near] + normal[near] * np.float32(0.01)
    least, t = np.ones(len(near), np.float32), np.full(len(near), 0.03, np.float32)
    for _ in range(26):
        gap = field(start + LIGHT * t[:, None])[:-1].min(0)
        least = np.minimum(least, 0.5 + 0.5 * gap / (0.16 * t))
        t += np.clip(gap, 0.03, 0.35)
    light[near] = np.clip(least, 0, 1)
    return light * light * (3 - 2 * light)


def _open(place: Array, normal: Array) -> Array:
    """Return how open each place is to the room, 0..1."""
    closed = np.zeros(len(place), np.float32)
    for reach, weight in ((0.08, 2.2), (0.22, 1.1), (0.5, 0.5)):
        closed += weight * np.maximum(reach - field(place + normal * np.float32(reach)).min(0), 0)
    return np.clip(1 - closed, 0.12, 1)


def _globe(textures: Textures, place: Array, time: float) -> Array:
    local = place - CENTRE
    x, y = _turn(local[:, 0], local[:, 1], AXIS_TILT)
    lat, lon = np.arcsin(np.clip(y, -1, 1)), np.arctan2(local[:, 2], x) + np.float32(0.55 * time + 2.0)
    u, v = lon / (2 * np.pi) * 1024, lat / np.pi * 512
    level = sample(textures.land, u, v, 1.0) + 0.15 * sample(textures.land, u * 3, v * 3 + 90, 1.0) - 0.25
    sea = mix(rgb(0.10, 0.30, 0.42), rgb(0.30, 0.55, 0.60), smooth(-1.2, 0.0, level))
    low = mix(rgb(0.35, 0.42, 0.16), rgb(0.62, 0.52, 0.26), smooth(0.0, 0.9, level))
    land = mix(low, rgb(0.45, 0.28, 0.14), smooth(0.8, 1.8, level))
    colour = mix(sea, land, smooth(-0.015, 0.015, level))
    colour = mix(colour, np.broadcast_to(rgb(0.85, 0.84, 0.80), colour.shape), smooth(1.15, 1.25, np.abs(lat)))
    coast = np.exp(-((level / 0.04) ** 2))
    lines = np.minimum(np.abs(((lat / 0.2618 + 0.5) % 1) - 0.5), np.abs(((lon / 0.2618 + 0.5) % 1) - 0.5) * np.cos(lat))
    return (colour * (1 - 0.45 * coast - 0.25 * np.exp(-((lines / 0.025) ** 2)))[:, None]).astype(np.float32)


def _wood(textures: Textures, place: Array) -> Array:
    board = np.floor(place[:, 2] / 0.9)
    x, z = place[:, 0] + 3.7 * board, place[:, 2]
    wave = sample(textures.grain, x * 18 + 300 * board, z * 160, 1.0)
    fibre = sample(textures.grain, x * 90, z * 900 + 70 * board, 1.0)
    tone = 0.5 + 0.5 * np.sin(6 * wave + 9 * z + 2.1 * board)
    colour = mix(rgb(0.17, 0.085, 0.040), rgb(0.36, 0.20, 0.10), (0.65 * tone + 0.12 * fibre + 0.2).clip(0, 1))
    seam = np.exp(-((((place[:, 2] / 0.9 + 0.5) % 1 - 0.5) / 0.008) ** 2))
    return (colour * (1 - 0.75 * seam)[:, None]).astype(np.float32)


def _book(textures: Textures, place: Array, which: int, cover: Array) -> Array:
    centre, half, angle = BOOKS[which]
    local = place - centre
    x, z = _turn(local[:, 0], local[:, 2], angle)
    weave = sample(textures.cloth, x * 420, z * 420 + local[:, 1] * 420, 1.0)
    colour = cover * (1 + 0.12 * weave[:, None])
    pages = (np.abs(local[:, 1]) < half[1] - 0.035) & (x > -half[0] + 0.05)
    leaf = 0.86 + 0.10 * np.sin(local[:, 1] * 260) + 0.05 * weave
    colour = np.where(pages[:, None], rgb(0.66, 0.60, 0.47) * leaf[:, None], colour)
    gold = (np.abs(np.abs(z) - half[2] * 0.72) < 0.02) & ~pages
    return np.where(gold[:, None], rgb(0.75, 0.56, 0.22), colour).astype(np.float32)


def _albedo(textures: Textures, place: Array, thing: Array, time: float) -> Array:
    colour = np.empty_like(place)
    for kind in range(8):
        here = thing == kind
        spot = place[here]
        if kind == TABLE:
            colour[here] = _wood(textures, spot)
        elif kind == GLOBE:
            colour[here] = _globe(textures, spot, time)
        elif kind in (LOWER, UPPER):
            cover = rgb(0.26, 0.045, 0.04) if kind == LOWER else rgb(0.035, 0.12, 0.11)
            colour[here] = _book(textures, spot, kind - LOWER, cover)
        elif kind == WALL:
            stain = sample(textures.cloth, spot[:, 0] * 30, spot[:, 1] * 30, 1.0)
            colour[here] = rgb(0.34, 0.33, 0.29) * (1 + 0.04 * stain[:, None])
        elif kind == MARBLE:
            swirl = sample(textures.grain, spot[:, 0] * 120 + 40 * spot[:, 1], spot[:, 1] * 160, 1.0)
            colour[here] = mix(rgb(0.05, 0.22, 0.12), rgb(0.62, 0.72, 0.50), smooth(-0.8, 1.4, swirl))
        else:
            colour[here] = rgb(0.62, 0.42, 0.16) if kind == RING else rgb(0.20, 0.085, 0.035)
    return colour


GLOSS = {TABLE: (0.10, 40), GLOBE: (0.35, 90), RING: (1.6, 60), FOOT: (0.5, 50), LOWER: (0.05, 20), UPPER: (0.05, 20),
         MARBLE: (1.2, 200), WALL: (0.0, 1)}  # fmt: skip


def camera(time: float) -> tuple[Array, Array]:
    """Return the place and axes (right, up, forward as rows) of a camera in an unsteady hand."""
    sway = [
        sum(a * np.sin(f * time + p) for a, f, p in ((0.030, 2.3, k), (0.013, 6.1, 2.0 * k), (0.005, 13.7, 3.0 * k)))
        for k in (1.0, 2.7, 4.4, 5.9)
    ]
    eye = rgb(-0.55 + 0.22 * time + sway[0], 2.35 + sway[1], 5.3 - 0.25 * time)
    aim = rgb(0.42 + 0.8 * sway[2], 1.22 + 0.8 * sway[3], 0) - eye
    forward = aim / np.linalg.norm(aim)
    right = np.cross(forward, rgb(0.02 + 0.3 * sway[0], 1, 0))
    right /= np.linalg.norm(right)
    return eye, np.stack([right, np.cross(right, forward), forward]).astype(np.float32)


def render(textures: Textures, time: float, rays: Array) -> Array:
    """Return the linear picture at `time` for camera rays (height, width, 3) in camera axes."""
    eye, axes = camera(time)
    direction = (rays.reshape(-1, 3) @ axes).astype(np.float32)
    place = eye + direction * _march(eye, direction)[:, None]
    thing = field(place).argmin(0)
    normal = _normal(place, thing)
    albedo = _albedo(textures, place, thing, time)
    sun, free = _sunlit(place, normal), _open(place, normal)
    pool = np.exp(-((place[:, 0] / 5) ** 2) - (np.maximum(-place[:, 2] - 1, 0) / 3.2) ** 2)
    direct = np.clip(normal @ LIGHT, 0, 1) * sun * pool
    bounce = np.clip(0.5 - 0.5 * normal[:, 1:2], 0, 1) * rgb(0.16, 0.09, 0.05)
    room = (0.5 + 0.5 * normal[:, 1:2]) * rgb(0.26, 0.29, 0.34) + bounce
    colour = albedo * (2.1 * direct[:, None] * rgb(1.12, 1.0, 0.82) + free[:, None] * room)
    half = LIGHT - direction
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    strength, power = (np.array([GLOSS[k][i] for k in range(8)], np.float32)[thing] for i in (0, 1))
    shine = strength * np.clip((normal * half).sum(1), 0, 1) ** power * sun
    edge = 0.5 * strength * np.clip(1 + (direction * normal).sum(1), 0, 1) ** 4 * free
    return (colour + shine[:, None] * rgb(1.2, 1.1, 0.95) + edge[:, None] * rgb(0.3, 0.33, 0.4)).reshape(rays.shape)
