"""Where the generator starts: a public restoration network of the same shape (weights/priors; decision 0027)."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from neurcodec.errors import ModelError
from neurcodec.generator.model import SHARES, STEP, Generator


def start_from(generator: Generator, path: Path) -> None:
    """Put the weights of an SRVGGNetCompact into the generator's body; ModelError when they are missing or do not fit.

    The file has Real-ESRGAN's names: convolutions and PReLUs in turn, `body.N`. It enlarges the base four times; here
    the body sees the base enlarged and unshuffled, so each weight of the first layer is spread over STEP^2 places.
    """
    if not path.is_file():
        raise ModelError(f"{path}: weights file not found; give the folder above priors/ with --weights DIR")
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    numbers = sorted({int(name.split(".")[1]) for name in tensors})
    weights = [tensors[f"body.{number}.weight"] for number in numbers]
    convolutions = [number for number, weight in zip(numbers, weights, strict=True) if weight.ndim == 4]
    slopes = [weight for weight in weights if weight.ndim == 1]
    layers = [generator.head, *generator.body]
    if len(convolutions) != len(layers) + 1 or len(slopes[0]) != generator.slopes.shape[1]:
        raise ModelError(f"{path}: {len(convolutions)} layers of {len(slopes[0])} channels; the generator has others")
    with torch.no_grad():
        for layer, number in zip(layers, convolutions, strict=False):
            weight: Tensor = tensors[f"body.{number}.weight"]
            if number == 0:
                weight = weight.repeat_interleave(STEP**2, 1) / STEP**2
            layer.weight.copy_(weight)
            layer.bias.copy_(tensors[f"body.{number}.bias"])
        generator.slopes.copy_(torch.stack(slopes))
        weight, bias = (tensors[f"body.{convolutions[-1]}.{part}"] for part in ("weight", "bias"))
        generator.tails.copy_(torch.cat([share * weight for share in SHARES]))
        generator.tail_biases.copy_(torch.stack([share * bias for share in SHARES]))
