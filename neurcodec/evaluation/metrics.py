"""The metrics on RGB frames: what they are called, who may use them, and where their networks come from.

Each is a judge, that no loss of ours may ever contain, a loss, or a measure of fidelity (docs/bench.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

from torch import Tensor
from torchmetrics.functional.image.dists import DISTSNetwork
from torchmetrics.functional.image.lpips import _NoTrainLpips

from neurcodec.errors import DependencyError, ModelError, NcodecError
from neurcodec.evaluation.efficientnet import LiteFeatures
from neurcodec.evaluation.lpips import FEATURES_FILE, LPIPS
from neurcodec.evaluation.programs import DB_CAP, PROGRAMS, find
from neurcodec.evaluation.tae import ENCODER_FILE, Encoder


class Kind(StrEnum):
    """What a metric may be asked: a loss of ours contains it, none ever does (RULE), or it measures fidelity alone."""

    JUDGE = "judge"
    FIDELITY = "fidelity"
    LOSS = "loss"


@dataclass(frozen=True)
class Metric:
    """How a metric is shown; `higher`: more is better; `perfect`: its value for equal frames."""

    kind: Kind
    title: str
    unit: str
    higher: bool
    perfect: float


METRICS = {
    "vmaf-neg": Metric(Kind.JUDGE, "VMAF NEG", "", True, 100.0),
    "cvvdp": Metric(Kind.JUDGE, "ColorVideoVDP", "JOD", True, 10.0),
    "lite1": Metric(Kind.JUDGE, "EfficientNet-Lite1 distance", "", False, 0.0),
    "vmaf": Metric(Kind.JUDGE, "VMAF", "", True, 100.0),
    "tae": Metric(Kind.JUDGE, "TAEF2 latent distance", "", False, 0.0),
    "tae-fd": Metric(Kind.JUDGE, "TAEF2 Frechet distance", "", False, 0.0),
    "lpips-alex": Metric(Kind.JUDGE, "LPIPS (alex)", "", False, 0.0),
    "lpips-vgg": Metric(Kind.JUDGE, "LPIPS (vgg)", "", False, 0.0),
    "dists": Metric(Kind.JUDGE, "DISTS", "", False, 0.0),
    "ssimulacra2": Metric(Kind.FIDELITY, "SSIMULACRA2", "", True, 100.0),
    "xpsnr": Metric(Kind.FIDELITY, "XPSNR", "dB", True, DB_CAP),
    "ms-ssim": Metric(Kind.FIDELITY, "MS-SSIM", "", True, 1.0),
    "psnr": Metric(Kind.FIDELITY, "PSNR", "dB", True, DB_CAP),
    "flicker": Metric(Kind.FIDELITY, "flicker, change of the error along motion", "levels", False, 0.0),
    "lpips": Metric(Kind.LOSS, "LPIPS (squeeze)", "", False, 0.0),
    "lpips-shifted": Metric(Kind.LOSS, "LPIPS (squeeze), shifted by one sample", "", False, 0.0),
    "tlp": Metric(Kind.LOSS, "tLP, change of successive-frame LPIPS", "", False, 0.0),
    "lite0": Metric(Kind.LOSS, "EfficientNet-Lite0 distance", "", False, 0.0),
}
"""In the order of the tables: judges first."""
JURY = ("vmaf-neg", "cvvdp", "lite1")
"""The judges whose BD-rates' geometric mean decides (`compare.jury`)."""
EXTRA = ("lpips-alex", "lpips-vgg", "dists")
"""Measured on request only, by torchmetrics: they need torchvision and its ImageNet weights."""
DEFAULT = tuple(name for name in METRICS if name not in (*EXTRA, "lite0"))
NEEDS = {
    "lpips": ("lpips", "lpips-shifted", "tlp"),
    "tae": ("tae", "tae-fd"),
    "lite0": ("lite0",),
    "lite1": ("lite1",),
    "ffmpeg": ("vmaf-neg", "vmaf", "xpsnr"),
    "cvvdp": ("cvvdp",),
    "ssimulacra2": ("ssimulacra2",),
    **{name: (name,) for name in EXTRA},
}
"""A network or a program, and the metrics that need it."""
Distance = Callable[[Tensor, Tensor], Tensor]
"""Distance of two batches of pictures (N, 3, H, W) in 0..1, one number for each."""


@dataclass
class Networks:
    """The networks and programs that were found, the metrics that they give, and why others cannot be had."""

    metrics: list[str]
    lpips: LPIPS | None = None
    encoder: Encoder | None = None
    lite: dict[str, LiteFeatures] = field(default_factory=dict)
    extra: dict[str, Distance] = field(default_factory=dict)
    programs: dict[str, Path] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def wants(self, need: str) -> bool:
        """Whether a metric that needs this network or program is to be computed."""
        return any(name in self.metrics for name in NEEDS[need])


def default_weights() -> Path:
    """The folder of metric weights: $NEURCODEC_WEIGHTS, or ~/.cache/neurcodec/weights."""
    return Path(os.environ.get("NEURCODEC_WEIGHTS", "~/.cache/neurcodec/weights")).expanduser()


def locate(weights: Path, file: str) -> Path:
    """The folder that holds this weights file: `weights` or one directly in it; ModelError when none does."""
    for folder in (weights, *sorted(path for path in weights.glob("*") if path.is_dir())):
        if (folder / file).is_file():
            return folder
    raise ModelError(f"{file} is not in {weights} nor in a folder of it; give its folder with --weights DIR")


def load_networks(names: Sequence[str], weights: Path) -> Networks:
    """The networks and programs for these metrics; what cannot be had is told in `missing`.

    NcodecError for an unknown metric.
    """
    for name in names:
        if name not in METRICS:
            raise NcodecError(f"unknown metric '{name}'; known are {', '.join(METRICS)}")
    networks = Networks([])
    for need, wanted in NEEDS.items():
        asked = [name for name in wanted if name in names]
        if asked:
            try:
                _load(networks, need, weights)
            except (ModelError, DependencyError) as error:
                networks.missing |= {name: str(error) for name in asked}
    networks.metrics = [name for name in METRICS if name in names and name not in networks.missing]
    return networks


def _load(networks: Networks, need: str, weights: Path) -> None:
    """Put a network or program into its place; ModelError or DependencyError when it cannot be had."""
    if need == "lpips":
        networks.lpips = LPIPS.load(locate(weights, FEATURES_FILE))
    elif need == "tae":
        networks.encoder = Encoder.load(locate(weights, ENCODER_FILE))
    elif need in PROGRAMS:
        networks.programs[need] = find(need)
    elif need in EXTRA:
        networks.extra[need] = load_extra(need)
    else:
        networks.lite[need] = LiteFeatures.load(need)


def load_extra(name: str) -> Distance:
    """One of the EXTRA metrics; ModelError when torchvision or its weights cannot be had."""
    try:
        if name == "dists":
            network: Distance = DISTSNetwork().eval()
            return network
        return partial(_NoTrainLpips(net=name.removeprefix("lpips-")), normalize=True)
    except ModuleNotFoundError as error:
        raise ModelError(f"{name} needs torchvision, which is not installed") from error
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{name} needs torchvision's ImageNet weights, which cannot be loaded ({error})") from error
