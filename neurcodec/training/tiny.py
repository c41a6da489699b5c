"""A complete model of small random networks: the same code paths in little time, for tests and vectors."""

from __future__ import annotations

from pathlib import Path

import torch

from neurcodec.coarse.model import CoarseCodec
from neurcodec.generator.model import Generator
from neurcodec.training.export import entropy_model, latent_priors, write_model


def write_tiny_model(folder: Path, seed: int = 0) -> None:
    """Write the model's folder; the same seed gives the same model."""
    torch.manual_seed(seed)
    codec = CoarseCodec(luma=12, chroma=2, width=8, features=8, synthesis_blocks=1)
    generator = Generator(
        channels=8, layers=2, feature_channels=8, token_channels=8, embedding=16, heads=2, temporal_channels=8
    )
    torch.nn.init.normal_(generator.tails, std=0.02, generator=torch.Generator().manual_seed(seed))
    class_channels = (0, 1, 3, 8, 16)
    channels = len(codec.intra.basis)
    priors = dict(latent_priors(channels, 8, class_channels).items())
    write_model(folder, codec, generator, entropy_model(priors, class_channels))  # type: ignore[arg-type]
