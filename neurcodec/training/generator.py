"""Stage `generator`: restore real codec output (base layers and native coarse frames) in one step.

It starts from public weights (`start`) and learns what `losses` says (decision 0027). The timestep is the last one: the
network sees noise and the coarse picture and gives x0.
With `frames` above 1 the groups are short clips, so that the temporal branch trains (cascaded training). Now and then
the averaged weights are measured on sources that nothing is trained on (`held_out`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from neurcodec.evaluation.efficientnet import LiteFeatures
from neurcodec.evaluation.lpips import LPIPS
from neurcodec.generator.diffusion import NOISE_TILE, TIMESTEP, terminal_noise
from neurcodec.generator.model import Generator
from neurcodec.training.captions import Extensions
from neurcodec.training.feed import Draws, drawn_ahead
from neurcodec.training.held_out import HeldOut
from neurcodec.training.loop import Schedule, Trainer
from neurcodec.training.losses import CHANGE_FLOOR, Jury, Weights, change_error, total
from neurcodec.training.sampler import PairSampler


@dataclass(frozen=True, slots=True)
class GeneratorConfig(Weights):
    """Settings of the stage. size: crop side in pixels (a multiple of 16, at least 80). batch: clips per step.

    prior: name of the public weights in priors/ to start from, "" for none. decay: the part of the steps in which the
    rate falls, of the minutes where by_clock is 1. native: share of the clips drawn from native pairs, when there are
    any. compile: 1 to use torch.compile (it needs a C++ compiler), 2 also for the loss's networks. workers: processes
    that draw batches ahead of time, 0 for none. peak: the device's peak in TFLOP/s, for a share of it in the log; 0
    where that is not known. captions, sketches, textures: share of the clips with theirs. check_every: steps between
    measurements of what is held out, check_bases: how many of each scale. The weights of the loss are settings too.
    """

    steps: int = 20000
    learning_rate: float = 2e-4
    decay: float = 0.4
    batch: int = 4
    frames: int = 2
    size: int = 160
    prior: str = "lsdir_compact_c3_x4"
    native: float = 0.0
    compile: int = 0
    captions: float = 0.5
    sketches: float = 0.25
    textures: float = 0.9
    check_every: int = 1000
    check_bases: int = 20
    seed: int = 1
    minutes: float = 1e9
    by_clock: int = 0
    checkpoint_minutes: float = 10.0
    workers: int = 0
    peak: float = 0.0


class GeneratorStage:
    """The loss of the stage, as the training loop calls it."""

    def __init__(self, model: Generator, sampler: PairSampler, jury: Jury, config: GeneratorConfig) -> None:
        self.sampler, self.config, self.jury = sampler, config, jury
        self.noise = torch.Generator().manual_seed(config.seed)
        self.device = next(model.parameters()).device
        self.forward: Callable[..., Any] = torch.compile(model) if config.compile else model
        if config.compile > 1:
            jury.embed_crops = torch.compile(jury.embed)
        shape = config.batch, config.frames, config.size
        if config.workers:
            self.batches = drawn_ahead(sampler, *shape, config.workers, pinned=self.device.type == "cuda")
        else:
            self.batches = iter(Draws(sampler, *shape))

    def terminal_noise(self) -> Tensor:
        """x_T of each clip, (batch, 3, size, size), from anywhere in the tile: a fixed part is learnt by heart."""
        size = self.config.size
        tile = terminal_noise(NOISE_TILE + size, NOISE_TILE + size)
        places = torch.randint(0, NOISE_TILE, (self.config.batch, 2), generator=self.noise).tolist()
        return torch.stack([tile[:, top : top + size, left : left + size] for top, left in places])

    def loss(self, step: int) -> tuple[Tensor, Mapping[str, float]]:
        """The loss of one step and its terms."""
        config = self.config
        started = time.monotonic()
        batch = next(self.batches).to(self.device)
        waited = {"waited": time.monotonic() - started}
        noisy = self.terminal_noise().to(self.device).repeat_interleave(config.frames, 0)
        timestep = torch.full((len(noisy),), TIMESTEP, device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            x0, _ = self.forward(batch.coarse, noisy, timestep, batch.condition, batch.features, config.frames)
        x0 = x0.float()
        value, terms = total(self.jury, config, x0, batch.source, batch.condition.scale, self.noise)
        if config.frames == 1:
            return value, {**terms, **waited}
        change = change_error(x0, batch.source, batch.motion, config.frames)
        value = value + config.change * torch.log(change + CHANGE_FLOOR).mean()
        return value, {**terms, "change": float(change.detach().mean()), **waited}


def step_flop(model: Generator, sampler: PairSampler, jury: Jury, config: GeneratorConfig) -> int:
    """FLOP of a step, counted on one clip's (of compiled networks they would not be seen): forwards and backwards, two
    for a multiplication and an addition, nothing for the rest."""
    one_clip = GeneratorStage(model, sampler, jury, replace(config, batch=1, compile=0, workers=0))
    with FlopCounterMode(display=False) as counter:
        one_clip.loss(0)[0].backward()
    return config.batch * counter.get_total_flops()


def train(
    model: Generator, pairs: Mapping[Path, float], weights: Path, folder: Path, config: GeneratorConfig
) -> Trainer:
    """Run the stage in `folder` (resuming), with the metric weights below `weights`."""
    torch.manual_seed(config.seed)
    device = next(model.parameters()).device
    schedule = Schedule(
        config.steps, config.learning_rate, config.decay, config.minutes, config.checkpoint_minutes, ema=0.998,
        by_clock=bool(config.by_clock),
    )  # fmt: skip
    trainer = Trainer(model, folder, schedule)
    trainer.resume()
    jury = Jury(LPIPS.load(weights / "lpips"), LiteFeatures.load("lite0")).to(device)
    extensions = Extensions.load(folder.parent / "captions.json", config.captions, config.sketches)
    sampler = PairSampler(pairs, model.config.feature_channels, extensions, config.textures, config.seed + trainer.step)
    held_out = HeldOut(folder.parent / "held_out", jury, config.check_bases)
    if config.peak:
        trainer.peak_seconds = step_flop(model, sampler, jury, config) / (1e12 * config.peak)
    trainer.run(
        GeneratorStage(model, sampler, jury, config).loss,
        check=lambda: held_out.measure(model),
        check_every=config.check_every,
    )
    return trainer
