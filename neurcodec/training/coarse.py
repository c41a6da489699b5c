"""Stage `coarse`: the synthesis networks of I and P frames, with the encoder itself in the loop.

Chains of backbone frames (I, P, P, ...) at a random spacing and quality, coded by the encoder's own motion search and
quantiser. Latents are arithmetic, so no gradient passes through rounding: the loss is the logarithm of the squared
error, so that every quality counts the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neurcodec.coarse.codec import latent_worth, motion_weight, quantise, to_luma
from neurcodec.coarse.model import CoarseCodec
from neurcodec.coarse.motion_search import search_backbone
from neurcodec.coarse.warp import BLOCK, overlapped, warp_features
from neurcodec.errors import InputError
from neurcodec.training.loop import Schedule, Trainer
from neurcodec.training.sampler import to_tensor

CLASS_CHANNELS = (0, 1, 3, 8, 16, 32, 64, 128)
"""Coded channels per class."""


@dataclass(frozen=True, slots=True)
class CoarseConfig:
    """Settings of the stage. size: crop side in pixels (a multiple of 32). batch: clips, frames: backbones per step."""

    steps: int = 20000
    learning_rate: float = 5e-4
    batch: int = 4
    frames: int = 4
    size: int = 256
    seed: int = 1
    minutes: float = 1e9


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
        if all(min(entry["height"], entry["width"]) < size for _, entry in self.entries):
            raise InputError(f"no clip of stage pairs has {size} rows and columns")
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
    """A coded backbone frame of N chains, as the next one refers to it. vectors: quarter pixels."""

    picture: Tensor
    features: Tensor
    vectors: np.ndarray


class CoarseStage:
    """The loss of the stage."""

    def __init__(self, codec: CoarseCodec, sampler: ClipSampler, config: CoarseConfig) -> None:
        self.codec, self.sampler, self.config = codec, sampler, config
        self.device = next(codec.parameters()).device

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
        """The mean logarithm of the squared errors of one batch of chains."""
        config = self.config
        chains = np.stack([self.sampler.chain(config.frames, config.size) for _ in range(config.batch)], 1)
        drawn = np.floor(64 * self.sampler.random.random(config.batch) ** 1.4)
        quality = torch.from_numpy(drawn).float().to(self.device)
        total = torch.zeros((), device=self.device)
        terms: dict[str, float] = {}
        last: Coded | None = None
        for number in range(config.frames):
            source = to_tensor(chains[number], self.device)
            coded, plain = self.code(source, quality, last)
            error = (coded.picture - source).square().mean((1, 2, 3))
            total = total + torch.log(error + 1e-5).mean() / config.frames
            with torch.no_grad():
                before = (plain.clamp(0, 1) - source).square().mean((1, 2, 3))
                after = (coded.picture.clamp(0, 1) - source).square().mean((1, 2, 3))
                name, share = ("intra", 1.0) if last is None else ("inter", 1 / (config.frames - 1))
                for key, value in (
                    (f"{name}_gain", 10 * torch.log10((before + 1e-6) / (after + 1e-6))),
                    (f"{name}_psnr", -10 * torch.log10(after + 1e-6)),
                ):
                    terms[key] = terms.get(key, 0.0) + share * float(value.mean())
            last = coded
        return total, {**terms, "loss": float(total.detach())}

    def code(self, source: Tensor, quality: Tensor, last: Coded | None) -> tuple[Coded, Tensor]:
        """Code one backbone frame of every chain; returns it, and its picture without the network."""
        if last is None:
            transform = self.codec.intra
            prediction, features = torch.full_like(source, 0.5), None
            vectors = np.zeros((len(source), 2, *(side // BLOCK for side in source.shape[2:])), dtype=np.int64)
        else:
            transform = self.codec.inter
            vectors = self.motion(source, last.picture.detach(), quality, last.vectors)
            pixels = torch.from_numpy(vectors / 4).float().to(self.device)
            prediction, features = overlapped(last.picture, pixels), warp_features(last.features, pixels)
        with torch.no_grad():
            y = transform.analyse(source, prediction, quality)
            _, symbols = quantise(y, latent_worth(transform, quality), CLASS_CHANNELS)
            plain = transform.linear(symbols, prediction, quality)
        with torch.autocast(self.device.type, torch.bfloat16):
            picture, features = transform.synthesise(symbols, prediction, features, quality)
        return Coded(picture.float(), features.float(), vectors), plain


def train(codec: CoarseCodec, pairs: list[Path], folder: Path, config: CoarseConfig) -> Trainer:
    """Run the stage in `folder` (resuming)."""
    trainer = Trainer(codec, folder, Schedule(config.steps, config.learning_rate, minutes=config.minutes))
    trainer.resume()
    stage = CoarseStage(codec, ClipSampler(pairs, config.seed + trainer.step), config)
    trainer.run(stage.loss)
    return trainer
