"""Planes of integers, and the arithmetic of bitstream_spec.md sections 6.3 and 6.5."""

from __future__ import annotations

Plane = list[list[int]]


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def activation(a: int) -> int:
    """R of section 6.3."""
    return clamp((a + 128) // 256, -32768, 32767)


def dot(weights: list[int], values: list[int]) -> int:
    return sum(w * v for w, v in zip(weights, values, strict=True))


def around(planes: list[Plane], y: int, x: int) -> list[int]:
    """3x3 surroundings, plane by plane, zero outside."""
    return [
        plane[j][i] if 0 <= j < len(plane) and 0 <= i < len(plane[0]) else 0
        for plane in planes for j in (y - 1, y, y + 1) for i in (x - 1, x, x + 1)
    ]  # fmt: skip


def blank(grid: tuple[int, int], value: int = 0) -> Plane:
    return [[value] * grid[1] for _ in range(grid[0])]


def times(plane: Plane, factor: int) -> Plane:
    return [[value * factor for value in row] for row in plane]


def inputs(plane: Plane, shift: int) -> Plane:
    """Section 6.5: symbols in a prior's input units."""
    return [[clamp(value, -127, 127) << shift for value in row] for row in plane]
