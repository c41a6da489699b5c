"""What the generator is trained for: the source, its contrasts, its features in two networks, and its power (0027).

Judges (VMAF, ColorVideoVDP, EfficientNet-Lite1) are never here: what is in a loss can judge no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurcodec.evaluation.efficientnet import LiteFeatures
from neurcodec.evaluation.lpips import LPIPS

LPIPS_SHIFTS = 4
"""Ways, along each axis, to lay the samples of LPIPS, whose first two layers keep one of four."""
SPECTRUM_WINDOW = 16
"""Side of the windows, in pixels, whose power spectra are compared."""
SPECTRUM_MARGIN = 0.7
"""Logarithm of how many times the power of the source a frequency may have before it counts."""
SPECTRUM_FLOOR = (1 / 255) ** 2
"""Power per sample below which nothing is seen."""
LOST = 0.1
"""A frequency that has less than this part of its power is taken for lost: nobody can tell what was there."""
FULL_SIZE = 0.25
"""What a deficit costs at scale 1, as a part of what it costs elsewhere: what AV1 leaves out there is mostly noise."""
ERROR_FLOOR, CHANGE_FLOOR = 0.002, 0.002
LPIPS_FLOOR, LITE_FLOOR = 0.01, 0.05
"""Below these a gain counts less and less: nobody sees it."""
BANDS = 5
"""Octaves of contrast that are compared."""
CONTRAST_FLOOR, BAND_FLOOR = 0.05, 0.025
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


def planes(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """The luma of pictures (N, 3, H, W), and their colour differences at half size: (N, H, W), (2 N, H / 2, W / 2)."""
    luma = (rgb * rgb.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    return luma[:, 0], F.avg_pool2d(rgb[:, ::2] - luma, 2).flatten(0, 1)


def spectral(pictures: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """How much more and how much less power than the source pictures (N, 3, H, W) have: surplus, and deficits (N,).

    The surplus is what patterns are made of, which LPIPS takes for texture, and coloured grain too: mean square of the
    logarithm of the ratio, as far as it is above SPECTRUM_MARGIN, of luma and colour differences. The deficit is what
    an uncertain picture loses, since the mean of all that may have been there is soft: mean logarithm of the source's
    power to that of the picture, of the luma. The cheapest power to bring back is that of what is there and too weak.
    """
    powers = [(power(own), power(true)) for own, true in zip(planes(pictures), planes(source), strict=True)]
    surplus = pictures.new_zeros(())
    for own, true in powers:
        ratio = torch.log((own + SPECTRUM_FLOOR) / (true + SPECTRUM_FLOOR))
        surplus = surplus + F.relu(ratio - SPECTRUM_MARGIN).square().mean()
    (own, true), floor = powers[0], 4 * SPECTRUM_FLOOR
    deficits = F.relu(torch.log((true + floor) / (own + LOST * true + floor)))
    return surplus, deficits.flatten(1).mean(1)


def bands(luma: Tensor) -> list[Tensor]:
    """The contrasts of planes (N, 1, H, W), octave by octave: what a plane has more than its own blur, divided by how
    much of that is around, as in the normalised Laplacian pyramid (Laparra et al. 2016)."""
    row = luma.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = torch.outer(row, row)[None, None]
    found = []
    for _ in range(BANDS):
        smaller = F.conv2d(F.pad(luma, (2, 2, 2, 2), mode="replicate"), kernel, stride=2)
        band = luma - F.interpolate(smaller, luma.shape[2:], mode="bilinear")
        around = F.conv2d(F.pad(band.abs(), (2, 2, 2, 2), mode="replicate"), kernel)
        found.append(band / (BAND_FLOOR + around))
        luma = smaller
    return found


def contrast_error(pictures: Tensor, source: Tensor) -> Tensor:
    """How far the contrasts of pictures (N, 3, H, W) are from the source's: mean over octaves of the RMS, (N,)."""
    weights = pictures.new_tensor(LUMA)[:, None, None]
    pairs = zip(*(bands((part * weights).sum(1, keepdim=True)) for part in (pictures, source)), strict=True)
    return torch.stack([(own - true).square().mean((1, 2, 3)).add(1e-6).sqrt() for own, true in pairs]).mean(0)


def shifted(random: torch.Generator, *pictures: Tensor) -> list[Tensor]:
    """One random part of all the pictures (N, 3, H, W): (N, 3, H - 3, W - 3).

    LPIPS looks at one place of four along each axis. A generator whose textures stand on a lattice of four, always
    trained in step with it, learns to put its errors where LPIPS does not look (decision 0023).
    """
    top, left = torch.randint(0, LPIPS_SHIFTS, (2,), generator=random).tolist()
    height, width = (side - LPIPS_SHIFTS + 1 for side in pictures[0].shape[2:])
    return [picture[:, :, top : top + height, left : left + width] for picture in pictures]


@dataclass(frozen=True, slots=True)
class Weights:
    """What a unit of each term costs: the logarithms of the mean error, of the error of contrasts, of LPIPS, of Lite0's
    distance and of the error of the change in time, so that what is nearly right counts as much as what is not, and
    `spectral`'s two.
    """

    error: float = 1.0
    contrast: float = 0.0
    lpips: float = 0.15
    lite: float = 1.0
    surplus: float = 0.1
    deficit: float = 0.2
    change: float = 0.3


class Jury(nn.Module):
    """LPIPS (SqueezeNet) and EfficientNet-Lite0, frozen. embed_crops: `embed` for the crops of training, which have one
    size, so that it can be compiled."""

    def __init__(self, lpips: LPIPS, lite: LiteFeatures) -> None:
        super().__init__()
        self.lpips, self.lite = lpips, lite
        self.embed_crops: Callable[[Tensor], tuple[list[Tensor], list[Tensor]]] = self.embed

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
    jury: Jury, weights: Weights, x0: Tensor, source: Tensor, scale: Tensor, random: torch.Generator
) -> tuple[Tensor, Mapping[str, float]]:
    """The loss of pictures x0 (N, 3, H, W) in about 0..1, restored from bases of these scales (N,), and its terms.

    The jury sees them as the decoder writes them.
    """
    seen = subsampled(x0)
    shown, true = shifted(random, seen, source)
    with torch.autocast(x0.device.type, torch.bfloat16):
        with torch.no_grad():
            of_true = jury.embed_crops(true)
        of_shown = jury.embed_crops(shown)
    lpips, lite = jury.distances(of_shown, of_true)
    error = (x0 - source).abs().mean((1, 2, 3))
    contrast = contrast_error(seen, source)
    surplus, deficits = spectral(seen, source)
    deficit = (deficits * torch.where(scale < 1.5, FULL_SIZE, 1)).mean()
    value = weights.surplus * surplus + weights.deficit * deficit
    for weight, distance, floor in (
        (weights.error, error, ERROR_FLOOR),
        (weights.contrast, contrast, CONTRAST_FLOOR),
        (weights.lpips, lpips, LPIPS_FLOOR),
        (weights.lite, lite, LITE_FLOOR),
    ):
        value = value + weight * torch.log(distance + floor).mean()
    terms = {
        "error": error.mean(),
        "contrast": contrast.mean(),
        "lpips": lpips.mean(),
        "lite": lite.mean(),
        "surplus": surplus,
        "deficit": deficit,
    }
    return value, {name: float(term.detach()) for name, term in terms.items()}


def change_error(x0: Tensor, source: Tensor, motion: Tensor, frames: int) -> Tensor:
    """How far the changes of pictures along the source's motion are from the source's own, of each group: (groups,)."""
    shown, true = (changes(part, motion, frames) for part in (x0, source))
    return (shown - true).abs().mean((1, 2, 3, 4))
