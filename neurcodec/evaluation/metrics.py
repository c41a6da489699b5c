"""The metrics on RGB frames: what they are called, which way is better, and where their networks come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from torch import Tensor
from torchmetrics.functional.image.dists import DISTSNetwork
from torchmetrics.functional.image.lpips import _NoTrainLpips

from neurcodec.errors import ModelError, NcodecError
from neurcodec.evaluation.lpips import FEATURES_FILE, LPIPS
from neurcodec.evaluation.tae import ENCODER_FILE, Encoder

PSNR_CAP = 100.0
"""PSNR of equal pictures, in dB."""


@dataclass(frozen=True)
class Metric:
    """How a metric is shown; `higher`: more is better; `perfect`: its value for equal frames."""

    title: str
    unit: str
    higher: bool
    perfect: float


METRICS = {
    "psnr": Metric("PSNR", "dB", True, PSNR_CAP),
    "ms-ssim": Metric("MS-SSIM", "", True, 1.0),
    "lpips": Metric("LPIPS (squeeze)", "", False, 0.0),
    "lpips-shifted": Metric("LPIPS (squeeze), shifted by one sample", "", False, 0.0),
    "tlp": Metric("tLP, change of successive-frame LPIPS", "", False, 0.0),
    "flicker": Metric("flicker, change of the error along motion", "levels", False, 0.0),
    "tae": Metric("TAEF2 latent distance", "", False, 0.0),
    "tae-fd": Metric("TAEF2 Frechet distance", "", False, 0.0),
    "lpips-alex": Metric("LPIPS (alex)", "", False, 0.0),
    "lpips-vgg": Metric("LPIPS (vgg)", "", False, 0.0),
    "dists": Metric("DISTS", "", False, 0.0),
}
EXTRA = ("lpips-alex", "lpips-vgg", "dists")
"""Measured on request only, by torchmetrics: they need torchvision and its ImageNet weights."""
DEFAULT = tuple(name for name in METRICS if name not in EXTRA)
NEEDS = {"lpips": "lpips", "lpips-shifted": "lpips", "tlp": "lpips", "tae": "tae", "tae-fd": "tae"}
"""The network that a metric needs."""
Distance = Callable[[Tensor, Tensor], Tensor]
"""Distance of two batches of pictures (N, 3, H, W) in 0..1, one number for each."""


@dataclass
class Networks:
    """The networks that were found, the metrics that can be computed with them, and why others cannot."""

    metrics: list[str]
    lpips: LPIPS | None = None
    encoder: Encoder | None = None
    extra: dict[str, Distance] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


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
    """The networks for these metrics; what cannot be loaded is told in `missing`; NcodecError for an unknown name."""
    for name in names:
        if name not in METRICS:
            raise NcodecError(f"unknown metric '{name}'; known are {', '.join(METRICS)}")
    networks, failures = Networks([]), dict[str, str]()
    for need in sorted({NEEDS[name] for name in names if name in NEEDS}):
        try:
            if need == "lpips":
                networks.lpips = LPIPS.load(locate(weights, FEATURES_FILE))
            else:
                networks.encoder = Encoder.load(locate(weights, ENCODER_FILE))
        except ModelError as error:
            failures[need] = str(error)
    networks.missing = {name: failures[NEEDS[name]] for name in names if NEEDS.get(name) in failures}
    for name in (name for name in EXTRA if name in names):
        try:
            networks.extra[name] = load_extra(name)
        except ModelError as error:
            networks.missing[name] = str(error)
    networks.metrics = [name for name in METRICS if name in names and name not in networks.missing]
    return networks


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
