"""What the generator makes of bases of sources that nothing is trained on: where overfitting shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurcodec.analysis.laplacian import detail, texture_index, texture_map
from neurcodec.coarse.codec import CoarseFrame
from neurcodec.codec.layered import base_frames, measured_gap, restored
from neurcodec.container import BaseLayer
from neurcodec.entropy.conditioning import Conditioning
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import GROUP
from neurcodec.training.losses import Jury
from neurcodec.training.pairs import CRFS, read_index
from neurcodec.training.sampler import to_tensor


class HeldOut:
    """Measures a generator on the held-out pairs of stage pairs: groups of frames, as the decoder restores them."""

    def __init__(self, folder: Path, jury: Jury, bases: int) -> None:
        """bases: how many of each scale are looked at."""
        self.folder, self.jury = folder, jury
        self.chosen: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for scale in CRFS:
            here = [(entry, base) for entry in read_index(folder) for base in entry["bases"] if base["scale"] == scale]
            self.chosen += sorted(here, key=lambda pair: str(pair[1]["file"]))[:: max(1, len(here) // bases)][:bases]
        self.of_base: dict[str, dict[str, float]] = {}

    def measure(self, generator: Generator) -> Mapping[str, float]:
        """For each scale the mean logarithm of restored to base: LPIPS, Lite0, squared error, its change in time."""
        sums: dict[str, list[float]] = {}
        for entry, base in self.chosen:
            file = base["file"]
            source, shown, painted = self.group(generator, entry, base)
            if file not in self.of_base:
                self.of_base[file] = self.errors(shown, source)
            for name, value in self.errors(painted, source).items():
                key = f"{name}_{base['scale']}"
                sums.setdefault(key, []).append(math.log((value + 1e-6) / (self.of_base[file][name] + 1e-6)))
        return {key: round(sum(values) / len(values), 4) for key, values in sorted(sums.items())}

    def group(self, generator: Generator, entry: dict[str, Any], base: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """Source, base and restored picture of a group of frames in the middle: (GROUP, 3, H, W) each, in 0..1."""
        size = entry["height"], entry["width"]
        start = max(0, entry["frames"] - GROUP) // 2
        part = slice(start, start + GROUP)
        source = np.array(np.load(self.folder / entry["file"], mmap_mode="r")[part])
        coded = np.array(np.load(self.folder / base["file"], mmap_mode="r")[part])
        device = next(generator.parameters()).device
        frames: list[CoarseFrame] = list(base_frames(coded, *size, generator.config.feature_channels, device))
        gap = texture_map(measured_gap(source, lambda _: frames))
        told = Conditioning(texture_index(detail(source, 1)), texture_gap=gap)
        pictures = restored(generator, frames, BaseLayer(base["scale"], base["crf"]), size, told)
        painted = to_tensor(np.stack(list(pictures)), device)
        shown = torch.cat([frame.picture for frame in frames])[:, :, : size[0], : size[1]]
        return to_tensor(source, device), shown, painted

    @torch.inference_mode()
    def errors(self, shown: Tensor, source: Tensor) -> dict[str, float]:
        """How far pictures are from their source."""
        with torch.autocast(shown.device.type, torch.bfloat16):
            middle = slice(len(shown) // 2, len(shown) // 2 + 1)
            lpips, lite = self.jury.distances(self.jury.embed(shown[middle]), self.jury.embed(source[middle]))
        error = shown - source
        return {
            "lpips": float(lpips.mean()),
            "lite": float(lite.mean()),
            "mse": float(error.square().mean()),
            "flicker": float(error.diff(dim=0).square().mean()),
        }
