"""What the generator is told about its frames (spec section 8): types, and the conditioning as it wants it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from neurcodec.entropy.texture import CELL, LEVELS


class FrameKind(IntEnum):
    """What the generator is told about each frame (Frame Type Embedder)."""

    I = 0  # noqa: E741
    P = 1
    S = 2
    BASE = 3
    FILLED = 4


class Condition(NamedTuple):
    """What the decoder knows about the N frames of a call.

    kind: int64 (N,), values of `FrameKind`. quality: float32 (N,), 0..63 (for a base frame 63 - CRF).
    scale: float32 (N,), how many times smaller the base was coded; 1 for native frames. texture: float32 (N,), 1..63 as
    of `analysis.laplacian`, 0 where it is not known; texture_map: float32 (N, 1, H/8, W/8) as of `spread_texture`; None
    where no group has one. extensions: what their branches take, by name, as of `extensions.branches.conditions`.
    """

    kind: Tensor
    quality: Tensor
    scale: Tensor
    texture: Tensor | None = None
    texture_map: Tensor | None = None
    extensions: Mapping[str, Tensor] = MappingProxyType({})


def spread_texture(levels: Tensor) -> Tensor:
    """Texture levels (N, 1, h, w), at an eighth of the picture's size: float32 (N, 1, 4 h, 4 w), 1/16..1, bilinear.

    0 is no level at all.
    """
    return F.interpolate((levels.float() + 1) / LEVELS, scale_factor=CELL // 8, mode="bilinear")


def sinusoid(value: Tensor, channels: int) -> Tensor:
    """Sinusoidal embedding of values in 0..1: (N,) to (N, channels)."""
    octave = torch.arange(channels // 2, device=value.device) * (8.0 / (channels // 2))
    phase = value[:, None].float() * torch.pi * torch.exp2(octave - 1)
    return torch.cat([phase.sin(), phase.cos()], 1)
