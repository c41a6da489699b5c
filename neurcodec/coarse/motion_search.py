"""Motion search of the encoder: block vectors by rate-distortion over candidates (docs/decisions/0015).

Each candidate field is tried for all blocks at once: warp the reference, sum the absolute differences per block,
add the vectors' estimated bits, keep what is cheaper. Candidates are dense optical flow (DIS), zero, the frame's
dominant vector, the field of the frame before, neighbours, and small steps. Decoders never run any of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from neurcodec.coarse.warp import BLOCK
from neurcodec.entropy.motion import MOTION_LIMIT

NEW_BITS, DISTANCE_BITS = 4.0, 1.6
"""Rough cost of a vector that agrees with nothing around it: at least, and for every doubling of the distance."""
OUTSIDE = 4 * MOTION_LIMIT
"""A component outside the grid, far from every vector."""

Plane = NDArray[np.float32]
Field = NDArray[np.int64]
"""Vectors (2, h, w) in quarter pixels."""

Evaluate = Callable[[Field], tuple[Plane, NDArray[np.int64]]]
"""A field's error (h, w) per block, and the mode that reaches it."""


def luma(rgb: NDArray[np.uint8] | Plane) -> Plane:
    """BT.601 luma 0..255 of an RGB picture (H, W, 3)."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb, dtype=np.float32), cv2.COLOR_RGB2GRAY), dtype=np.float32)


def block_sum(values: Plane) -> Plane:
    """Sums over 16x16 blocks."""
    height, width = values.shape
    means = cv2.resize(values, (width // BLOCK, height // BLOCK), interpolation=cv2.INTER_AREA)
    return np.asarray(means.reshape(height // BLOCK, width // BLOCK) * BLOCK**2, dtype=np.float32)


def shifted(reference: Plane, field: NDArray[Any]) -> Plane:
    """The reference moved by block vectors (2, h, w) in pixels, bilinear, edges replicated."""
    height, width = reference.shape
    spread = field.astype(np.float32).repeat(BLOCK, 1).repeat(BLOCK, 2)
    spread[0] += np.arange(width, dtype=np.float32)
    spread[1] += np.arange(height, dtype=np.float32)[:, None]
    moved = cv2.remap(reference, spread[0], spread[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.float32)


def flow_candidate(current: Plane, reference: Plane) -> Field:
    """Block medians of dense inverse search flow from `current` to `reference`, in quarter pixels."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    height, width = current.shape
    low = ((0, max(0, 32 - height)), (0, 0))  # OpenCV's flow crashes on wide pictures of fewer rows
    first, second = (np.pad(plane.astype(np.uint8), low, mode="edge") for plane in (current, reference))
    flow = dis.calc(first, second, None)[:height]
    blocks = flow.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 2).transpose(4, 0, 2, 1, 3)
    median = np.median(blocks.reshape(2, height // BLOCK, width // BLOCK, -1), axis=-1)
    return np.asarray(np.clip(np.rint(median * 4), -MOTION_LIMIT, MOTION_LIMIT), dtype=np.int64)


def vector_bits(field: Field, around: Field) -> NDArray[np.float64]:
    """A rough count of the bits of vectors (2, h, w), given the fields (2, n, h, w) that they may agree with.

    What agrees with two of them is nearly free; each one that agrees saves half of a new vector's cost.
    """
    distance = np.abs(field[:, None] - around)
    agreeing = (distance.sum(0) == 0).sum(0)
    nearest = np.log2(1.0 + distance).sum(0).min(0)
    return np.asarray((NEW_BITS + DISTANCE_BITS * nearest) * np.maximum(0.0, 1 - agreeing / 2) + 0.1 * (agreeing < 4))


class Search:
    """Keeps the cheapest vector and mode per block among the fields offered.

    place: the field that the coder compares vectors with at their place, beside the neighbours.
    """

    def __init__(self, evaluate: Evaluate, weight: float, first: Field, place: Field) -> None:
        self.evaluate, self.weight, self.place = evaluate, weight, place
        self.field = first.copy()
        self.error, self.mode = evaluate(first)

    def neighbours(self, outside: int | None = None) -> Field:
        """The vectors (2, 4, h, w) above, below, left and right; beyond the grid `outside`, or the nearest."""
        padded = np.pad(self.field, ((0, 0), (1, 1), (1, 1)), mode="edge")
        if outside is not None:
            padded[:, [0, -1]] = padded[:, :, [0, -1]] = outside
        return np.stack([padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]], 1)

    def offer(self, field: Field) -> None:
        """Take each block's vector from `field` where that is cheaper."""
        field = np.clip(field, -MOTION_LIMIT, MOTION_LIMIT)
        around = np.concatenate([self.neighbours(OUTSIDE), self.place[:, None]], 1)
        error, mode = self.evaluate(field)
        before = self.error + self.weight * vector_bits(self.field, around)
        better = error + self.weight * vector_bits(field, around) < before
        self.field = np.where(better, field, self.field)
        self.error = np.where(better, error, self.error)
        self.mode = np.where(better, mode, self.mode)

    def dominant(self) -> Field:
        """The median vector everywhere."""
        median = np.median(self.field.reshape(2, -1), axis=1).astype(np.int64)
        return np.broadcast_to(median[:, None, None], self.field.shape)

    def refine(self, rounds: tuple[int, ...]) -> None:
        """Offer the neighbours' vectors and steps of the given sizes (quarter pixels)."""
        for size in rounds:
            for direction in range(4):
                self.offer(self.neighbours()[:, direction])
            self.offer(np.rint(self.neighbours().mean(1)).astype(np.int64))
            for step in ((size, 0), (-size, 0), (0, size), (0, -size)):
                self.offer(self.field + np.array(step)[:, None, None])
        for direction in range(4):
            self.offer(self.neighbours()[:, direction])


def search_backbone(current: Plane, reference: Plane, previous: Field, weight: float) -> Field:
    """Vectors of a P frame. weight: absolute difference (0..255 per pixel, summed) that one bit is worth."""

    def evaluate(field: Field) -> tuple[Plane, NDArray[np.int64]]:
        error = block_sum(np.abs(shifted(reference, field / 4) - current))
        return error, np.zeros(error.shape, dtype=np.int64)

    search = Search(evaluate, weight, np.zeros_like(previous), previous)
    search.offer(flow_candidate(current, reference))
    search.offer(previous)
    search.offer(search.dominant())
    search.refine((4, 2, 1))
    return search.field


def search_sparse(
    current: Plane, before: Plane, after: Plane, share: float, predicted: Field, weight: float
) -> tuple[Field, NDArray[np.int64]]:
    """Vectors and modes of an S frame between two backbones, `share` of the way from the first to the second.

    A vector is the displacement from the second backbone to the first, followed linearly: the block is predicted from
    `before` at + share * vector (mode 0), from `after` at - (1 - share) * vector (mode 2), or from both (mode 1).
    """

    def evaluate(field: Field) -> tuple[Plane, NDArray[np.int64]]:
        first = shifted(before, field * (share / 4))
        second = shifted(after, field * ((share - 1) / 4))
        errors = np.stack([block_sum(np.abs(picture - current)) for picture in (first, (first + second) / 2, second)])
        errors[0] += 2 * weight
        errors[2] += 2 * weight
        return errors.min(0), errors.argmin(0)

    search = Search(evaluate, weight, predicted, predicted)
    search.offer(np.zeros_like(predicted))
    search.refine((2, 1))
    return search.field, search.mode
