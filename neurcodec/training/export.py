"""From training runs to a model folder: `coarse/`, `generator/` (bf16 safetensors), `entropy.safetensors`."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

from neurcodec.coarse.model import CoarseCodec
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.tables import Tables, build_class_tables, build_value_tables
from neurcodec.generator.model import Generator
from neurcodec.training.coarse import CLASS_CHANNELS
from neurcodec.training.pairs import clip_name
from neurcodec.training.prior_network import PriorNet


def latent_priors(channels: int, hidden: int, class_channels: tuple[int, ...] = CLASS_CHANNELS) -> nn.ModuleDict:
    """The priors of I and P latents; the three lowest I channels start as the mean of their neighbours."""
    linear = torch.zeros(channels)
    linear[:3] = 1.0
    return nn.ModuleDict(
        {
            "latents_i": PriorNet(channels, 1, hidden, class_channels, 3, linear, None),
            "latents_p": PriorNet(channels, channels + 4, hidden, class_channels, 3, torch.zeros(channels), 0.0),
        }
    )


def entropy_model(priors: dict[str, PriorNet], class_channels: tuple[int, ...]) -> EntropyModel:
    """The integers that code the latents, from trained priors."""
    tables = Tables(build_value_tables(), {len(class_channels): build_class_tables(len(class_channels))})
    return EntropyModel(tables, {name: prior.export() for name, prior in priors.items()}, class_channels, b"")


def write_model(
    folder: Path, codec: CoarseCodec | None, generator: Generator | None, entropy: EntropyModel | None
) -> None:
    """Write the parts that are given; the others stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    if codec is not None:
        codec.save(folder / "coarse")
    if generator is not None:
        generator.save(folder / "generator")
    if entropy is not None:
        entropy.save(folder / "entropy.safetensors")


CARD = """# Model card: {name}

Weights of neurcodec's in-loop codec, priors and one-step diffusion generator, trained by this repository's own stages
(`ncodec train`, docs/training.md); Apache-2.0 like the code. The codec and the priors were trained from nothing. The
generator's body started from a public network, so these terms hold for `generator/` as well:

- 4xLSDIRCompactC3, (c) Philip Hofmann, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), trained on LSDIR.
  Changed: its weights were spread over another first layer, scaled in the last one, and trained on.
- Its architecture is SRVGGNetCompact of Real-ESRGAN, (c) 2021 Xintao Wang, BSD-3-Clause (LICENSE.BSD beside this card).

| part | parameters | sha256 of its file |
|---|---|---|
{parts}

| stage | steps | last reported training figures |
|---|---|---|
{stages}

Data: {data}.
Sources with their licences: the table SOURCES.md of the training data, which is not part of this repository.
Seeds: the stages' defaults (coarse 1, priors 5, native 9, generator 1). Commit: {commit}.
Loss networks: LPIPS (squeeze) v0.1, EfficientNet-Lite0. Scores: docs/results.md.{kept}
"""


def lines(file: Path) -> list[str]:
    """The lines of a text file, none where there is none."""
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def current_commit() -> str:
    """The commit of the repository that this runs in."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def model_card(runs: Path, model: Path, settings: Mapping[str, str]) -> str:
    """The card of an exported model: parts, hashes, steps, data list, commit."""
    parts = []
    for file in sorted(model.rglob("*.safetensors")):
        with safe_open(file, framework="numpy") as tensors:
            count = sum(int(np.prod(tensors.get_slice(key).get_shape())) for key in tensors.keys())  # noqa: SIM118
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        parts.append(f"| {file.relative_to(model)} | {count:,} | `{digest}` |")
    stages = []
    card = model / "MODEL_CARD.md"
    before = {line.split("|")[1].strip(): line for line in lines(card) if line.startswith("| ")}
    for stage in ("coarse", "priors", "generator"):
        log = runs / stage / "log.jsonl"
        if not log.exists() and stage in before:
            stages.append(before[stage])
        if log.exists():
            last = json.loads(log.read_text().splitlines()[-1])
            figures = ", ".join(f"{key} {value}" for key, value in last.items() if key not in ("step", "skipped"))
            stages.append(f"| {stage} | {last['step']} | {figures} |")
    index = json.loads((runs / "pairs" / "index.json").read_text())
    clips = sorted({clip_name(entry["file"]) for entry in index})
    data = f"{len(clips)} clips and pictures, list sha256 `{hashlib.sha256(' '.join(clips).encode()).hexdigest()}`"
    return CARD.format(
        name=settings.get("name", model.name),
        kept=f"\nThe generator is the mean of this run and {settings['mean']}." if settings.get("mean") else "",
        parts="\n".join(parts),
        stages="\n".join(stages),
        data=data,
        commit=settings.get("commit") or current_commit(),
    )
