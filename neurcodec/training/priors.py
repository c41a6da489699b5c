"""Stage `priors`: both priors on what the real encoder writes, with the codec frozen.

Training chunks are encoded as `ncodec encode` does, and every frame's symbols and integer contexts are recorded by
the coder of latents itself; so motion, long chains and all qualities are seen as they are in files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neurcodec.coarse.codec import encode_chunk
from neurcodec.coarse.model import CoarseCodec
from neurcodec.container import FrameType
from neurcodec.entropy.latent_coder import STREAMS, ChunkCoder, Motion, Planes, code_chunk
from neurcodec.entropy.model import PRIORS, EntropyModel
from neurcodec.entropy.prior import Array
from neurcodec.training.coarse import ClipSampler
from neurcodec.training.loop import Schedule, Trainer


@dataclass(frozen=True, slots=True)
class PriorsConfig:
    """Settings of the stage. chunks: encoded for training, of up to `frames` frames. batch: frames per prior."""

    steps: int = 3000
    learning_rate: float = 1e-3
    chunks: int = 300
    frames: int = 25
    size: int = 256
    batch: int = 6
    hidden: int = 96
    seed: int = 5
    minutes: float = 1e9


class Recorder:
    """Stands in for the range coder: keeps each frame's context and symbols."""

    def __init__(self, records: dict[str, list[tuple[Array, Planes]]]) -> None:
        self.records = records

    def motion(self, kind: FrameType, place: Motion, last: Motion, planes: Planes | None) -> Planes:
        """Hand the motion on."""
        if planes is None:
            raise ValueError("recording needs the symbols")
        return planes

    def quality(self, value: int | None) -> int:
        """Hand the quality on."""
        if value is None:
            raise ValueError("recording needs the symbols")
        return value

    def code(self, prior: str, context: Array, class_channels: np.ndarray, limit: int, planes: Planes | None) -> Planes:
        """Keep the symbols and hand them on."""
        if planes is None:
            raise ValueError("recording needs the symbols")
        self.records[prior].append((context.astype(np.int16), (planes[0].astype(np.int8), planes[1].astype(np.int16))))
        return planes


def record(
    codec: CoarseCodec, entropy: EntropyModel, sampler: ClipSampler, config: PriorsConfig
) -> dict[str, list[tuple[Array, Planes]]]:
    """Encode random chunks and return (context, symbols) of every frame, by prior."""
    records: dict[str, list[tuple[Array, Planes]]] = {name: [] for name in PRIORS}
    grid = (config.size // 16, config.size // 16)
    for _ in range(config.chunks):
        frames = sampler.chain(int(sampler.random.integers(2, config.frames)), config.size)
        quality, interval = int(64 * sampler.random.random() ** 1.4), int(sampler.random.choice((1, 2, 3, 3, 4)))
        latents = encode_chunk(codec, np.ascontiguousarray(frames), quality, interval, entropy.class_channels)
        recorder = Recorder(records)
        coder = ChunkCoder(entropy, dict.fromkeys(STREAMS, recorder), grid, quality)
        code_chunk(coder, [frame.type for frame in latents], latents)
    return records


def losses(
    priors: nn.ModuleDict, records: dict[str, list[tuple[Array, Planes]]], batch: int, random: np.random.Generator
) -> dict[str, Tensor]:
    """Bits of each frame of a random batch, by prior."""
    result = {}
    for name in PRIORS:
        picks = [records[name][i] for i in random.integers(len(records[name]), size=batch)]
        context = torch.from_numpy(np.stack([context for context, _ in picks]).astype(np.float32) / 64)
        classes = torch.from_numpy(np.stack([planes[0] for _, planes in picks]).astype(np.int64))
        values = torch.from_numpy(np.stack([planes[1] for _, planes in picks]).astype(np.float32))
        for_classes, for_values = priors[name](context, values, classes)
        result[name] = for_classes + for_values
    return result


def train(
    priors: nn.ModuleDict,
    codec: CoarseCodec,
    entropy: EntropyModel,
    pairs: list[Path],
    folder: Path,
    config: PriorsConfig,
) -> Trainer:
    """Run the stage in `folder` (resuming) over the priors, named as in `entropy.model.PRIORS`."""
    sampler = ClipSampler(pairs, config.seed, spacings=(1,))
    records = record(codec, entropy, sampler, config)
    trainer = Trainer(priors, folder, Schedule(config.steps, config.learning_rate, minutes=config.minutes))
    trainer.resume()

    def loss(step: int) -> tuple[Tensor, Mapping[str, float]]:
        bits = losses(priors, records, config.batch, sampler.random)
        total = sum((value / (value.detach() + 100.0)).mean() for value in bits.values())
        return total, {name: float(value.detach().mean()) for name, value in bits.items()}  # type: ignore[return-value]

    trainer.run(loss)
    return trainer
