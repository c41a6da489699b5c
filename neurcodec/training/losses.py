"""What the generator is trained to please: a teacher's picture, and a jury of two networks on the source (DESIGN 4).

Judges (VMAF, ColorVideoVDP, EfficientNet-Lite1) are never here: what is in a loss can judge no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurcodec.evaluation.efficientnet import LiteFeatures
from neurcodec.evaluation.lpips import LPIPS
from neurcodec.training.teacher import low

LPIPS_SHIFTS = 4
"""Ways, along each axis, to lay the samples of LPIPS, whose first two layers keep one of four."""
SPECTRUM_WINDOW = 16
"""Side of the windows, in pixels, whose power spectra are compared."""
SPECTRUM_MARGIN = 0.7
"""Logarithm of how many times the power of the source a frequency may have before it counts."""
SPECTRUM_FLOOR = (1 / 255) ** 2
"""Power per sample below which nothing is seen."""
LPIPS_FLOOR, LITE_FLOOR = 0.01, 0.05
"""Below these a gain counts less and less: nobody sees it."""
LUMA = (0.299, 0.587, 0.114)
"""BT.601, as swscale converts untagged video of standard definition; BT.709 differs by less than the rounding."""


def subsampled(pictures: Tensor) -> Tensor:
    """RGB pictures (N, 3, H, W) as a viewer sees them: through yuv420p, as the decoder writes them, and back.

    The filters are swscale's (`media.colour.SCALING`), to within its rounding to 8 bits.
    """
    luma = (pictures * pictures.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    chroma = F.avg_pool2d(pictures - luma, (1, 2))
    chroma = F.interpolate(chroma, scale_factor=(0.5, 1), mode="bicubic", antialias=True)
    return luma + F.interpolate(chroma, scale_factor=2, mode="bicubic")


def power(planes: Tensor) -> Tensor:
    """Local power spectra of planes (N, H, W): (N, frequencies, h, w), means over 40x40 samples."""
    hann = torch.hann_window(SPECTRUM_WINDOW, periodic=False, device=planes.device)
    window = torch.outer(hann, hann)
    parts = planes.unfold(1, SPECTRUM_WINDOW, SPECTRUM_WINDOW // 2).unfold(2, SPECTRUM_WINDOW, SPECTRUM_WINDOW // 2)
    parts = (parts - parts.mean((-1, -2), keepdim=True)) * window
    spectra = torch.view_as_real(torch.fft.rfft2(parts)).square().sum(-1) / window.square().sum()
    return F.avg_pool2d(spectra.permute(0, 3, 4, 1, 2).flatten(1, 2), 4, 2)


def surplus(pictures: Tensor, source: Tensor) -> Tensor:
    """How much power pictures (N, 3, H, W) have at frequencies where the source has little: the patterns in them.

    LPIPS takes a regular pattern for texture, and coloured grain too. Mean square of the logarithm of the ratio, as far
    as it is above SPECTRUM_MARGIN, of the luma and of the colour differences at half size.
    """

    def planes(rgb: Tensor) -> tuple[Tensor, Tensor]:
        luma = (rgb * rgb.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        return luma[:, 0], F.avg_pool2d(rgb[:, ::2] - luma, 2).flatten(0, 1)

    total = pictures.new_zeros(())
    for shown, wanted in zip(planes(pictures), planes(source), strict=True):
        ratio = torch.log((power(shown) + SPECTRUM_FLOOR) / (power(wanted) + SPECTRUM_FLOOR))
        total = total + F.relu(ratio - SPECTRUM_MARGIN).square().mean()
    return total


def shifted(random: torch.Generator, *pictures: Tensor) -> list[Tensor]:
    """One random part of all the pictures (N, 3, H, W): (N, 3, H - 3, W - 3).

    LPIPS looks at one place of four along each axis. A generator whose textures stand on a lattice of four, always
    trained in step with it, learns to put its errors where LPIPS does not look (decision 0023).
    """
    top, left = torch.randint(0, LPIPS_SHIFTS, (2,), generator=random).tolist()
    height, width = (side - LPIPS_SHIFTS + 1 for side in pictures[0].shape[2:])
    return [picture[:, :, top : top + height, left : left + width] for picture in pictures]


@dataclass(frozen=True)
class Weights:
    """Weights of the terms: to the teacher's picture (or the source where there is none), and to the source.

    Each is what a term's unit costs: L1 in 0..1, the logarithms of LPIPS and of Lite0's distance, L1 of low frequencies
    and of changes in time in 0..1, and `surplus`.
    """

    l1: float = 6.0
    lpips: float = 0.08
    lite: float = 0.3
    low: float = 2.0
    source_lpips: float = 0.04
    source_lite: float = 0.1
    surplus: float = 0.5
    change: float = 1.0


class Jury(nn.Module):
    """LPIPS (SqueezeNet) and EfficientNet-Lite0, frozen."""

    def __init__(self, lpips: LPIPS, lite: LiteFeatures) -> None:
        super().__init__()
        self.lpips, self.lite = lpips, lite

    def embed(self, pictures: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The features of pictures (N, 3, H, W) in 0..1 in both networks."""
        return self.lpips.embed(pictures), self.lite.embed(pictures)

    def distances(
        self, a: tuple[list[Tensor], list[Tensor]], b: tuple[list[Tensor], list[Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """LPIPS and the distance of Lite0 (N,) of two results of `embed`."""
        return self.lpips.distance(a[0], b[0]), self.lite.distance(a[1], b[1])


def changes(pictures: Tensor, motion: Tensor, frames: int) -> Tensor:
    """The changes from frame to frame along a motion: (groups, frames - 1, 3, H, W).

    pictures (groups * frames, 3, H, W). motion (groups * frames, 2, H, W): where each pixel was in the frame before, x
    and y in pixels, relative to its place; of a group's first frame it is not used.
    """
    height, width = pictures.shape[2:]
    clip, vectors = (part.unflatten(0, (-1, frames)) for part in (pictures, motion))
    y, x = torch.meshgrid(
        torch.arange(height, device=pictures.device), torch.arange(width, device=pictures.device), indexing="ij"
    )
    moved = vectors[:, 1:].flatten(0, 1)
    places = torch.stack([x + moved[:, 0], y + moved[:, 1]], -1) + 0.5
    grid = 2 * places / places.new_tensor([width, height]) - 1
    before = F.grid_sample(clip[:, :-1].flatten(0, 1), grid, padding_mode="border", align_corners=False)
    return (clip[:, 1:].flatten(0, 1) - before).unflatten(0, (-1, frames - 1))


def total(
    jury: Jury, weights: Weights, x0: Tensor, target: Tensor, source: Tensor, random: torch.Generator
) -> tuple[Tensor, Mapping[str, float]]:
    """The loss of pictures x0 (N, 3, H, W) in about 0..1, and its terms; the jury sees them as the decoder writes
    them."""
    seen = subsampled(x0)
    shown, wanted, true = shifted(random, seen, target, source)
    with torch.autocast(x0.device.type, torch.bfloat16):
        with torch.no_grad():
            of_wanted, of_true = jury.embed(wanted), jury.embed(true)
        of_shown = jury.embed(shown)
    lpips, lite = jury.distances(of_shown, of_wanted)
    source_lpips, source_lite = jury.distances(of_shown, of_true)
    l1, lows, pattern = (x0 - target).abs().mean(), low(x0 - source).abs().mean(), surplus(seen, source)
    value = weights.l1 * l1 + weights.low * lows + weights.surplus * pattern
    for weight, distance, floor in (
        (weights.lpips, lpips, LPIPS_FLOOR),
        (weights.lite, lite, LITE_FLOOR),
        (weights.source_lpips, source_lpips, LPIPS_FLOOR),
        (weights.source_lite, source_lite, LITE_FLOOR),
    ):
        value = value + weight * torch.log(distance + floor).mean()
    terms = {
        "l1": l1, "low": lows, "surplus": pattern, "lpips": lpips.mean(), "lite": lite.mean(),
        "source_lpips": source_lpips.mean(), "source_lite": source_lite.mean(),
    }  # fmt: skip
    return value, {name: float(term.detach()) for name, term in terms.items()}
