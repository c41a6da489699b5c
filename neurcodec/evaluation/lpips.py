"""LPIPS on SqueezeNet 1.1 (Zhang et al., CVPR 2018): a differentiable perceptual distance, as metric and as loss."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises when it refuses a file

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurcodec.errors import ModelError

FEATURES_FILE = "squeezenet1_1_features.pth"
HEADS_FILE = "lpips_v0.1_squeeze_lin.pth"
TAPS = (1, 4, 7, 9, 10, 11, 12)
"""Indexes into `features` whose outputs are compared."""
CHANNELS = (64, 128, 256, 384, 384, 512, 512)
EPSILON = 1e-8


class Fire(nn.Module):
    """SqueezeNet's block: a 1x1 squeeze, then a 1x1 and a 3x3 expansion side by side."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.squeeze(x))
        return functional.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


def squeezenet_features() -> nn.Sequential:
    """The convolutional part of SqueezeNet 1.1, with the parameter names and layer indexes of torchvision."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict file (weights only, nothing is executed); ModelError when it cannot be read."""
    if not path.is_file():
        raise ModelError(f"{path}: weights file not found; give its folder with --weights DIR")
    try:
        tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        raise ModelError(f"{path}: not a readable weights file; fetch it again ({type(error).__name__})") from error
    return tensors


class LPIPS(nn.Module):
    """Distance of two pictures in the normalised features of SqueezeNet 1.1, weighted as in LPIPS v0.1; 0 = equal.

    Frozen: no parameter takes a gradient; the inputs do. Under autocast the convolutions run in its type, the
    normalisation and the sums in float32. Equal to torchmetrics' `LearnedPerceptualImagePatchSimilarity(squeeze)`.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = squeezenet_features()
        self.heads = nn.ParameterList([nn.Parameter(torch.zeros(count)) for count in CHANNELS])
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    @classmethod
    def load(cls, folder: Path) -> LPIPS:
        """The metric with the weights of `folder` (FEATURES_FILE and HEADS_FILE); ModelError when missing or wrong."""
        model = cls()
        backbone, heads = load_tensors(folder / FEATURES_FILE), load_tensors(folder / HEADS_FILE)
        try:
            model.features.load_state_dict({name.removeprefix("features."): t for name, t in backbone.items()})
            for index, head in enumerate(model.heads):
                head.copy_(heads[f"lin{index}.model.1.weight"].reshape(-1))
        except (RuntimeError, KeyError) as error:
            raise ModelError(f"{folder}: the LPIPS weights do not fit ({error})") from error
        return model.eval()

    def embed(self, x: Tensor) -> list[Tensor]:
        """Seven feature maps (N, C, h, w) of pictures (N, 3, H, W) in 0..1, each normalised over channels, float32."""
        x = (2 * x - 1 - self.shift) / self.scale
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                full = x.float()
                maps.append(full * (full.square().sum(1, keepdim=True) + EPSILON).rsqrt())
        return maps

    def distance(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """LPIPS (N,) of two results of `embed`."""
        total = torch.zeros(first[0].shape[0], device=first[0].device)
        for head, a, b in zip(self.heads, first, second, strict=True):
            difference = (a - b).square().mean((2, 3))
            total = total + (difference * head).sum(1)
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """LPIPS (N,), float32, of two batches of float RGB pictures (N, 3, H, W) in 0..1; at least 32x32."""
        return self.distance(self.embed(a), self.embed(b))
