"""The one-step diffusion generator: a conditional x0-predictor over groups of frames (spec section 8, decision 0027).

It restores what the in-loop codec shows (the coarse picture c) and never enters the coding loop. Its body is a stack
of plain 3x3 convolutions with PReLU at a quarter of the picture, of the shape of SRVGGNetCompact (Real-ESRGAN), so
that it can start from public weights: c goes in pixel-unshuffled by four, what comes out is shuffled back. The last
convolution is another for each scale, and so is what is taken of c's own detail: at scale 1 a fresh generator changes
nothing, at scale 4 it is the prior itself. The noise sample of the last timestep and all that the papers add
(`branches`) are zero there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurcodec.coarse.network import Network
from neurcodec.extensions.branches import FEATURES, TOKENS
from neurcodec.generator.condition import Condition
from neurcodec.generator.guidance import FrameEmbedder, SemanticAttention, TemporalBranch, TextureBranch, add_over, zero

State = tuple[Tensor, ...]
"""The diffusion buffer: the last frame's features at the temporal branch, (groups, C, H/8, W/8)."""

STEP = 4
"""The body works at 1/STEP of the picture."""
SHARES = (0.0, 0.4, 0.7, 1.0)
"""How much of the prior's picture is shown at scales 1, 2, 3 and 4, before training."""
FILM_EVERY = 4
"""The frame embedder acts behind every so many layers."""


class Generator(Network):
    """The generator: `layers` convolutions of `channels` between the first and the last.

    texture, texture_map: whether it has the branches for them. extensions: names of those that it has branches for.
    """

    def __init__(
        self,
        channels: int = 64,
        layers: int = 16,
        feature_channels: int = 64,
        token_channels: int = 64,
        embedding: int = 64,
        heads: int = 4,
        temporal_channels: int = 48,
        texture: bool = False,
        texture_map: bool = False,
        extensions: Sequence[str] = (),
    ) -> None:
        super().__init__(
            channels=channels, layers=layers, feature_channels=feature_channels, token_channels=token_channels,
            embedding=embedding, heads=heads, temporal_channels=temporal_channels, texture=texture,
            texture_map=texture_map, extensions=list(extensions),
        )  # fmt: skip
        samples = 3 * STEP**2
        self.head = nn.Conv2d(samples, channels, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(layers))
        self.slopes = nn.Parameter(torch.full((layers + 1, channels), 0.1))
        self.tails = nn.Parameter(torch.zeros(len(SHARES) * samples, channels, 3, 3))
        self.tail_biases = nn.Parameter(torch.zeros(len(SHARES), samples))
        self.taken = nn.Parameter(torch.tensor(SHARES))
        self.noise = zero(nn.Conv2d(samples, channels, 1, bias=False))
        self.embedder = FrameEmbedder(embedding, channels, -(-layers // FILM_EVERY), texture)
        self.features = zero(nn.Conv2d(feature_channels, channels, 1, bias=False))
        added = [branch for branch in FEATURES if branch.NAME in extensions]
        self.added = {branch.NAME: branch.ATTRIBUTE for branch in added}
        for branch in added:
            self.add_module(branch.ATTRIBUTE, branch.build(channels, token_channels))
        self.grains = TextureBranch(channels) if texture_map else None
        tokens = [branch for branch in TOKENS if branch.NAME in extensions]
        self.attention = SemanticAttention(channels, feature_channels, token_channels, heads, tokens)
        self.temporal = TemporalBranch(channels, temporal_channels)

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

        coarse: (N, 3, H, W) in 0..1, H and W multiples of 16, N = groups * frames, frames of a group adjacent. noisy:
        x_t of the same shape, in the scheduler's range, or (1, 3, H, W) for all frames. timestep: (N,) in 0..999.
        features: the codec's feature buffer (N, feature_channels, H/8, W/8). state: the diffusion buffer of the group
        before. Returns x0 (N, 3, H, W) in about 0..1 and the new diffusion buffer.
        """
        film = self.embedder(timestep, condition)
        grains = self.grains(condition.texture_map) if self.grains and condition.texture_map is not None else None
        shown = F.pixel_unshuffle(coarse, STEP)
        x = self.head(shown) + self.noise(F.pixel_unshuffle(noisy, STEP))
        x = add_over(x, self.beside(condition, features))
        if grains is not None:
            x = add_over(x, grains[0])
        last = FILM_EVERY * ((len(self.body) - 1) // FILM_EVERY)
        for number, layer in enumerate(self.body):
            x = self.activate(number, x)
            if number == len(self.body) // 2:
                x = self.attention(x, features, condition.extensions, frames)
                x, buffer = self.temporal(x, frames, state[0] if state else None)
            if number % FILM_EVERY == 0:
                gain, shift = film[:, number // FILM_EVERY].unbind(1)
                if grains is not None and number == last:
                    x = add_over(x, shift + grains[2], gain + grains[1])
                else:
                    x = torch.addcmul(x + shift, x, gain)
            x = layer(x)
        painted = self.paint(self.activate(-1, x), condition.scale)
        taken = at_scale(self.taken, condition.scale)[:, None, None, None]
        return coarse + F.pixel_shuffle(painted - taken * own_detail(shown), STEP), (buffer,)

    def paint(self, x: Tensor, scale: Tensor) -> Tensor:
        """The last convolution, each frame's for its scale: (N, C, h, w), (N,) to (N, 3 STEP^2, h, w)."""
        weights = at_scale(self.tails.unflatten(0, (len(SHARES), -1)), scale).to(x.dtype)
        parts = zip(x.split(1), weights, at_scale(self.tail_biases, scale).to(x.dtype), strict=True)
        return torch.cat([F.conv2d(frame, weight, bias, padding=1) for frame, weight, bias in parts])

    def activate(self, number: int, x: Tensor) -> Tensor:
        """PReLU behind the convolution of this number; the head's is 0."""
        return F.prelu(x, self.slopes[number].to(x.dtype))

    def beside(self, condition: Condition, features: Tensor) -> Tensor:
        """What the codec's features and the extensions add to the first features: (N, C, H/8, W/8)."""
        added = self.features(features)
        for name, attribute in self.added.items():
            if name in condition.extensions:
                added = added + self.get_submodule(attribute)(condition.extensions[name])
        return added


def at_scale(values: Tensor, scale: Tensor) -> Tensor:
    """What is given for scales 1, 2, 3 and 4, (4, ...), at scales (N,), linear between them: (N, ...)."""
    above = scale.clamp(1, len(values)) - 1
    lower = above.floor().clamp(max=len(values) - 2).long()
    part = (above - lower).view(-1, *[1] * (values.dim() - 1))
    return torch.lerp(values[lower], values[lower + 1], part)


def own_detail(shown: Tensor) -> Tensor:
    """Pictures (N, 3 STEP^2, h, w) unshuffled, less the means of their squares of STEP x STEP; as these."""
    squares = shown.unflatten(1, (3, -1))
    return (squares - squares.mean(2, keepdim=True)).flatten(1, 2)
