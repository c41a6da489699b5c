"""Stage `generator`: restore real codec output (base layers and native coarse frames) in one step.

Phase one (the first `denoise_steps`) pretrains it as a compression-conditioned denoiser over all noise levels
(CoD-Lite's finding); then the timestep is fixed at the last one and the loss is L1 plus the logarithm of LPIPS, of
crops and of their parts: what counts is the relative gain, on clean pictures as on bad ones, as in a BD-rate.
With `frames` above 1 the groups are short clips, so that the temporal branches train (cascaded training). Some clips
have a caption or a sketch (`training.captions`), so that the generator works with and without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neurcodec.evaluation.lpips import LPIPS
from neurcodec.generator.diffusion import NOISE_TILE, scheduler, terminal_noise
from neurcodec.generator.model import Generator
from neurcodec.training.captions import SideStreams
from neurcodec.training.loop import Schedule, Trainer
from neurcodec.training.sampler import PairSampler

LPIPS_CELL = 32
"""Side of the cells, in pixels, whose LPIPS counts by itself: what is smooth counts beside what has texture."""
LPIPS_SHIFTS = 4
"""Ways, along each axis, to lay the samples of LPIPS, whose first two layers keep one of four."""
SPECTRUM_WINDOW = 16
"""Side of the windows, in pixels, whose power spectra are compared."""
SPECTRUM_MARGIN = 0.7
"""Logarithm of how many times the power of the source a frequency may have before it counts."""
SPECTRUM_FLOOR = (1 / 255) ** 2
"""Power per sample below which nothing is seen."""
LPIPS_FLOOR = 0.01
"""Below this a gain counts less and less: nobody sees it."""


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Settings of the stage. size: crop side in pixels (a multiple of 16, at least 80). batch: clips per step.

    native: share of the clips drawn from native pairs, when there are any. compile: 1 to use torch.compile (about a
    fifth faster on the CPU; it needs a C++ compiler). captions, sketches, textures: share of the clips with theirs.
    """

    steps: int = 20000
    learning_rate: float = 4e-4
    batch: int = 8
    frames: int = 1
    size: int = 160
    denoise_steps: int = 1000
    lpips_weight: float = 0.3
    spectrum_weight: float = 1.0
    native: float = 0.5
    compile: int = 0
    captions: float = 0.5
    sketches: float = 0.25
    textures: float = 0.9
    seed: int = 1
    minutes: float = 1e9


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


class GeneratorStage:
    """The loss of the stage, as the training loop calls it."""

    def __init__(self, model: Generator, sampler: PairSampler, lpips: LPIPS, config: GeneratorConfig) -> None:
        self.sampler, self.config = sampler, config
        self.noise = torch.Generator().manual_seed(config.seed)
        self.device = next(model.parameters()).device
        self.forward: Callable[..., Any] = torch.compile(model) if config.compile else model
        self.lpips: Callable[..., Any] = torch.compile(lpips.local) if config.compile else lpips.local

    def terminal_noise(self) -> Tensor:
        """x_T of each clip, (batch, 3, size, size), from anywhere in the tile: a fixed part is learnt by heart."""
        size = self.config.size
        tile = terminal_noise(NOISE_TILE + size, NOISE_TILE + size)
        places = torch.randint(0, NOISE_TILE, (self.config.batch, 2), generator=self.noise).tolist()
        return torch.stack([tile[:, top : top + size, left : left + size] for top, left in places])

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, float]]:
        """The loss of one step and its terms."""
        config = self.config
        batch = self.sampler.batch(config.batch, config.frames, config.size, self.device)
        count = len(batch.source)
        denoising = step < config.denoise_steps
        if denoising:
            timestep = torch.randint(0, 1000, (count,), generator=self.noise).to(self.device)
            noise = torch.randn(batch.source.shape, generator=self.noise).to(self.device)
            noisy = scheduler().add_noise(batch.source * 2 - 1, noise, timestep)
        else:
            timestep = torch.full((count,), 999, device=self.device)
            noisy = self.terminal_noise().to(self.device).repeat_interleave(config.frames, 0)
        with torch.autocast(self.device.type, torch.bfloat16):
            x0, _ = self.forward(batch.coarse, noisy, timestep, batch.condition, batch.features, config.frames)
        x0 = x0.float()
        seen = subsampled(x0)
        with torch.autocast(self.device.type, torch.bfloat16):
            local = self.lpips(*shifted(self.noise, seen, batch.source), config.size // LPIPS_CELL)
        lpips = local.mean((1, 2))
        l1 = (x0 - batch.source).abs().mean()
        with torch.no_grad():
            psnr = -10 * torch.log10((x0 - batch.source).square().mean((1, 2, 3)) + 1e-6).mean()
        relative = torch.log(lpips + LPIPS_FLOOR).mean() + torch.log(local + LPIPS_FLOOR).mean()
        pattern = surplus(seen, batch.source)
        value = 2 * l1 + config.lpips_weight / 2 * relative + config.spectrum_weight * pattern
        terms = {"l1": l1.detach(), "lpips": lpips.detach().mean(), "psnr": psnr, "surplus": pattern.detach()}
        return value, {name: float(term) for name, term in terms.items()}


def train(
    model: Generator, pairs: Mapping[Path, float], weights: Path, folder: Path, config: GeneratorConfig
) -> Trainer:
    """Run the stage in `folder` (resuming), with the metric weights below `weights`."""
    torch.manual_seed(config.seed)
    trainer = Trainer(model, folder, Schedule(config.steps, config.learning_rate, minutes=config.minutes))
    trainer.resume()
    lpips = LPIPS.load(weights / "lpips").to(next(model.parameters()).device)
    side = SideStreams.load(folder.parent / "captions.json", config.captions, config.sketches)
    sampler = PairSampler(pairs, model.config.feature_channels, side, config.textures, config.seed + trainer.step)
    trainer.run(GeneratorStage(model, sampler, lpips, config).loss)
    return trainer
