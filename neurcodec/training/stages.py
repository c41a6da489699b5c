"""The stages of `ncodec train` by name: each reads what the ones before it left in the runs folder.

runs/pairs      sources and AV1 bases          (stage pairs)
runs/coarse     in-loop codec                  (stage coarse)
runs/priors     the two priors                (stage priors)
runs/native     native pairs                   (stage native)
runs/captions.json  what the clips show        (stage captions, optional)
runs/generator  the generator                  (stage generator)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn

from neurcodec.coarse.model import CoarseCodec
from neurcodec.codec.device import choose
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import InputError
from neurcodec.extensions.branches import FEATURES, TOKENS
from neurcodec.generator.model import Generator
from neurcodec.training import captions, coarse, generator, native, pairs, priors
from neurcodec.training.export import entropy_model, latent_priors, model_card, write_model
from neurcodec.training.loop import Schedule, Trainer
from neurcodec.training.start import start_from

EXTENSIONS = [branch.NAME for branch in (*TOKENS, *FEATURES)]
BRANCHES: Mapping[str, Any] = {"texture": True, "texture_map": True, "extensions": EXTENSIONS}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a stage reads and writes, and what it runs on."""

    data: tuple[Path, ...]
    runs: Path
    weights: Path | None
    out: Path
    device: str
    threads: int


def configured(config: type[Any], settings: Mapping[str, str]) -> Any:
    """A stage's config with text settings put in; InputError for an unknown name or a wrong value."""
    types: dict[str, type[Any]] = {field.name: type(field.default) for field in dataclasses.fields(config)}
    values = {}
    for name, text in settings.items():
        if name not in types:
            raise InputError(f"--config {name}: unknown; this stage has {', '.join(types)}")
        try:
            values[name] = types[name](text)
        except ValueError as error:
            raise InputError(f"--config {name}={text}: not a {types[name].__name__}") from error
    return config(**values)


def load_run(model: nn.Module, folder: Path) -> int:
    """Put a run's averaged weights into a model; returns its steps, InputError when there is no run."""
    trainer = Trainer(model, folder, Schedule(1, 1e-4))
    if not trainer.resume():
        raise InputError(f"{folder}: no checkpoint; run the stage that writes it first")
    trainer.load_ema()
    return trainer.step


def trained_codec(runs: Path) -> tuple[CoarseCodec, nn.ModuleDict, EntropyModel]:
    """The codec of stage coarse, the priors (fresh unless stage priors ran), and their integers."""
    codec = CoarseCodec()
    load_run(codec, runs / "coarse")
    hidden = priors.PriorsConfig().hidden
    every = latent_priors(len(codec.intra.basis), hidden)
    if (runs / "priors" / "checkpoint.json").exists():
        load_run(every, runs / "priors")
    rounded_to_bfloat16(codec)
    return codec.eval(), every, entropy_model(dict(every.items()), coarse.CLASS_CHANNELS)  # type: ignore[arg-type]


def rounded_to_bfloat16(model: nn.Module) -> None:
    """Round the weights as export does, so that later stages see the codec that is shipped."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16().float())


def run_pairs(place: Place, settings: Mapping[str, str]) -> None:
    """Stage pairs."""
    if not place.data:
        raise InputError("stage pairs needs --data FOLDER")
    pairs.prepare(place.data, place.runs, configured(pairs.PairsConfig, settings), jobs=place.threads)


def run_coarse(place: Place, settings: Mapping[str, str]) -> None:
    """Stage coarse."""
    config = configured(coarse.CoarseConfig, settings)
    torch.manual_seed(config.seed)
    codec = CoarseCodec().to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    coarse.train(codec, [place.runs / "pairs"], place.runs / "coarse", config)


def run_priors(place: Place, settings: Mapping[str, str]) -> None:
    """Stage priors."""
    config = configured(priors.PriorsConfig, settings)
    torch.manual_seed(config.seed)
    codec, nets, entropy = trained_codec(place.runs)
    priors.train(nets, codec, entropy, [place.runs / "pairs"], place.runs / "priors", config)


def run_native(place: Place, settings: Mapping[str, str]) -> None:
    """Stage native."""
    config = configured(native.NativeConfig, settings)
    codec, _, entropy = trained_codec(place.runs)
    pairs_of, out = place.runs / "pairs", place.runs / "native"
    native.make_native_pairs(codec.to(place.device), entropy.class_channels, pairs_of, out, config)


def run_captions(place: Place, settings: Mapping[str, str]) -> None:
    """Stage captions."""
    if not place.data:
        raise InputError("stage captions needs --data FOLDER, with SOURCES.md beside it")
    captions.write_captions(place.data, place.runs / "captions.json")


def run_generator(place: Place, settings: Mapping[str, str]) -> None:
    """Stage generator: on base pairs, and native pairs when stage native ran."""
    if place.weights is None:
        raise InputError("stage generator needs --weights FOLDER (with lpips/ and priors/ in it)")
    config = configured(generator.GeneratorConfig, settings)
    torch.manual_seed(config.seed)
    model = Generator(**BRANCHES)
    if config.prior:
        start_from(model, place.weights / "priors" / f"{config.prior}.safetensors")
    model = model.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shares = {place.runs / "pairs": 1 - config.native, place.runs / "native": config.native}
    folders = {folder: share for folder, share in shares.items() if share and (folder / "index.json").exists()}
    generator.train(model, folders, place.weights, place.runs / "generator", config)


def load_mean(model: nn.Module, folders: Sequence[Path]) -> None:
    """Put the mean of several runs' averaged weights into a model; what a run does not have is as in the first."""
    states: list[dict[str, torch.Tensor]] = []
    for folder in folders:
        if states:
            model.load_state_dict(states[0])
        load_run(model, folder)
        states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    model.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]})


def run_export(place: Place, settings: Mapping[str, str]) -> None:
    """Stage export: the averaged weights of the runs that there are, as a model folder with its card.

    Without a run of stage coarse the folder's own codec and priors stay as they are. Setting `mean`: folders with kept
    checkpoints of stage generator, separated by commas, that its weights are averaged with in equal parts
    (docs/decisions/0020-mean-of-checkpoints.md). Settings `name` and `commit` are for the card.
    """
    codec, _, entropy = trained_codec(place.runs) if (place.runs / "coarse").is_dir() else (None, None, None)
    if codec is None and not (place.out / "entropy.safetensors").is_file():
        raise InputError(f"{place.out}: no model whose generator could be replaced, and no run of stage coarse")
    model = Generator(**BRANCHES)
    kept = [Path(name) for name in settings.get("mean", "").split(",") if name]
    load_mean(model, [place.runs / "generator", *kept])
    write_model(place.out, codec, model, entropy)
    (place.out / "MODEL_CARD.md").write_text(model_card(place.runs, place.out, settings))


STAGES: dict[str, Callable[[Place, Mapping[str, str]], Any]] = {
    "pairs": run_pairs,
    "coarse": run_coarse,
    "priors": run_priors,
    "native": run_native,
    "captions": run_captions,
    "generator": run_generator,
    "export": run_export,
}


def run(stage: str, place: Place, settings: Mapping[str, str]) -> None:
    """Run a stage; settings are texts for the stage's config."""
    if settings and stage == "captions":
        raise InputError(f"--config: stage {stage} has no settings")
    choose(place.device)
    torch.set_num_threads(place.threads)
    cv2.setNumThreads(place.threads)
    STAGES[stage](place, settings)
