"""A second perceptual opinion that no training loss uses: distances in the latents of TAEF2, a tiny autoencoder.

TAEF2 (O. Boer Bohan, MIT licence) maps a picture to 32 channels at 1/8 of its size such that a decoder can rebuild it;
it was never trained on judgements of distortion. Two numbers come from it, both 0 for equal pictures:

- `tae`: mean squared difference of the latents at the same place, each channel divided by its variance in the source
  clip. About 2 for unrelated pictures. It punishes lost and invented texture alike, so it cannot reward plausible
  detail that is not in the source.
- `tae-fd`: Frechet distance between the two sets of latent vectors, as Gaussians (Heusel et al. 2017 do so with
  Inception features), each position (8x8 pixels with its surroundings) being one sample, channels scaled as above. It
  ignores where a texture is, so it sees blur, blocks and ringing as a changed mixture of textures and does not punish a
  plausible detail in another place; it cannot tell a right face from a wrong one, and knows nothing of time.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurcodec.errors import ModelError
from neurcodec.evaluation.lpips import load_tensors

ENCODER_FILE = "taef2_encoder.pth"
WIDTH, LATENTS, REDUCTION = 64, 32, 8


def _conv(inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


class Block(nn.Module):
    """Residual block of three convolutions; with `pooled`, a group-normalised 1x1 branch is added first."""

    def __init__(self, pooled: bool = False) -> None:
        super().__init__()
        layers = [_conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH), nn.ReLU(), _conv(WIDTH, WIDTH)]
        self.conv = nn.Sequential(*layers)
        self.pool = nn.Sequential()
        if pooled:
            wide = 4 * WIDTH
            narrow, norm = nn.Conv2d(WIDTH, wide, 1, bias=False), nn.GroupNorm(4, wide)
            self.pool = nn.Sequential(narrow, norm, nn.ReLU(), nn.Conv2d(wide, WIDTH, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        if len(self.pool):
            x = x + self.pool(x)
        return functional.relu(self.conv(x) + x)


class Encoder(nn.Sequential):
    """Pictures (N, 3, H, W) in 0..1, H and W multiples of 8, to latents (N, 32, H / 8, W / 8)."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [_conv(3, WIDTH), Block()]
        for stage in range(3):
            layers += [_conv(WIDTH, WIDTH, stride=2, bias=False), *(Block(pooled=stage == 2) for _ in range(3))]
        super().__init__(*layers, _conv(WIDTH, LATENTS))
        self.requires_grad_(False)

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """The encoder with the weights of `folder` / ENCODER_FILE; ModelError when missing or wrong."""
        model, tensors = cls(), load_tensors(folder / ENCODER_FILE)
        try:
            model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except RuntimeError as error:
            raise ModelError(f"{folder / ENCODER_FILE}: the weights do not fit ({error})") from error
        return model.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def latents(self, pictures: Tensor) -> Tensor:
        """Latents (N, 32, ceil(H / 8), ceil(W / 8)) of pictures of any size; edges are repeated to multiples of 8."""
        height, width = pictures.shape[-2:]
        padding = (0, -width % REDUCTION, 0, -height % REDUCTION)
        padded = functional.pad(pictures, padding, mode="replicate").contiguous(memory_format=torch.channels_last)
        return torch.cat([self(picture[None]) for picture in padded])


def paired(source: Tensor, other: Tensor) -> float:
    """`tae` of two sets of latents (N, 32, h, w)."""
    variance = source.var((0, 2, 3), keepdim=True).clamp_min(1e-6)
    return float(((source - other).square() / variance).mean())


def _square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp_min(0).sqrt() @ vectors.mT
    return root


def frechet(source: Tensor, other: Tensor) -> float:
    """`tae-fd` of two sets of latents (N, 32, h, w)."""
    scale = source.double().std((0, 2, 3)).clamp_min(1e-3)
    samples = [latents.double().movedim(1, -1).reshape(-1, latents.shape[1]) / scale for latents in (source, other)]
    means = [points.mean(0) for points in samples]
    first, second = (torch.cov(points.mT) for points in samples)
    root = _square_root(first)
    cross = torch.linalg.eigvalsh(root @ second @ root).clamp_min(0).sqrt().sum()
    distance = (means[0] - means[1]).square().sum() + first.trace() + second.trace() - 2 * cross
    return max(0.0, float(distance))
