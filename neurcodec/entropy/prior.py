"""Prior networks in exact integers (spec section 6.3).

A prior predicts the distributions of one frame's symbols, on the latent grid, from integers that are already
decoded. Positions are coded in four passes over the phases of the 2x2 grid, each conditioned on those before. All
arithmetic is on integers carried in float64 (every partial sum is far below 2^53, so any summation order gives the
same result): weights in units of 2^-8, activations in units of 2^-6, rounded and clamped after every layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.tables import (
    CLASS_MEAN_HIGH,
    CLASS_MEAN_LOW,
    CLASS_SCALE_OFFSET,
    CLASS_SCALES,
    PHASES,
    SCALE_OFFSET,
    SCALES,
)

Array = NDArray[np.float64]

WEIGHT_BITS = 8
ACTIVATION_BITS = 6
ACTIVATION_LIMIT = 1 << 15
WEIGHT_LIMIT = 1 << 15
ORDER = ((0, 0), (1, 1), (0, 1), (1, 0))
"""(row, column) parity of the positions that each pass codes."""


def rounded(accumulator: Array) -> Array:
    """An accumulator in units of 2^-14 as an activation: floor(a / 2^8 + 1/2), clamped to 16 bits."""
    return np.clip(np.floor(accumulator * 2.0**-WEIGHT_BITS + 0.5), -ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1)


def neighbourhoods(planes: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """The 3x3 surroundings (zero outside) of positions: planes (C, h, w) to (positions, C * 9)."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    taps = [padded[:, rows + dy, columns + dx] for dy in range(3) for dx in range(3)]
    return np.stack(taps, -1).transpose(1, 0, 2).reshape(len(rows), 9 * len(planes))


@dataclass(frozen=True, slots=True)
class PriorWeights:
    """Integer weights of one prior (values as float64). K value channels, C context planes, H hidden units.

    context: (H, C * 9), context_bias (H). current: (4, H, (K + 2) * 9), one per pass, current_bias (4, H).
    hidden: (H, H), hidden_bias (H). classes: (2, H), classes_bias (2). class_embedding: (classes, H).
    values: (2 * K, H), values_bias (2 * K): K means, then K scales. taps: (4, K, 9), the linear part of the means
    from the current values, and previous: (K), from the co-located context value (the first K context planes), or
    of length 0.
    """

    context: Array
    context_bias: Array
    current: Array
    current_bias: Array
    hidden: Array
    hidden_bias: Array
    classes: Array
    classes_bias: Array
    class_embedding: Array
    values: Array
    values_bias: Array
    taps: Array
    previous: Array
    shift: int

    @property
    def channels(self) -> int:
        """K, the number of value channels."""
        return len(self.values_bias) // 2


class PriorState:
    """One frame's symbols being coded with a prior.

    values: int64 (K, h, w), classes: int64 (h, w); positions of passes that are not coded yet are zero.
    """

    def __init__(self, weights: PriorWeights, context: Array) -> None:
        self.weights = weights
        _, self.height, self.width = context.shape
        self.values = np.zeros((weights.channels, self.height, self.width), dtype=np.int64)
        self.classes = np.zeros((self.height, self.width), dtype=np.int64)
        self.known = np.zeros((self.height, self.width))
        self.context = context

    def scaled_values(self) -> Array:
        """The values as network input: clamped to 8 bits, in units of 2^-6 after the prior's shift."""
        return np.clip(self.values, -127, 127).astype(np.float64) * (1 << self.weights.shift)

    def start_pass(self, number: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions (rows, columns) of a pass, raster order; prepares their hidden units and linear means."""
        weights = self.weights
        row, column = ORDER[number]
        grid = np.mgrid[row : self.height : 2, column : self.width : 2].reshape(2, -1)
        rows, columns = grid[0], grid[1]
        total = neighbourhoods(self.context, rows, columns) @ weights.context.T
        total = total + weights.context_bias + weights.current_bias[number]
        raw = np.zeros((len(rows), weights.channels))
        if number:
            planes = [self.scaled_values(), self.classes[None] * 16.0, self.known[None] * 64.0]
            total = total + neighbourhoods(np.concatenate(planes), rows, columns) @ weights.current[number].T
            around = neighbourhoods(self.values.astype(np.float64) * 64, rows, columns).reshape(
                len(rows), weights.channels, 9
            )
            raw = (around * weights.taps[number]).sum(-1)
        if len(weights.previous):
            before = self.context[: weights.channels, rows, columns].T * 2.0 ** (ACTIVATION_BITS - weights.shift)
            raw = raw + before * weights.previous
        self.linear = raw
        first = np.maximum(rounded(total), 0)
        self.features = np.maximum(rounded(first @ weights.hidden.T + weights.hidden_bias), 0)
        return rows, columns

    def class_tables(self) -> NDArray[np.int64]:
        """Table index of each position's class symbol in this pass."""
        out = rounded(self.features @ self.weights.classes.T + self.weights.classes_bias)
        mean = np.clip(np.floor((out[:, 0] + 4) / 8), CLASS_MEAN_LOW, CLASS_MEAN_HIGH)
        scale = np.clip(np.floor((out[:, 1] + 8) / 16) + CLASS_SCALE_OFFSET, 0, CLASS_SCALES - 1)
        return ((mean - CLASS_MEAN_LOW) * CLASS_SCALES + scale).astype(np.int64)

    def value_tables(self, classes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Integer means and table indexes (positions, K) of the values, given the positions' classes."""
        weights = self.weights
        features = np.maximum(self.features + weights.class_embedding[classes], 0)
        total = features @ weights.values.T + weights.values_bias
        count = weights.channels
        mean = np.floor((rounded(total[:, :count] + self.linear) + 4) / 8)
        whole = np.floor((mean + PHASES // 2) / PHASES)
        phase = mean - PHASES * whole + PHASES // 2
        scale = np.clip(np.floor((rounded(total[:, count:]) + 8) / 16) + SCALE_OFFSET, 0, SCALES - 1)
        return whole.astype(np.int64), (scale * PHASES + phase).astype(np.int64)

    def put(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp], classes: NDArray[np.int64], values: NDArray[np.int64]
    ) -> None:
        """Enter a pass's decoded symbols: classes (positions), values (positions, K)."""
        self.classes[rows, columns] = classes
        self.values[:, rows, columns] = values.T
        self.known[rows, columns] = 1.0
