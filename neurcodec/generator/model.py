"""The one-step diffusion generator: a conditional x0-predictor over groups of frames.

It restores what the in-loop codec shows (the coarse picture) and never enters the coding loop (spec section 8).
A convolutional U-Net at 1/4, 1/8 and 1/16 resolution predicts x0 as coarse + residual from the coarse picture and
the noise sample of the last timestep. From the papers: the Frame Type Embedder (Diff-SIT), Contextual Semantic
Guidance: tokens of the codec's feature buffer in cross-attention, and Temporal Consistency Guidance: a diffusion
buffer of the previous frame's features behind a zero-initialised branch (S2VC). Frames of a group are refined
jointly (Diff-SIT, ODFTE): every temporal branch sees the frame before and the frame after. From DiSCo: an optional
caption, whose tokens join the semantic ones, and an optional sketch; weights without their branches ignore both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

from neurcodec.entropy.texture import CELL, LEVELS
from neurcodec.generator.text import TextEncoder


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
    scale: float32 (N,), how many times smaller the base was coded; 1 for native frames. text: of every group, int64
    (groups, TEXT_BYTES) as of `text.tokenize`. sketch: float32 (N, 1, H/8, W/8) as of `fill_sketch`. texture: float32
    (N,), 1..63 as of `pipeline.texture`, 0 where it is not known; texture_map: float32 (N, 1, H/8, W/8) as of
    `spread_texture`. None where no group has one.
    """

    kind: Tensor
    quality: Tensor
    scale: Tensor
    text: Tensor | None = None
    sketch: Tensor | None = None
    texture: Tensor | None = None
    texture_map: Tensor | None = None


State = tuple[Tensor, ...]
"""The diffusion buffer: the last frame's features at each temporal branch, (groups, C, h, w)."""


SKETCH_AGE = 16
"""After so many frames a sketch counts half."""


def fill_sketch(edges: Tensor, age: Tensor) -> Tensor:
    """Forward-fill edge maps, bool (N, h, w), to frames `age` (N,) frames later: float32 (N, 1, h, w).

    An edge is 1 and its absence -1 where the map was made, and both fade with age; 0 is no sketch at all.
    """
    strength = SKETCH_AGE / (SKETCH_AGE + age.float())
    return (edges.float() * 2 - 1)[:, None] * strength[:, None, None, None]


def spread_texture(levels: Tensor) -> Tensor:
    """Texture levels (N, 1, h, w), at an eighth of the picture's size: float32 (N, 1, 4 h, 4 w), 1/16..1, bilinear.

    0 is no level at all.
    """
    return F.interpolate((levels.float() + 1) / LEVELS, scale_factor=CELL // 8, mode="bilinear")


def zero(module: nn.Module) -> nn.Module:
    """Zero a layer's parameters, so that its branch starts without effect."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def sinusoid(value: Tensor, channels: int) -> Tensor:
    """Sinusoidal embedding of values in 0..1: (N,) to (N, channels)."""
    octave = torch.arange(channels // 2, device=value.device) * (8.0 / (channels // 2))
    phase = value[:, None].float() * torch.pi * torch.exp2(octave - 1)
    return torch.cat([phase.sin(), phase.cos()], 1)


class ResBlock(nn.Module):
    """conv - FiLM by the condition - SiLU - conv, added to its input."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = zero(nn.Linear(embedding, 2 * channels))
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.conv2.weight.mul_(0.2)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        gain, shift = self.film(embedding)[:, :, None, None].chunk(2, 1)
        return x + self.conv2(F.silu(self.conv1(x) * (1 + gain) + shift))


class SemanticAttention(nn.Module):
    """Contextual Semantic Guidance: cross-attention from 1/16 features to tokens of codec features and caption."""

    def __init__(self, channels: int, token_channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(token_channels, 2 * channels)
        self.out = zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """x (N, C, h, w), tokens (N, T, token_channels); mask (N, T): which tokens are there, None for all."""
        n, c, h, w = x.shape
        query = self.query(x.flatten(2).transpose(1, 2)).view(n, h * w, self.heads, -1).transpose(1, 2)
        key_value = self.key_value(tokens).view(n, -1, 2, self.heads, c // self.heads)
        key, value = key_value.permute(2, 0, 3, 1, 4)
        there = None if mask is None else mask[:, None, None]
        mixed = F.scaled_dot_product_attention(query, key, value, there).transpose(1, 2).reshape(n, h * w, c)
        return x + self.out(mixed).transpose(1, 2).view(n, c, h, w)


class TemporalBranch(nn.Module):
    """Temporal Consistency Guidance and joint refinement: fuses the features of t-1, t, t+1; starts at zero.

    The first frame of a group sees the diffusion buffer (zeros at a chunk's start) as t-1; the last one sees
    itself as t+1.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(3 * channels, hidden, 3, padding=1)
        self.out = zero(nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor, frames: int, last: Tensor | None) -> tuple[Tensor, Tensor]:
        clip = x.unflatten(0, (-1, frames))
        first = torch.zeros_like(clip[:, :1]) if last is None else last[:, None].to(clip.dtype)
        before = torch.cat([first, clip[:, :-1]], 1)
        after = torch.cat([clip[:, 1:], clip[:, -1:]], 1)
        stacked = torch.cat([before, clip, after], 2).flatten(0, 1)
        return x + self.out(F.silu(self.fuse(stacked))), clip[:, -1]


class TextureBranch(nn.Module):
    """What the texture map adds at 1/8, and how it scales and moves the last features at 1/4; starts at zero."""

    def __init__(self, eighth: int, quarter: int, hidden: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(1, hidden, 1)
        self.deep = zero(nn.Conv2d(hidden, eighth, 3, padding=1, bias=False))
        self.last = zero(nn.Conv2d(hidden, 8 * quarter, 1, bias=False))

    def forward(self, levels: Tensor | None) -> tuple[Tensor, Tensor, Tensor] | None:
        """levels (N, 1, h, w), 0 where there are none: (N, eighth, h, w) and twice (N, quarter, 2 h, 2 w)."""
        if levels is None:
            return None
        known = (levels > 0).to(levels.dtype)
        hidden = F.silu(self.hidden(levels)) * known
        gain, shift = F.pixel_shuffle(self.last(hidden), 2).chunk(2, 1)
        return self.deep(hidden), gain, shift


class Generator(ModelMixin, ConfigMixin):
    """The generator. `widths` and `blocks` are those of the 1/4, 1/8 and 1/16 levels.

    caption, sketch, texture, texture_map: whether it has the branches for them.
    """

    @register_to_config
    def __init__(
        self,
        widths: tuple[int, int, int] = (64, 128, 192),
        blocks: tuple[int, int, int] = (2, 3, 5),
        feature_channels: int = 64,
        token_channels: int = 128,
        embedding: int = 128,
        heads: int = 4,
        caption: bool = False,
        sketch: bool = False,
        texture: bool = False,
        texture_map: bool = False,
    ) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.embed = nn.Sequential(nn.Linear(3 * 32, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU())
        self.kind = nn.Embedding(len(FrameKind), 32)
        self.head = nn.Conv2d(96, quarter, 3, padding=1)
        self.down1 = nn.Conv2d(quarter, eighth, 2, stride=2)
        self.down2 = nn.Conv2d(eighth, sixteenth, 2, stride=2)
        self.features = zero(nn.Conv2d(feature_channels, eighth, 1))
        self.tokens = nn.Sequential(
            nn.Conv2d(feature_channels, token_channels, 2, stride=2), nn.SiLU(), nn.AvgPool2d(4, ceil_mode=True)
        )

        def stack(channels: int, count: int) -> nn.ModuleList:
            return nn.ModuleList(ResBlock(channels, embedding) for _ in range(count))

        self.encode1, self.encode2 = stack(quarter, blocks[0]), stack(eighth, blocks[1])
        self.middle = stack(sixteenth, blocks[2])
        self.attention = SemanticAttention(sixteenth, token_channels, heads)
        self.temporal2, self.temporal1 = TemporalBranch(sixteenth, 128), TemporalBranch(eighth, 96)
        self.up2 = nn.Conv2d(sixteenth, 4 * eighth, 1)
        self.up1 = nn.Conv2d(eighth, 4 * quarter, 1)
        self.decode2, self.decode1 = stack(eighth, blocks[1]), stack(quarter, blocks[0] + 1)
        self.tail = zero(nn.Conv2d(quarter, 48, 3, padding=1))
        self.text = TextEncoder(token_channels, token_channels) if caption else None
        self.edges = zero(nn.Conv2d(1, eighth, 3, padding=1, bias=False)) if sketch else None
        self.grain = zero(nn.Linear(32, embedding)) if texture else None
        self.grains = TextureBranch(eighth, quarter) if texture_map else None

    def forward(
        self,
        coarse: Tensor,
        noisy: Tensor,
        timestep: Tensor,
        condition: Condition,
        features: Tensor,
        frames: int = 1,
        state: State | None = None,
    ) -> tuple[Tensor, State]:
        """Predict x0.

        coarse: (N, 3, H, W) in 0..1, H and W multiples of 16, N = groups * frames, frames of a group adjacent.
        noisy: x_t of the same shape, in the scheduler's range. timestep: (N,) in 0..999. features: the codec's
        feature buffer (N, feature_channels, H/8, W/8). state: the diffusion buffer of the group before.
        Returns x0 (N, 3, H, W) in about 0..1 and the new diffusion buffer.
        """
        embedding = self.embedding(timestep, condition)
        x1 = self.head(F.pixel_unshuffle(torch.cat([coarse - 0.5, noisy], 1), 4))
        for block in self.encode1:
            x1 = block(x1, embedding)
        x2 = self.down1(x1) + self.features(features)
        if self.edges is not None and condition.sketch is not None:
            x2 = x2 + self.edges(condition.sketch)
        grains = self.grains(condition.texture_map) if self.grains is not None else None
        if grains is not None:
            x2 = x2 + grains[0]
        for block in self.encode2:
            x2 = block(x2, embedding)
        x3 = self.attention(self.down2(x2), *self.guidance(features, condition.text, frames))
        x3, last3 = self.temporal2(x3, frames, state[0] if state else None)
        for block in self.middle:
            x3 = block(x3, embedding)
        x2 = x2 + F.pixel_shuffle(self.up2(x3), 2)
        x2, last2 = self.temporal1(x2, frames, state[1] if state else None)
        for block in self.decode2:
            x2 = block(x2, embedding)
        x1 = x1 + F.pixel_shuffle(self.up1(x2), 2)
        for block in self.decode1:
            x1 = block(x1, embedding)
        if grains is not None:
            x1 = x1 * (1 + grains[1]) + grains[2]
        return coarse + F.pixel_shuffle(self.tail(x1), 4), (last3, last2)

    def embedding(self, timestep: Tensor, condition: Condition) -> Tensor:
        """What every block is told about its frame: timestep, quality, scale, kind and texture."""
        numbers = sinusoid(condition.quality / 64, 32) + sinusoid(condition.scale / 8, 32).roll(1, 1)
        embedding: Tensor = self.embed(
            torch.cat([sinusoid(timestep / 1000, 32), numbers, self.kind(condition.kind)], 1)
        )
        if self.grain is not None and condition.texture is not None:
            known = (condition.texture > 0).float()[:, None]
            embedding = embedding + known * self.grain(sinusoid(condition.texture / 64, 32))
        return embedding

    def guidance(self, features: Tensor, text: Tensor | None, frames: int) -> tuple[Tensor, Tensor | None]:
        """The tokens of N frames' features, behind them those of their group's caption, and which are there."""
        tokens = self.tokens(features).flatten(2).transpose(1, 2)
        if self.text is None or text is None:
            return tokens, None
        words, there = (part.repeat_interleave(frames, 0) for part in self.text(text))
        always = there.new_ones(tokens.shape[:2])
        return torch.cat([tokens, words.to(tokens.dtype)], 1), torch.cat([always, there], 1)
