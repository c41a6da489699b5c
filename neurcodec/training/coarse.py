"""Stage `coarse`: the transforms of I and P frames and their priors, jointly, by rate-distortion.

Chains of backbone frames (I, P, P, ...) at a random spacing and quality, with the encoder's own motion search and
quantiser in the loop; the loss is the encoder's Lagrangian in bits, the rate from the quantised priors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neurcodec.coarse.codec import error_worth, latent_worth, motion_weight, quantise, to_luma
from neurcodec.coarse.model import CoarseCodec, quantiser_step
from neurcodec.coarse.motion import search_backbone
from neurcodec.coarse.warp import BLOCK, overlapped, warp_features
from neurcodec.training.generator import to_tensor
from neurcodec.training.loop import Schedule, Trainer
from neurcodec.training.prior import PriorNet

CUTS = (0, 1, 3, 8, 16, 32, 64, 128)
"""Coded channels per class."""


@dataclass(frozen=True, slots=True)
class CoarseConfig:
    """Settings of the stage. size: crop side in pixels (a multiple of 32). batch: clips, frames: backbones per step.

    train_gains: let the quantiser steps train too; straight-through rounding makes them too fine (docs/decisions/0005).
    """

    steps: int = 20000
    learning_rate: float = 3e-4
    batch: int = 4
    frames: int = 4
    size: int = 256
    hidden: int = 96
    train_gains: bool = False
    seed: int = 1
    minutes: float = 1e9


def latent_priors(channels: int, hidden: int, cuts: tuple[int, ...] = CUTS) -> nn.ModuleDict:
    """The priors of I and P latents; the three lowest I channels start as the mean of their neighbours."""
    linear = torch.zeros(channels)
    linear[:3] = 1.0
    return nn.ModuleDict(
        {
            "latents_i": PriorNet(channels, 1, hidden, cuts, 3, linear, None),
            "latents_p": PriorNet(channels, channels + 4, hidden, cuts, 3, torch.zeros(channels), 0.0),
        }
    )


def latent_context(y: Tensor, classes: Tensor, vectors: Tensor, quality: Tensor) -> Tensor:
    """Context planes of a P frame's latents, in real units: what `entropy.bitplane` builds in integers.

    y (N, C, h, w) and classes (N, h, w) of the backbone before, vectors (N, 2, h, w) in quarter pixels.
    """
    constant = (quality / 64)[:, None, None, None].expand(-1, 1, *y.shape[2:])
    return torch.cat([y.clamp(-127, 127) / 8, classes[:, None] / 4, vectors.clamp(-127, 127) / 8, constant], 1)


class ClipSampler:
    """Random crops of short chains of frames from the sources of `training.pairs`."""

    def __init__(self, folders: list[Path], seed: int, spacings: tuple[int, ...] = (1, 2, 3, 3, 4)) -> None:
        self.random = np.random.default_rng(seed)
        self.spacings = spacings
        self.entries = [
            (folder, entry) for folder in folders for entry in json.loads((folder / "index.json").read_text())
        ]
        weights = np.array([min(entry["frames"], 12) for _, entry in self.entries], dtype=np.float64)
        self.weights = weights / weights.sum()

    def chain(self, frames: int, size: int) -> np.ndarray:
        """One chain, uint8 (frames, size, size, 3); a picture or short clip is held."""
        while True:
            folder, entry = self.entries[self.random.choice(len(self.entries), p=self.weights)]
            if min(entry["height"], entry["width"]) >= size:
                break
        clip = np.load(folder / entry["file"], mmap_mode="r")
        spacing = self.random.choice(self.spacings)
        start = self.random.integers(max(1, entry["frames"] - spacing * (frames - 1)))
        top, left = (self.random.integers(entry[side] - size + 1) for side in ("height", "width"))
        numbers = [min(start + i * spacing, entry["frames"] - 1) for i in range(frames)]
        crop = np.stack([clip[number, top : top + size, left : left + size] for number in numbers])
        return crop[:, :, ::-1] if self.random.integers(2) else crop


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded backbone frame of N chains, as the next one refers to it."""

    picture: Tensor
    features: Tensor
    symbols: Tensor
    classes: Tensor
    vectors: np.ndarray


class CoarseStage:
    """The loss of the stage."""

    def __init__(self, model: nn.ModuleDict, sampler: ClipSampler, config: CoarseConfig) -> None:
        self.codec: CoarseCodec = model["codec"]  # type: ignore[assignment]
        self.priors: nn.ModuleDict = model["priors"]  # type: ignore[assignment]
        self.sampler, self.config = sampler, config
        self.device = next(model.parameters()).device
        if not config.train_gains:
            for transform in (self.codec.intra, self.codec.inter):
                transform.log_gain.register_hook(torch.zeros_like)

    def motion(self, pictures: Tensor, references: Tensor, quality: Tensor, previous: np.ndarray) -> np.ndarray:
        """The encoder's vectors for each clip: (N, 2, h, w) in quarter pixels."""
        weights = [motion_weight(one) for one in quality[:, None]]
        return np.stack(
            [
                search_backbone(to_luma(picture[None]), to_luma(reference[None]), before, weight)
                for picture, reference, before, weight in zip(pictures, references, previous, weights, strict=True)
            ]
        )

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, float]]:
        """The Lagrangian of one batch of chains."""
        config = self.config
        chains = np.stack([self.sampler.chain(config.frames, config.size) for _ in range(config.batch)], 1)
        quality = (
            torch.from_numpy(np.floor(64 * self.sampler.random.random(config.batch) ** 1.4)).float().to(self.device)
        )
        step_size = quantiser_step(quality)
        balance = (step_size / 64) ** 0.75
        total = torch.zeros((), device=self.device)
        terms: dict[str, float] = {}
        last: Coded | None = None
        for number in range(config.frames):
            source = to_tensor(chains[number], self.device)
            coded, bits = self.code(source, quality, last)
            error = (coded.picture - source).square().sum((1, 2, 3)) * (255 / step_size) ** 2
            cost = error_worth(quality, last is None) * error + bits
            total = total + (balance * cost).mean() / (config.size**2 * config.frames)
            with torch.no_grad():
                mse = (coded.picture.clamp(0, 1) - source).square().mean((1, 2, 3))
                name, share = ("intra", 1.0) if last is None else ("inter", 1 / (config.frames - 1))
                for key, value in (
                    (f"{name}_bpp", bits / config.size**2),
                    (f"{name}_psnr", -10 * torch.log10(mse + 1e-6)),
                ):
                    terms[key] = terms.get(key, 0.0) + share * float(value.mean())
            last = coded
        return total, {**terms, "loss": float(total.detach())}

    def code(self, source: Tensor, quality: Tensor, last: Coded | None) -> tuple[Coded, Tensor]:
        """Code one backbone frame of every chain; returns it and its latents' bits (N)."""
        if last is None:
            transform = self.codec.intra
            prediction, features = torch.full_like(source, 0.5), None
            vectors = np.zeros((len(source), 2, *(side // BLOCK for side in source.shape[2:])), dtype=np.int64)
        else:
            transform = self.codec.inter
            vectors = self.motion(source, last.picture.detach(), quality, last.vectors)
            pixels = torch.from_numpy(vectors / 4).float().to(self.device)
            prediction, features = overlapped(last.picture, pixels), warp_features(last.features, pixels)
        with torch.autocast(self.device.type, torch.bfloat16):
            y = transform.analyse(source, prediction, features, quality)
            with torch.no_grad():
                classes, rounded = quantise(y, latent_worth(transform, quality), CUTS)
            symbols = y + (rounded - y).detach()
            picture, features = transform.synthesise(symbols, prediction, features, quality)
        if last is None:
            context = (quality / 64)[:, None, None, None].expand(-1, 1, *symbols.shape[2:])
            prior = self.priors["latents_i"]
        else:
            context = latent_context(
                last.symbols, last.classes, torch.from_numpy(vectors).float().to(self.device), quality
            )
            prior = self.priors["latents_p"]
        for_classes, for_values = prior(context, symbols, classes)
        coded = Coded(picture.float(), features.float(), symbols.detach(), classes, vectors)
        return coded, for_classes + for_values


def build(config: CoarseConfig) -> nn.ModuleDict:
    """A fresh codec with its latent priors."""
    codec = CoarseCodec()
    channels = len(codec.intra.basis)
    return nn.ModuleDict({"codec": codec, "priors": latent_priors(channels, config.hidden)})


def train(model: nn.ModuleDict, pairs: list[Path], folder: Path, config: CoarseConfig) -> Trainer:
    """Run the stage in `folder` (resuming)."""
    trainer = Trainer(model, folder, Schedule(config.steps, config.learning_rate, minutes=config.minutes))
    trainer.resume()
    stage = CoarseStage(model, ClipSampler(pairs, config.seed + trainer.step), config)
    trainer.run(stage.loss)
    return trainer
