"""From training runs to a model folder: `coarse/`, `generator/` (bf16 safetensors), `entropy.safetensors`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from neurcodec.coarse.model import CoarseCodec
from neurcodec.entropy.model import MODES, EntropyModel
from neurcodec.entropy.tables import Tables, build_class_tables, build_value_tables
from neurcodec.generator.model import Generator
from neurcodec.training.prior import PriorNet


def motion_priors(hidden: int) -> nn.ModuleDict:
    """The priors of P and S motion; S starts from the motion of the backbone after it."""
    ones = torch.ones(2)
    return nn.ModuleDict({
        "motion_p": PriorNet(2, 4, hidden, (2,), 3, ones, 0.0),
        "motion_s": PriorNet(2, 7, hidden, (2,) * MODES, 3, torch.zeros(2), 1.0),
    })


def entropy_model(priors: dict[str, PriorNet], cuts: tuple[int, ...]) -> EntropyModel:
    """The bit plane's integers from trained priors."""
    tables = Tables(build_value_tables(), {count: build_class_tables(count) for count in (MODES, len(cuts))})
    return EntropyModel(tables, {name: prior.export() for name, prior in priors.items()}, cuts, b"")


def write_model(
    folder: Path, codec: CoarseCodec | None, generator: Generator | None, entropy: EntropyModel | None
) -> None:
    """Write the parts that are given; the others stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    if codec is not None:
        codec.bfloat16().save_pretrained(folder / "coarse")
    if generator is not None:
        generator.bfloat16().save_pretrained(folder / "generator")
    if entropy is not None:
        entropy.save(folder / "entropy.safetensors")
