"""The prior networks as they train: the arithmetic of `entropy.prior` with straight-through rounding.

`PriorNet.forward` gives the bits of every symbol; `PriorNet.export` the integers. Units are real here: an
activation of 1.0 is 64 in the file's integers, a weight of 1.0 is 256.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurcodec.entropy.prior import ORDER, WEIGHT_LIMIT, PriorWeights
from neurcodec.entropy.tables import CLASS_SCALE_OFFSET, CLASS_SCALES, SCALE_OFFSET, SCALES, TAIL_SHARE


def ste_round(x: Tensor, step: float) -> Tensor:
    """Round to multiples of `step`; the gradient passes through."""
    return x + (torch.round(x / step) * step - x).detach()


def laplace_mass(residual: Tensor, scale: Tensor) -> Tensor:
    """Probability of a discretised Laplace variable at residual = symbol - mean."""
    distance = residual.abs()
    half = 0.5 / scale
    inside = 1 - torch.exp(-half) * torch.cosh(torch.clamp(residual, -0.5, 0.5) / scale)
    outside = 0.5 * torch.exp(-(distance - 0.5).clamp(min=0) / scale) * -torch.expm1(-2 * half)
    return torch.where(distance < 0.5, inside, outside)


def value_bits(residual: Tensor, log2_scale: Tensor) -> Tensor:
    """Bits of a value, as `entropy.tables.build_value_tables` makes them, with scale 2^log2_scale."""
    scale = torch.exp2(log2_scale)
    narrow, wide = laplace_mass(residual, scale), laplace_mass(residual, 4 * scale + 2)
    return -torch.log2(((1 - TAIL_SHARE) * narrow + TAIL_SHARE * wide).clamp(min=1e-9))


def class_bits(classes: Tensor, mean: Tensor, log2_scale: Tensor, count: int) -> Tensor:
    """Bits of a discretised logistic class truncated to 0..count-1."""
    edges = torch.arange(count + 1, device=mean.device) - 0.5
    cdf = torch.sigmoid((edges - mean[..., None]) / torch.exp2(log2_scale)[..., None])
    mass = cdf.diff(dim=-1).clamp(min=1e-7)
    probability = mass / mass.sum(-1, keepdim=True)
    return -torch.log2(probability.gather(-1, classes[..., None])[..., 0])


class PriorNet(nn.Module):
    """One prior with K value channels, C context planes, H hidden units, a class per position.

    `linear` is the initial weight of the linear mean prediction (channels, from known neighbours), `previous` that
    of the co-located context value, None for a context without one.
    """

    def __init__(
        self,
        channels: int,
        context: int,
        hidden: int,
        class_channels: tuple[int, ...],
        shift: int,
        linear: Tensor,
        previous: float | None,
    ) -> None:
        super().__init__()
        self.class_channels, self.shift = class_channels, shift
        scale = (9 * (channels + 2)) ** -0.5
        self.context = nn.Parameter(torch.randn(hidden, context, 3, 3) * (9 * context) ** -0.5)
        self.context_bias = nn.Parameter(torch.zeros(hidden))
        self.current = nn.Parameter(torch.randn(4, hidden, channels + 2, 3, 3) * scale)
        self.current_bias = nn.Parameter(torch.zeros(4, hidden))
        self.hidden = nn.Parameter(torch.randn(hidden, hidden) * (2 / hidden) ** 0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.classes = nn.Parameter(torch.zeros(2, hidden))
        self.classes_bias = nn.Parameter(torch.zeros(2))
        self.class_embedding = nn.Parameter(torch.zeros(len(class_channels), hidden))
        self.values = nn.Parameter(torch.randn(2 * channels, hidden) * 0.02)
        self.values_bias = nn.Parameter(torch.zeros(2 * channels))
        direct = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
        diagonal = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 0, 1]])
        taps = torch.stack([diagonal * 0, diagonal, direct, direct])[:, None, None] / 4
        self.taps = nn.Parameter(taps * linear.view(1, -1, 1, 1, 1))
        self.previous = nn.Parameter(torch.full((channels if previous is not None else 0,), previous or 0.0))

    def quantised(self, name: str) -> Tensor:
        """A weight as the file will have it."""
        return ste_round(getattr(self, name), 1 / 256)

    def forward(self, context: Tensor, values: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Bits of each frame's classes and values: (N), (N).

        context: (N, C, h, w) in real units. values: (N, K, h, w) symbols. classes: int64 (N, h, w). h, w even.
        """
        weight = {name: self.quantised(name) for name, _ in self.named_parameters()}
        base = F.conv2d(context, weight["context"], weight["context_bias"], padding=1)
        inputs = torch.cat(
            [values.clamp(-127, 127) * (2.0**self.shift / 64), classes[:, None] / 4, torch.ones_like(values[:, :1])], 1
        )
        known = torch.zeros_like(values[:1, :1])
        class_channels = torch.tensor(self.class_channels, device=values.device)
        class_total = values.new_zeros(len(values))
        value_total = values.new_zeros(len(values))
        for number, (row, column) in enumerate(ORDER):
            at = (..., slice(row, None, 2), slice(column, None, 2))
            first = base[at] + weight["current_bias"][number][:, None, None]
            mean = values.new_zeros(())
            if number:
                first = first + self.phase(inputs * known, weight["current"][number], row, column, 1)
                mean = self.phase(values * known, weight["taps"][number], row, column, len(values[0]))
            if len(self.previous):
                before = context[:, : values.shape[1]] * (64 / 2.0**self.shift)
                mean = mean + before[at] * weight["previous"][:, None, None]
            features = F.relu(ste_round(F.relu(ste_round(first, 1 / 64)), 1 / 64))
            features = F.relu(
                ste_round(
                    torch.einsum("oc,nchw->nohw", weight["hidden"], features) + weight["hidden_bias"][:, None, None],
                    1 / 64,
                )
            )
            chosen = classes[at]
            class_total = class_total + self.class_cost(weight, features, chosen)
            coded = torch.arange(values.shape[1], device=values.device)[:, None, None] < class_channels[chosen][:, None]
            bits = self.value_cost(weight, features, chosen, mean, values[at])
            value_total = value_total + (bits * coded).sum((1, 2, 3))
            known = known.clone()
            known[at] = 1
        return class_total, value_total

    def phase(self, planes: Tensor, weight: Tensor, row: int, column: int, groups: int) -> Tensor:
        """A 3x3 convolution at the positions of one phase."""
        padded = F.pad(planes, (1, 1, 1, 1))[..., row:, column:]
        return F.conv2d(padded, weight, stride=2, groups=groups)

    def class_cost(self, weight: dict[str, Tensor], features: Tensor, classes: Tensor) -> Tensor:
        """Bits of the classes at one phase's positions, per frame."""
        out = torch.einsum("oc,nchw->nohw", weight["classes"], features) + weight["classes_bias"][:, None, None]
        mean = ste_round(out[:, 0], 1 / 8).clamp(-4, 11)
        low, high = -CLASS_SCALE_OFFSET / 4, (CLASS_SCALES - 1 - CLASS_SCALE_OFFSET) / 4
        scale = ste_round(out[:, 1], 1 / 4).clamp(low, high)
        return class_bits(classes, mean, scale, len(self.class_channels)).sum((1, 2))

    def value_cost(
        self, weight: dict[str, Tensor], features: Tensor, classes: Tensor, linear: Tensor, values: Tensor
    ) -> Tensor:
        """Bits of the values at one phase's positions."""
        features = F.relu(features + weight["class_embedding"][classes].permute(0, 3, 1, 2))
        out = torch.einsum("oc,nchw->nohw", weight["values"], features) + weight["values_bias"][:, None, None]
        mean, scale = out.chunk(2, 1)
        low, high = -SCALE_OFFSET / 4, (SCALES - 1 - SCALE_OFFSET) / 4
        return value_bits(values - ste_round(mean + linear, 1 / 8), ste_round(scale, 1 / 4).clamp(low, high))

    @torch.no_grad()
    def export(self) -> PriorWeights:
        """The integers of this prior."""

        def integers(name: str, unit: int) -> np.ndarray:
            values = torch.round(getattr(self, name).double() * unit)
            return values.clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT - 1).cpu().numpy() if unit == 256 else values.cpu().numpy()

        hidden, channels = self.hidden.shape[0], len(self.values_bias) // 2
        biases = {
            name: integers(name, 1 << 14)
            for name in ("context_bias", "current_bias", "hidden_bias", "classes_bias", "values_bias")
        }
        return PriorWeights(
            context=integers("context", 256).reshape(hidden, -1),
            current=integers("current", 256).reshape(4, hidden, -1),
            hidden=integers("hidden", 256),
            classes=integers("classes", 256),
            class_embedding=integers("class_embedding", 64),
            values=integers("values", 256),
            taps=integers("taps", 256).reshape(4, channels, 9),
            previous=integers("previous", 256),
            shift=self.shift,
            **biases,
        )
