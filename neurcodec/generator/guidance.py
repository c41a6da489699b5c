"""What the papers add beside the generator's plain body; each branch ends in a zero layer and starts without effect.

Frame Type Embedder (Diff-SIT), Contextual Semantic Guidance and Temporal Consistency Guidance (S2VC), joint refinement
of a group (Diff-SIT), and the texture map (spec 7.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurcodec.extensions.branches import Branch
from neurcodec.generator.condition import Condition, FrameKind, sinusoid

WAVES = 32
"""Channels of the embedding of each number."""


def zero(module: nn.Module) -> nn.Module:
    """Zero a layer's parameters, so that its branch starts without effect."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def add_over(x: Tensor, small: Tensor, gain: Tensor | None = None) -> Tensor:
    """x (N, C, h s, w s) plus `small` (N, C, h, w), each of its values held over a square of s x s; with `gain`, of the
    shape of `small`, x times 1 + gain as well."""
    side = x.shape[2] // small.shape[2]
    squares = x.unflatten(3, (-1, side)).unflatten(2, (-1, side))
    total = squares + small[:, :, :, None, :, None]
    if gain is not None:
        total = torch.addcmul(total, squares, gain[:, :, :, None, :, None])
    return total.flatten(4, 5).flatten(2, 3)


class FrameEmbedder(nn.Module):
    """Timestep, quality, scale, kind and texture index of each frame to a gain and a shift at some places of the
    body."""

    def __init__(self, width: int, channels: int, places: int, texture: bool) -> None:
        super().__init__()
        self.kind = nn.Embedding(len(FrameKind), WAVES)
        self.join = nn.Sequential(nn.Linear(3 * WAVES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.texture = zero(nn.Linear(WAVES, width)) if texture else None
        self.film = zero(nn.Linear(width, places * 2 * channels))
        self.places, self.channels = places, channels

    def forward(self, timestep: Tensor, condition: Condition) -> Tensor:
        """Of N frames: (N, places, 2, channels, 1, 1), gains about 0 and shifts."""
        numbers = sinusoid(condition.quality / 64, WAVES) + sinusoid(condition.scale / 8, WAVES).roll(1, 1)
        told = self.join(torch.cat([sinusoid(timestep / 1000, WAVES), numbers, self.kind(condition.kind)], 1))
        if self.texture is not None and condition.texture is not None:
            known = (condition.texture > 0).float()[:, None]
            told = told + known * self.texture(sinusoid(condition.texture / 64, WAVES))
        film: Tensor = self.film(told)
        return film.view(-1, self.places, 2, self.channels, 1, 1)


class SemanticAttention(nn.Module):
    """Contextual Semantic Guidance: cross-attention at 1/16 to tokens in place of a prompt.

    The tokens are of the codec's feature buffer (at 1/64), of the features themselves (at 1/32), which tell a place
    about the rest of the picture, and of what `extensions` are told.
    """

    def __init__(
        self, channels: int, feature_channels: int, token_channels: int, heads: int, extensions: Sequence[Branch]
    ) -> None:
        super().__init__()
        self.heads = heads
        self.buffer = nn.Sequential(
            nn.Conv2d(feature_channels, token_channels, 2, stride=2), nn.SiLU(), nn.AvgPool2d(4, ceil_mode=True)
        )
        self.context = nn.Conv2d(channels, token_channels, 1)
        self.extensions = {extension.NAME: extension.ATTRIBUTE for extension in extensions}
        for extension in extensions:
            self.add_module(extension.ATTRIBUTE, extension.build(channels, token_channels))
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(token_channels, 2 * channels)
        self.out = zero(nn.Linear(channels, channels))

    def forward(self, x: Tensor, features: Tensor, told: Mapping[str, Tensor], frames: int) -> Tensor:
        """x (N, C, H/4, W/4), features (N, F, H/8, W/8), told as `Condition.extensions`: x with what the tokens add."""
        pooled = F.avg_pool2d(x, 4)
        n, c, h, w = pooled.shape
        tokens, mask = self.tokens(pooled, features, told, frames)
        query = self.query(pooled.flatten(2).transpose(1, 2)).view(n, h * w, self.heads, -1).transpose(1, 2)
        key_value = self.key_value(tokens).view(n, -1, 2, self.heads, c // self.heads)
        key, value = key_value.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).reshape(n, h * w, c)
        added = self.out(mixed).transpose(1, 2).reshape(n, c, h, w)
        return add_over(x, added)

    def tokens(
        self, pooled: Tensor, features: Tensor, told: Mapping[str, Tensor], frames: int
    ) -> tuple[Tensor, Tensor | None]:
        """The tokens (N, T, token_channels) of N frames, and a mask (N, 1, 1, T) of those there are or None."""
        context = self.context(F.avg_pool2d(pooled, 2, ceil_mode=True))
        tokens = torch.cat([self.buffer(features).flatten(2), context.flatten(2)], 2).transpose(1, 2)
        mask = None
        for name, attribute in self.extensions.items():
            if name in told:
                more, there = (part.repeat_interleave(frames, 0) for part in self.get_submodule(attribute)(told[name]))
                mask = torch.cat([there.new_ones(tokens.shape[:2]) if mask is None else mask, there], 1)
                tokens = torch.cat([tokens, more.to(tokens.dtype)], 1)
        return tokens, None if mask is None else mask[:, None, None]


class TemporalBranch(nn.Module):
    """Temporal Consistency Guidance and joint refinement: fuses the features of t-1, t, t+1, at 1/8.

    The first frame of a group sees the diffusion buffer (zeros at a chunk's start) as t-1; the last one sees itself as
    t+1.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(3 * channels, hidden, 3, padding=1)
        self.out = zero(nn.Conv2d(hidden, 4 * channels, 1))

    def forward(self, x: Tensor, frames: int, last: Tensor | None) -> tuple[Tensor, Tensor]:
        """x (N, C, H/4, W/4), last (groups, C, H/8, W/8): x with what its neighbours add, and the new buffer."""
        clip = F.avg_pool2d(x, 2).unflatten(0, (-1, frames))
        first = torch.zeros_like(clip[:, :1]) if last is None else last[:, None].to(clip.dtype)
        before = torch.cat([first, clip[:, :-1]], 1)
        after = torch.cat([clip[:, 1:], clip[:, -1:]], 1)
        stacked = torch.cat([before, clip, after], 2).flatten(0, 1)
        return x + F.pixel_shuffle(self.out(F.silu(self.fuse(stacked))), 2), clip[:, -1]


class TextureBranch(nn.Module):
    """What the texture map adds to the first features, and how it scales and moves late ones."""

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(1, hidden, 1)
        self.out = zero(nn.Conv2d(hidden, 3 * channels, 3, padding=1, bias=False))

    def forward(self, levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """levels (N, 1, H/8, W/8), 0 where there are none: first shift, late gain, late shift, (N, C, H/8, W/8)
        each."""
        known = (levels > 0).to(levels.dtype)
        first, gain, shift = self.out(F.silu(self.hidden(levels)) * known).chunk(3, 1)
        return first, gain, shift
