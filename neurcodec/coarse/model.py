"""The in-loop codec's networks: conditional synthesis of I and P frames on a feature buffer (S2VC).

Analysis is arithmetic: the 16x16 DCT's lowest basis functions, in an orthonormal colour transform, of what the
prediction leaves (grey for I, the motion-compensated backbone for P). Synthesis is its inverse and a network, whose
last layer starts at zero, on the picture so far, the prediction, the latents and the feature buffer; so the quantiser's
rate-distortion decisions hold and the network learns only what arithmetic does not give (docs/decisions/0006).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurcodec.coarse.network import Network
from neurcodec.coarse.warp import BLOCK

COLOUR = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()
"""Orthonormal luma and two chroma directions of RGB."""


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
    """Analysis and synthesis of one frame type; `finer` divides the base step."""

    basis: Tensor

    def __init__(self, basis: Tensor, width: int, features: int, blocks: int, conditional: bool, finer: float) -> None:
        super().__init__()
        self.conditional, self.finer = conditional, finer
        self.register_buffer("basis", basis, persistent=False)
        self.latent_in = nn.Conv2d(len(basis), 128, 1)
        pictures = 384 if conditional else 192
        context = features if conditional else 0
        self.synthesis_in = nn.Conv2d(pictures + context + 32, width, 1)
        self.synthesis_blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.feature_out = nn.Conv2d(width, features, 1)
        self.synthesis_out = nn.Conv2d(width, 192, 3, padding=1)
        for parameter in self.synthesis_out.parameters():
            nn.init.zeros_(parameter)

    def steps(self, quality: Tensor) -> Tensor:
        """Quantiser step (N, 1, 1, 1) of every latent, in 0..1 pixel units."""
        return (quantiser_step(quality) / (255 * self.finer))[:, None, None, None]

    def inputs(self, *parts: Tensor) -> Tensor:
        """Pictures folded to 1/8 resolution beside what is already there."""
        return torch.cat([F.pixel_unshuffle(p, 8) if p.shape[1] == 3 else p for p in parts], 1)

    def analyse(self, picture: Tensor, prediction: Tensor, quality: Tensor) -> Tensor:
        """Latents before rounding (N, channels, H/16, W/16), in symbol units."""
        return F.conv2d(picture - prediction, self.basis, stride=BLOCK) / self.steps(quality)

    def linear(self, y: Tensor, prediction: Tensor, quality: Tensor) -> Tensor:
        """The picture (N, 3, H, W) that integer latents give without the network."""
        with torch.autocast(y.device.type, enabled=False):
            return prediction + F.conv_transpose2d(y * self.steps(quality), self.basis, stride=BLOCK)

    def synthesise(
        self, y: Tensor, prediction: Tensor, context: Tensor | None, quality: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The coarse picture (N, 3, H, W) and the feature buffer (N, features, H/8, W/8) from integer latents.

        In P frames a block without latents is its prediction, untouched: else what the network does to still areas
        adds up along a chain.
        """
        first = self.linear(y, prediction, quality)
        detail = F.pixel_shuffle(self.latent_in(y * self.steps(quality)), 2)
        parts = [first - 0.5, detail] if context is None else [first - 0.5, prediction - 0.5, context, detail]
        x = self.synthesis_in(self.inputs(*parts))
        for block in self.synthesis_blocks:
            x = block(x, powers(quality))
        correction = F.pixel_shuffle(self.synthesis_out(x), 8)
        if self.conditional:
            coded = (y != 0).any(1, keepdim=True).to(correction.dtype)
            correction = correction * coded.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
        return first + correction, self.feature_out(x)


def powers(quality: Tensor) -> Tensor:
    """The quality as the networks see it: (N,) to (N, 4)."""
    q = quality[:, None] / 32 - 1
    return torch.cat([q, q**2, q**3, q**4], 1)


class CoarseCodec(Network):
    """The transforms of I and P frames; spec section 7 gives their place in decoding."""

    def __init__(
        self, luma: int = 96, chroma: int = 16, width: int = 96, features: int = 64, synthesis_blocks: int = 4
    ) -> None:
        super().__init__(luma=luma, chroma=chroma, width=width, features=features, synthesis_blocks=synthesis_blocks)
        basis = dct_basis(luma, chroma)
        self.intra = Transform(basis, width, features, synthesis_blocks, conditional=False, finer=1.5)
        self.inter = Transform(basis, width, features, synthesis_blocks, conditional=True, finer=1.0)
