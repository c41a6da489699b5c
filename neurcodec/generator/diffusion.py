"""The diffusion side of the generator: where its one step starts, and the specified noise.

The schedule is scaled-linear with zero terminal SNR, the network predicts x0, and the one DDIM step from the last
timestep ends at t = 0: so it gives x0 itself, and nothing of the schedule is left to compute (spec 8.1; a test does the
step). The noise is not drawn from a device's generator (results differ across hardware) but from a
counter-based integer hash, spec section "Noise": the same on every machine.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

NOISE_TILE = 256
TIMESTEP = 999
"""Of 1000, the last one."""


def splitmix64(counter: np.ndarray) -> np.ndarray:
    """The splitmix64 finaliser on uint64 counters (wrapping arithmetic)."""
    z = counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@cache
def noise_tile() -> Tensor:
    """Approximately normal noise (3, 256, 256): the sum of eight hashed bytes, centred and scaled, per sample."""
    counter = np.arange(1, 3 * NOISE_TILE * NOISE_TILE + 1, dtype=np.uint64)
    total = splitmix64(counter).view(np.uint8).reshape(-1, 8).sum(1).astype(np.float32)
    deviation = np.sqrt(8 * (256**2 - 1) / 12)
    return torch.from_numpy((total - 1020.0) / np.float32(deviation)).view(3, NOISE_TILE, NOISE_TILE)


def terminal_noise(height: int, width: int) -> Tensor:
    """x_T of a frame: the tile repeated over (3, height, width); the same for every frame, which holds still."""
    tile = noise_tile().repeat(1, -(-height // NOISE_TILE), -(-width // NOISE_TILE))
    return tile[:, :height, :width]
