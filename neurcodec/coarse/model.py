"""The in-loop codec's networks: conditional transforms of I and P frames on a feature buffer (S2VC).

Each transform has a linear path, the 16x16 DCT's lowest basis functions of an orthonormal colour transform, and a
network beside it whose last layer starts at zero. The prediction (grey for I, the
motion-compensated backbone for P, the base picture in the layered profile) is subtracted before and added after, so
that the networks learn only what arithmetic does not give.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from neurcodec.coarse.warp import BLOCK

COLOUR = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()
"""Orthonormal luma and two chroma directions of RGB."""
QUALITIES = 64
KNOTS = 5


def quantiser_step(quality: Tensor) -> Tensor:
    """The base step for a quality 0..63, in units of 1/255 of an orthonormal coefficient: 400 down to 10.5."""
    return 400 * torch.exp2(-quality / 12)


def channel_order(luma: int, chroma: int) -> list[tuple[int, int, int]]:
    """(component, vertical, horizontal frequency) of each latent channel, low frequencies first."""
    basis = []
    for component in range(3):
        zigzag = sorted((u + v, max(u, v), u, v) for u in range(BLOCK) for v in range(BLOCK))
        for total, _, u, v in zigzag[: luma if component == 0 else chroma]:
            basis.append((total + (0.5 if component else 0.0) * (1 + 2 * total), component, u, v))
    return [(component, u, v) for _, component, u, v in sorted(basis)]


def dct_basis(luma: int, chroma: int) -> Tensor:
    """The latents' basis pictures (channels, 3, 16, 16), orthonormal."""
    n = torch.arange(BLOCK, dtype=torch.float64)
    rows = torch.cos(torch.pi * (n[None] + 0.5) * n[:, None] / BLOCK) * math.sqrt(2 / BLOCK)
    rows[0] /= math.sqrt(2)
    pictures = [
        COLOUR[component].double()[:, None, None] * (rows[u][:, None] * rows[v][None])
        for component, u, v in channel_order(luma, chroma)
    ]
    return torch.stack(pictures).float()


class Block(nn.Module):
    """conv - gain by the quality - ReLU - conv, added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.gain = nn.Linear(4, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.gain.weight)
        nn.init.ones_(self.gain.bias)
        with torch.no_grad():
            self.conv2.weight.mul_(0.2)

    def forward(self, x: Tensor, powers: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(x) * self.gain(powers)[:, :, None, None]))


class Transform(nn.Module):
    """Analysis and synthesis of one frame type."""

    basis: Tensor

    def __init__(
        self, basis: Tensor, width: int, features: int, blocks: tuple[int, int], conditional: bool, finer: float
    ) -> None:
        super().__init__()
        channels = len(basis)
        pictures = 384 if conditional else 192
        context = features if conditional else 0
        self.conditional = conditional
        self.register_buffer("basis", basis, persistent=False)
        self.log_gain = nn.Parameter(torch.full((KNOTS, channels), math.log(finer)))
        self.analysis_in = nn.Conv2d(pictures + context, width, 1)
        self.analysis_blocks = nn.ModuleList(Block(width) for _ in range(blocks[0]))
        self.analysis_out = nn.Conv2d(width, channels, 2, stride=2)
        self.latent_in = nn.Conv2d(channels, 128, 1)
        self.synthesis_in = nn.Conv2d(pictures + context + 32, width, 1)
        self.synthesis_blocks = nn.ModuleList(Block(width) for _ in range(blocks[1]))
        self.feature_out = nn.Conv2d(width, features, 1)
        self.synthesis_out = nn.Conv2d(width, 192, 3, padding=1)
        for layer in (self.analysis_out, self.synthesis_out):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def steps(self, quality: Tensor) -> Tensor:
        """Quantiser steps (N, channels, 1, 1) in 0..1 pixel units, interpolated between the knots."""
        place = quality * ((KNOTS - 1) / (QUALITIES - 1))
        low = place.floor().clamp(0, KNOTS - 2)
        share = (place - low)[:, None]
        gain = self.log_gain[low.long()] * (1 - share) + self.log_gain[low.long() + 1] * share
        return (quantiser_step(quality)[:, None] / 255 * torch.exp(-gain))[:, :, None, None]

    def inputs(self, *parts: Tensor) -> Tensor:
        """Pictures folded to 1/8 resolution beside what is already there."""
        return torch.cat([F.pixel_unshuffle(p, 8) if p.shape[1] == 3 else p for p in parts], 1)

    def analyse(self, picture: Tensor, prediction: Tensor, context: Tensor | None, quality: Tensor) -> Tensor:
        """Latents before rounding (N, channels, H/16, W/16), in symbol units."""
        residual = picture - prediction
        parts = [residual] if context is None else [residual, prediction - 0.5, context]
        x = self.analysis_in(self.inputs(*parts))
        for block in self.analysis_blocks:
            x = block(x, powers(quality))
        correction = self.analysis_out(x).float()
        with torch.autocast(picture.device.type, enabled=False):
            y = F.conv2d(residual, self.basis, stride=BLOCK) + correction
            return y / self.steps(quality)

    def synthesise(
        self, y: Tensor, prediction: Tensor, context: Tensor | None, quality: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The coarse picture (N, 3, H, W) and the feature buffer (N, features, H/8, W/8) from integer latents."""
        with torch.autocast(y.device.type, enabled=False):
            y = y * self.steps(quality)
            first = prediction + F.conv_transpose2d(y, self.basis, stride=BLOCK)
        detail = F.pixel_shuffle(self.latent_in(y), 2)
        parts = [first - 0.5, detail] if context is None else [first - 0.5, prediction - 0.5, context, detail]
        x = self.synthesis_in(self.inputs(*parts))
        for block in self.synthesis_blocks:
            x = block(x, powers(quality))
        return first + F.pixel_shuffle(self.synthesis_out(x), 8), self.feature_out(x)


def powers(quality: Tensor) -> Tensor:
    """The quality as the networks see it: (N,) to (N, 4)."""
    q = quality[:, None] / 32 - 1
    return torch.cat([q, q**2, q**3, q**4], 1)


class CoarseCodec(ModelMixin, ConfigMixin):
    """The transforms of I and P frames; spec section 7 gives their place in decoding."""

    @register_to_config
    def __init__(
        self,
        luma: int = 96,
        chroma: int = 16,
        width: int = 96,
        features: int = 64,
        analysis_blocks: int = 2,
        synthesis_blocks: int = 4,
    ) -> None:
        super().__init__()
        basis = dct_basis(luma, chroma)
        blocks = (analysis_blocks, synthesis_blocks)
        self.intra = Transform(basis, width, features, blocks, conditional=False, finer=1.5)
        self.inter = Transform(basis, width, features, blocks, conditional=True, finer=1.0)
