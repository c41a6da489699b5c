"""Integer probability tables (spec section 6.2): how they are indexed, and how the exporter builds them.

A file is decoded with the integers shipped in the model; `build_*` is only run when a model is exported. All
frequencies of a table are at least 1 and sum to 2^24.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PRECISION = 24
TOTAL = 1 << PRECISION

PHASES = 8
"""Symbol means have 3 fractional bits."""
SCALES = 40
SCALE_OFFSET = 17
"""A value table's scale is 2^((index - SCALE_OFFSET) / 4) symbols."""
CLASS_SCALES = 20
CLASS_SCALE_OFFSET = 12
CLASS_MEAN_LOW, CLASS_MEAN_HIGH = -32, 88
"""Range of a class mean, in eighths."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one model, as int64 arrays of frequencies.

    value: table `scale * 8 + phase`, of 2 * reach + 2 entries: residuals -reach..reach, then the escape.
    classes: table `(mean - CLASS_MEAN_LOW) * CLASS_SCALES + scale`, one entry per class, by number of classes.
    """

    value: tuple[Ints, ...]
    classes: dict[int, Ints]


def normalise(probability: NDArray[np.float64]) -> Ints:
    """Integer frequencies >= 1 with sum 2^24 from probabilities (last axis); the largest takes the rounding."""
    share = probability / probability.sum(-1, keepdims=True)
    count = share.shape[-1]
    frequency = 1 + np.floor(share * (TOTAL - count)).astype(np.int64)
    largest = frequency.argmax(-1)[..., None]
    rest = TOTAL - frequency.sum(-1, keepdims=True)
    np.put_along_axis(frequency, largest, np.take_along_axis(frequency, largest, -1) + rest, -1)
    return frequency


TAIL_SHARE = 0.02
"""Share of the wide component in a value table, whose scale is 4 scale + 2: what costs a surprise about 12 bits."""


def laplace_cdf(x: NDArray[np.floating], scale: float) -> NDArray[np.float64]:
    """The Laplace distribution's cumulative probability."""
    tail = 0.5 * np.exp(-np.abs(x) / scale)
    return np.where(x < 0, tail, 1 - tail)


def build_value_tables() -> tuple[Ints, ...]:
    """Discretised tables of every scale and phase: a Laplace distribution with a wide second one for surprises."""
    tables = []
    for index in range(SCALES):
        scale = 2.0 ** ((index - SCALE_OFFSET) / 4)
        reach = min(127, int(np.ceil(12 * scale)) + 12)
        for phase in range(PHASES):
            edges = np.arange(-reach, reach + 2, dtype=np.float64) - (0.5 + (phase - PHASES // 2) / PHASES)
            narrow, wide = np.diff(laplace_cdf(edges, scale)), np.diff(laplace_cdf(edges, 4 * scale + 2))
            mass = (1 - TAIL_SHARE) * narrow + TAIL_SHARE * wide
            tables.append(normalise(np.append(mass, max(1 - mass.sum(), 0.0))))
    return tuple(tables)


def build_class_tables(classes: int) -> Ints:
    """Discretised logistic tables over 0..classes-1, truncated to that range, of every mean and scale."""
    means = np.arange(CLASS_MEAN_LOW, CLASS_MEAN_HIGH + 1)[:, None, None] / 8
    scales = 2.0 ** ((np.arange(CLASS_SCALES)[None, :, None] - CLASS_SCALE_OFFSET) / 4)
    edges = np.arange(classes + 1) - 0.5
    cdf = 1 / (1 + np.exp(-np.clip((edges - means) / scales, -60, 60)))
    upper = 1 / (1 + np.exp(np.clip((edges - means) / scales, -60, 60)))
    mass = np.where(edges[:-1] < means, np.diff(cdf, axis=-1), -np.diff(upper, axis=-1))
    return normalise(mass + 1e-12).reshape(-1, classes)
