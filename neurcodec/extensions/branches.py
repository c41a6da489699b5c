"""The generator's branches for the conditioning of extensions. Each starts without effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neurcodec.extensions.caption import branch as caption
from neurcodec.extensions.sketch import branch as sketch


class Branch(Protocol):
    """What an extension adds to the generator."""

    @property
    def NAME(self) -> str:
        """As in `streams`."""

    @property
    def ATTRIBUTE(self) -> str:
        """What its weights' names start with."""

    def build(self, channels: int, token_channels: int) -> nn.Module:
        """The layers, for a body of `channels` whose cross-attention has tokens of `token_channels`."""

    def condition(self, value: Any, first: int, frames: int, size: tuple[int, int], device: torch.device) -> Tensor:
        """What the layers take for so many frames, number `first` and on of a chunk, padded to H, W.

        value: what the extension's substream holds.
        """


TOKENS: tuple[Branch, ...] = (caption,)
"""Their layers make tokens for the cross-attention of what a group is told: (groups, T, token_channels), and which of
them are there, bool (groups, T)."""
FEATURES: tuple[Branch, ...] = (sketch,)
"""Their layers make what is added to the first features at an eighth of the picture: (N, channels, H/8, W/8)."""


def conditions(
    told: Mapping[str, Any], first: int, frames: int, size: tuple[int, int], device: torch.device
) -> dict[str, Tensor]:
    """By extension, what the branches take of what a chunk's substreams hold."""
    return {
        branch.NAME: branch.condition(told[branch.NAME], first, frames, size, device)
        for branch in (*TOKENS, *FEATURES)
        if branch.NAME in told
    }
