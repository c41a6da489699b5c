"""What moves in the flight scene: hot-air balloons and a motor boat with its wake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.scenes.flight import (
    SUN,
    SUN_COLOUR,
    Array,
    World,
    camera,
    ground,
    haze,
    march,
    mix,
    rgb,
    sample,
    sky,
    smooth,
    water,
)


@dataclass(frozen=True)
class Ball:
    """An ellipsoid: centre, half axes, and two colours of its stripes (`stripes` 0 = plain)."""

    centre: Array
    axes: Array
    first: Array
    second: Array
    stripes: int = 0
    turn: float = 0.0


def balloons(time: float) -> list[Ball]:
    """Return the balloons, their baskets and the boat's parts at a time in seconds."""
    balls = []
    for x, y, z, size, first, second, stripes, drift in (
        (4190.0, 196.0, 1560.0, 20.0, rgb(0.75, 0.06, 0.05), rgb(0.92, 0.80, 0.30), 12, 7.0),
        (3925.0, 262.0, 1790.0, 22.0, rgb(0.06, 0.20, 0.55), rgb(0.88, 0.88, 0.86), 10, 9.0),
        (4330.0, 320.0, 2330.0, 24.0, rgb(0.85, 0.40, 0.06), rgb(0.20, 0.32, 0.12), 8, 8.0),
    ):
        centre = rgb(x + drift * time, y + 2.5 * time, z + 3 * time)
        balls.append(Ball(centre, rgb(size, size * 1.12, size), first, second, stripes, 0.25 * time))
        balls.append(Ball(centre - rgb(0, size * 1.08, 0), rgb(0.32, 0.45, 0.32) * size, first * 0.8, second, 0))
        balls.append(Ball(centre - rgb(0, size * 1.75, 0), rgb(3, 2.6, 3), rgb(0.25, 0.15, 0.07), second, 0))
    bow = boat(time)
    balls.append(Ball(bow + rgb(0, 0.6, 0), rgb(2.1, 1.6, 6.5), rgb(0.85, 0.84, 0.82), rgb(0.5, 0.1, 0.1), 0))
    balls.append(Ball(bow + rgb(0, 2.2, -0.6), rgb(1.3, 1.2, 2.2), rgb(0.10, 0.13, 0.18), rgb(0.1, 0.1, 0.1), 0))
    return balls


def boat(time: float) -> Array:
    """Return where the boat is."""
    return rgb(4085.0 - 3 * time, 0, 1330.0 + 16 * time)


def hit(ball: Ball, origin: Array, direction: Array) -> Array:
    """Return the distance along each ray to the ball, infinity where it is missed."""
    start, way = (origin - ball.centre) / ball.axes, direction / ball.axes
    a, b, c = (way * way).sum(-1), (start * way).sum(-1), (start * start).sum(-1) - 1
    root = b * b - a * c
    near = (-b - np.sqrt(np.maximum(root, 0))) / a
    return np.where((root > 0) & (near > 0), near, np.inf).astype(np.float32)


def paint(ball: Ball, place: Array, direction: Array) -> Array:
    """Return the lit colour of the ball's surface at the places (n, 3)."""
    unit = (place - ball.centre) / ball.axes
    normal = unit / ball.axes
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    colour = np.broadcast_to(ball.first, place.shape)
    light: Array = np.full(len(place), 1.0, np.float32)
    if ball.stripes:
        phase = (np.arctan2(unit[:, 2], unit[:, 0]) + ball.turn) * ball.stripes / (2 * np.pi)
        fold = np.abs(phase - np.floor(phase) - 0.5) * 2
        colour = ball.first + (ball.second - ball.first) * smooth(0.42, 0.58, fold)[:, None]
        band = smooth(0.02, 0.05, np.abs(unit[:, 1] - 0.1) - 0.12)
        colour = ball.second * 0.9 + (colour - ball.second * 0.9) * band[:, None]
        light = 0.90 + 0.10 * np.abs(np.sin(phase * 2 * np.pi))
    sun = np.clip((normal @ SUN + 0.15) / 1.15, 0, 1) * light
    rim = np.clip(1 + (direction * normal).sum(1), 0, 1) ** 3
    ambient = (0.6 + 0.4 * normal[:, 1:2]) * rgb(0.42, 0.48, 0.56)
    return (colour * (1.5 * sun[:, None] * SUN_COLOUR + ambient) + 0.10 * rim[:, None]).astype(np.float32)


def shade(balls: list[Ball], place: Array) -> Array:
    """Return what the objects leave of the sunlight at the places (n, 3): 0 in the middle of a shadow, 1 outside."""
    left: Array = np.ones(len(place), np.float32)
    for ball in balls:
        offset = (place - ball.centre) / ball.axes
        way = SUN / ball.axes
        along = np.maximum(-(offset @ way) / (way @ way), 0)
        gap = np.linalg.norm(offset + along[:, None] * way, axis=1)
        soft = 0.08 + 0.009 * along / ball.axes.mean()
        left *= 1 - (1 - smooth(-1, 1, (gap - 1) / soft)) * (along > 0)
    return left


def wake(time: float, place: Array) -> Array:
    """Return the foam behind the boat on the water at the places (n, 3), 0..1."""
    bow = boat(time)
    behind, side = bow[2] + 5 - place[:, 2], np.abs(place[:, 0] - bow[0] - 3 / 16 * (bow[2] - place[:, 2]))
    arms = np.exp(-(((side - 0.30 * np.maximum(behind, 0)) / (1.0 + 0.03 * np.abs(behind))) ** 2))
    churn = np.exp(-((side / (1.6 + 0.02 * np.abs(behind))) ** 2))
    age = np.exp(-np.maximum(behind, 0) / 110) * smooth(-1, 3, behind)
    ripple = 0.65 + 0.35 * np.sin(place[:, 0] * 2.1 + place[:, 2] * 1.3) * np.sin(place[:, 2] * 2.9 - place[:, 0] * 0.7)
    return np.clip((0.8 * arms + 0.75 * churn * ripple) * age, 0, 1).astype(np.float32)


FAR = 14000.0


def render(world: World, time: float, seconds: float, rays: Array) -> Array:
    """Return the linear picture at `time` for camera rays (height, width, 3) in camera axes."""
    eye, axes = camera(time, seconds)
    direction = (rays.reshape(-1, 3) @ axes).astype(np.float32)
    balls = balloons(time)
    distance = march(world, eye, direction, FAR, 260)
    picture = sky(world, direction, time)
    land = distance < FAR
    place = eye + direction * distance[:, None]
    wet = land & (sample(world.height, place[:, 0], place[:, 2], 4.0) < 0)
    shadow = shade(balls, place)
    dry = land & ~wet
    picture[dry] = ground(world, place[dry], distance[dry], shadow[dry])
    picture[wet] = water(world, place[wet], direction[wet], distance[wet], shadow[wet], time)
    picture[wet] = mix(picture[wet], rgb(0.85, 0.88, 0.90) * shadow[wet][:, None], wake(time, place[wet]))
    for ball in balls:
        reach = hit(ball, eye, direction)
        front = reach < distance
        picture[front] = paint(ball, eye + direction[front] * reach[front, None], direction[front])
        distance = np.minimum(distance, reach)
        land |= front
    picture[land] = haze(world, picture[land], direction[land], distance[land])
    return picture.reshape(rays.shape)
