"""Stage `generator`: restore real codec output (base layers and native coarse frames) in one step.

Phase one (the first `denoise_steps`) pretrains it as a compression-conditioned denoiser over all noise levels
(CoD-Lite's finding); then the timestep is fixed at the last one and the loss is 2 L1 + LPIPS. With `frames` above 1
the groups are short clips, so that the temporal branches train (cascaded training).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from neurcodec.evaluation.lpips import LPIPS
from neurcodec.generator.diffusion import scheduler, terminal_noise
from neurcodec.generator.model import Condition, FrameKind, Generator
from neurcodec.training.loop import Schedule, Trainer


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Settings of the stage. size: crop side in pixels (a multiple of 16). batch: clips per step."""

    steps: int = 20000
    learning_rate: float = 4e-4
    batch: int = 8
    frames: int = 1
    size: int = 160
    denoise_steps: int = 1000
    lpips_weight: float = 1.0
    seed: int = 1
    minutes: float = 1e9


@dataclass(frozen=True, slots=True)
class Batch:
    """N = clips * frames pictures (N, 3, size, size) in 0..1 and what the decoder is told about them."""

    source: Tensor
    coarse: Tensor
    condition: Condition


class PairSampler:
    """Random aligned crops of the pairs of `training.pairs`, flipped half of the time."""

    def __init__(self, folders: list[Path], seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.entries = []
        for folder in folders:
            for entry in json.loads((folder / "index.json").read_text()):
                if entry["bases"]:
                    self.entries.append((folder, entry))
        weights = np.array([min(entry["frames"], 12) for _, entry in self.entries], dtype=np.float64)
        self.weights = weights / weights.sum()

    def batch(self, clips: int, frames: int, size: int, device: torch.device) -> Batch:
        """Draw a batch; a clip shorter than `frames` is held on its last frame."""
        sources, bases, kinds, qualities, scales = [], [], [], [], []
        for pick in self.random.choice(len(self.entries), clips, p=self.weights):
            folder, entry = self.entries[pick]
            choice = entry["bases"][self.random.integers(len(entry["bases"]))]
            source = np.load(folder / entry["file"], mmap_mode="r")
            base = np.load(folder / choice["file"], mmap_mode="r")
            start = self.random.integers(max(1, entry["frames"] - frames + 1))
            top = self.random.integers(entry["height"] - size + 1)
            left = self.random.integers(entry["width"] - size + 1)
            flip = bool(self.random.integers(2))
            for number in range(start, start + frames):
                at = min(number, entry["frames"] - 1)
                whole = np.asarray(base[at])
                if whole.shape[:2] != source.shape[1:3]:
                    whole = cv2.resize(whole, source.shape[2:0:-1], interpolation=cv2.INTER_CUBIC)
                for array, out in ((source[at], sources), (whole, bases)):
                    crop = array[top : top + size, left : left + size]
                    out.append(np.ascontiguousarray(crop[:, ::-1] if flip else crop))
                kinds.append(choice.get("kinds", [FrameKind.BASE] * entry["frames"])[at])
                qualities.append(choice.get("quality", 63 - choice.get("crf", 0)))
                scales.append(choice.get("scale", 1))
        return Batch(
            to_tensor(np.stack(sources), device), to_tensor(np.stack(bases), device),
            Condition(
                torch.tensor(kinds, device=device),
                torch.tensor(qualities, dtype=torch.float32, device=device),
                torch.tensor(scales, dtype=torch.float32, device=device),
            ),
        )


def to_tensor(frames: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (N, H, W, 3) to channels-last float32 (N, 3, H, W) in 0..1."""
    tensor = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)


class GeneratorStage:
    """The loss of the stage, as the training loop calls it."""

    def __init__(self, model: Generator, sampler: PairSampler, lpips: LPIPS, config: GeneratorConfig) -> None:
        self.model, self.sampler, self.lpips, self.config = model, sampler, lpips, config
        self.noise = torch.Generator().manual_seed(config.seed)
        self.device = next(model.parameters()).device
        self.forward = model

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, float]]:
        """The loss of one step and its terms."""
        config = self.config
        batch = self.sampler.batch(config.batch, config.frames, config.size, self.device)
        count = len(batch.source)
        features = batch.source.new_zeros(count, self.model.config.feature_channels, config.size // 8, config.size // 8)
        denoising = step < config.denoise_steps
        if denoising:
            timestep = torch.randint(0, 1000, (count,), generator=self.noise).to(self.device)
            noise = torch.randn(batch.source.shape, generator=self.noise).to(self.device)
            noisy = scheduler().add_noise(batch.source * 2 - 1, noise, timestep)
        else:
            timestep = torch.full((count,), 999, device=self.device)
            noisy = terminal_noise(config.size, config.size).to(self.device).expand(count, -1, -1, -1)
        with torch.autocast(self.device.type, torch.bfloat16):
            x0, _ = self.forward(batch.coarse, noisy, timestep, batch.condition, features, config.frames)
            x0 = x0.float()
            lpips = self.lpips(x0, batch.source).mean()
        l1 = (x0 - batch.source).abs().mean()
        with torch.no_grad():
            psnr = -10 * torch.log10((x0 - batch.source).square().mean((1, 2, 3)) + 1e-6).mean()
        value = 2 * l1 + config.lpips_weight * lpips
        return value, {"l1": float(l1), "lpips": float(lpips), "psnr": float(psnr)}


def train(model: Generator, pairs: list[Path], weights: Path, folder: Path, config: GeneratorConfig) -> Trainer:
    """Run the stage in `folder` (resuming), with the metric weights below `weights`."""
    torch.manual_seed(config.seed)
    trainer = Trainer(model, folder, Schedule(config.steps, config.learning_rate, minutes=config.minutes))
    trainer.resume()
    lpips = LPIPS.load(weights / "lpips").to(next(model.parameters()).device, memory_format=torch.channels_last)
    stage = GeneratorStage(model, PairSampler(pairs, config.seed + trainer.step), lpips, config)
    trainer.run(stage.loss)
    return trainer
