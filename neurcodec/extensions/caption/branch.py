"""The caption in the generator: byte tokens, and their small encoder, for its cross-attention (spec annex A)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NAME = "caption"
ATTRIBUTE = "text"
TEXT_BYTES = 96
"""Bytes of a caption that the generator reads."""


def tokenize(captions: Sequence[str]) -> Tensor:
    """Captions as int64 (captions, TEXT_BYTES): 1 + each byte of the lower-case UTF-8, then 0; "" is no caption."""
    rows = torch.zeros(len(captions), TEXT_BYTES, dtype=torch.int64)
    for row, caption in zip(rows, captions, strict=True):
        data = caption.lower().encode()[:TEXT_BYTES]
        row[: len(data)] = torch.tensor([1 + byte for byte in data], dtype=torch.int64)
    return rows


class TextEncoder(nn.Module):
    """Bytes to tokens, one for every four bytes: two strided convolutions. Its last layer starts at zero."""

    def __init__(self, token_channels: int, width: int) -> None:
        super().__init__()
        self.bytes = nn.Embedding(257, width)
        self.place = nn.Parameter(torch.zeros(width, TEXT_BYTES // 4))
        self.conv1 = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.conv2 = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.out = nn.Conv1d(width, token_channels, 1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (N, TEXT_BYTES / 4, token_channels) of `tokenize`'s rows, and which of them are there, bool."""
        x = F.silu(self.conv1(self.bytes(text).transpose(1, 2)))
        x = F.silu(self.conv2(x) + self.place)
        return self.out(x).transpose(1, 2), text[:, ::4] > 0


def build(channels: int, token_channels: int) -> TextEncoder:
    """The branch for a body of `channels` whose cross-attention has tokens of `token_channels`."""
    return TextEncoder(token_channels, token_channels)


def condition(value: str, first: int, frames: int, size: tuple[int, int], device: torch.device) -> Tensor:
    """The caption of a group of frames as the branch takes it: int64 (1, TEXT_BYTES)."""
    return tokenize([value]).to(device)
