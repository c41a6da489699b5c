"""The sketch in the generator: filled forward to all frames of its chunk, added to their first features (annex B)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

NAME = "sketch"
ATTRIBUTE = "edges"
AGE = 16
"""After so many frames a sketch counts half."""


def fill(edges: Tensor, age: Tensor) -> Tensor:
    """Forward-fill edge maps, bool (N, h, w), to frames `age` (N,) frames later: float32 (N, 1, h, w).

    An edge is 1 and its absence -1 where the map was made, and both fade with age; 0 is no sketch at all.
    """
    strength = AGE / (AGE + age.float())
    return (edges.float() * 2 - 1)[:, None] * strength[:, None, None, None]


def build(channels: int, token_channels: int) -> nn.Conv2d:
    """The branch for a body of `channels`; it starts without effect."""
    layer = nn.Conv2d(1, channels, 3, padding=1, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


def condition(value: NDArray[np.bool_], first: int, frames: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """The sketch of a chunk for its frames from number `first` on: float32 (frames, 1, H/8, W/8), size: H, W."""
    edges = torch.from_numpy(value).to(device).expand(frames, -1, -1)
    ages = torch.arange(first, first + frames, device=device)
    return F.pad(fill(edges, ages), (0, size[1] // 8 - value.shape[1], 0, size[0] // 8 - value.shape[0]))
