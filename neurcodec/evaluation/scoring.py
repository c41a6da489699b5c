"""Scores of a coded clip against its source; see METRICS for the names and docs/bench.md for the definitions.

All frames count for PSNR, flicker, VMAF and XPSNR. The slow metrics see samples, spaced by a number without the factors
2 and 3 so that no frame type of a usual pyramid is favoured: pairs of successive frames for LPIPS, tLP and the
EfficientNets, single frames for MS-SSIM, TAEF2 and SSIMULACRA2. ColorVideoVDP sees the middle of the clip.
"""

from __future__ import annotations

import tempfile
from collections import ChainMap
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure, peak_signal_noise_ratio

from neurcodec.errors import InputError
from neurcodec.evaluation import programs, tae
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.efficientnet import SMALLEST as SMALLEST_LITE
from neurcodec.evaluation.efficientnet import LiteFeatures
from neurcodec.evaluation.lpips import LPIPS
from neurcodec.evaluation.metrics import Distance, Networks
from neurcodec.evaluation.programs import DB_CAP, Raw

VERSION = 2
"""Part of every cache key: raise it when a definition changes."""
BATCH = 8
SAMPLES = 6
"""About how many frames (MS-SSIM) or pairs of successive frames (LPIPS, tLP, Lite) of a clip are looked at."""
TAE_SAMPLES = 3
"""And by TAEF2 and SSIMULACRA2."""
CVVDP_FRAMES = 32
"""Successive frames in the middle of a clip that ColorVideoVDP sees: a whole pyramid of any of the encoders."""
SMALLEST_MS_SSIM = 176
"""Five scales of an 11-pixel window need as many pixels on both sides (11 * 2 ** 4)."""
OCCLUSION_LEVELS = 20.0
"""Where the warped source differs from the source by more than this, the flow is not trusted."""

Luma = NDArray[np.float32]
Scores = dict[str, float | None]


def sampled(count: int, wanted: int) -> list[int]:
    """About `wanted` indexes below `count`, from 0, spaced by a number that has neither 2 nor 3 as factor."""
    step = max(1, count // wanted)
    while step > 1 and (step % 2 == 0 or step % 3 == 0):
        step += 1
    return list(range(0, count, step))


def to_tensor(frames: Frames) -> Tensor:
    """uint8 (T, H, W, 3) to float32 (T, 3, H, W) in 0..1, channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float().div_(255)


def psnr(source: Frames, frames: Frames) -> float:
    """Mean over frames of the PSNR of each, in dB, at most DB_CAP."""
    values = [
        peak_signal_noise_ratio(to_tensor(b), to_tensor(a), data_range=1.0, dim=(1, 2, 3), reduction="none")
        for a, b in zip(_batches(source), _batches(frames), strict=True)
    ]
    return float(torch.cat([value.reshape(-1) for value in values]).clamp_max(DB_CAP).mean())


def _batches(frames: Frames) -> list[Frames]:
    return [frames[start : start + BATCH] for start in range(0, len(frames), BATCH)]


def ms_ssim(source: Frames, frames: Frames) -> float | None:
    """Mean MS-SSIM over the sampled frames; None for pictures that are too small for five scales."""
    if min(source.shape[1:3]) < SMALLEST_MS_SSIM:
        return None
    values = [
        float(multiscale_structural_similarity_index_measure(to_tensor(b), to_tensor(a), data_range=1.0))
        for a, b in ((source[i : i + 1], frames[i : i + 1]) for i in sampled(len(source), SAMPLES))
    ]
    return sum(values) / len(values)


def perceptual(network: LPIPS, source: Frames, versions: list[Frames]) -> list[Scores]:
    """`lpips`, `lpips-shifted` and `tlp` of each version of the source, whose features are computed once for all.

    LPIPS is the mean over the frames of the sampled pairs, shifted that of the same frames without their first row and
    column; tLP the mean over pairs of the difference between the LPIPS of the pair's two frames in the version and in
    the source (0 for a single frame).
    """
    distances, shifted, changes = ([list[Tensor]() for _ in versions] for _ in range(3))
    for first in sampled(max(1, len(source) - 1), SAMPLES):
        pair = to_tensor(source[first : first + 2])
        own, moved = network.embed(pair), network.embed(pair[:, :, 1:, 1:])
        step = network.distance([m[:-1] for m in own], [m[1:] for m in own])
        for index, frames in enumerate(versions):
            pair = to_tensor(frames[first : first + 2])
            maps = network.embed(pair)
            distances[index].append(network.distance(own, maps))
            shifted[index].append(network.distance(moved, network.embed(pair[:, :, 1:, 1:])))
            changes[index].append((step - network.distance([m[:-1] for m in maps], [m[1:] for m in maps])).abs())
    columns = ([_mean(values) for values in lists] for lists in (distances, shifted, changes))
    return [dict(zip(("lpips", "lpips-shifted", "tlp"), row, strict=True)) for row in zip(*columns, strict=True)]


def lite(network: LiteFeatures, source: Frames, versions: list[Frames]) -> list[float | None]:
    """Distance of each version in a network's features, over the sampled pairs' frames; None for small pictures."""
    if min(source.shape[1:3]) < SMALLEST_LITE:
        return [None for _ in versions]
    distances: list[list[Tensor]] = [[] for _ in versions]
    for first in sampled(max(1, len(source) - 1), SAMPLES):
        own = network.embed(to_tensor(source[first : first + 2]))
        for found, frames in zip(distances, versions, strict=True):
            found.append(network.distance(own, network.embed(to_tensor(frames[first : first + 2]))))
    return [_mean(found) for found in distances]


def middle(count: int, wanted: int) -> slice:
    """`wanted` successive indexes in the middle of `count`, or all."""
    start = max(0, (count - wanted) // 2)
    return slice(start, start + wanted)


def mean_distance(distance: Distance, source: Frames, frames: Frames) -> float:
    """Mean of a distance over the frames of the sampled pairs."""
    firsts = sampled(max(1, len(source) - 1), SAMPLES)
    pairs = ((to_tensor(source[i : i + 2]), to_tensor(frames[i : i + 2])) for i in firsts)
    return _mean([distance(*pair).reshape(-1) for pair in pairs])


def _mean(values: list[Tensor]) -> float:
    joined = torch.cat(values)
    return float(joined.mean()) if len(joined) else 0.0


class Motion:
    """Optical flow of a clip from each frame to the one before it, and the flicker of a coding error along it."""

    def __init__(self, source: Frames) -> None:
        self.luma = [_luma(frame) for frame in source]
        finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        height = len(self.luma[0])
        low = ((0, max(0, 32 - height)), (0, 0))  # OpenCV's flow crashes on wide pictures of fewer rows
        grey = [np.pad(luma.astype(np.uint8), low, mode="edge") for luma in self.luma]
        start = np.zeros((*grey[0].shape, 2), np.float32)
        self.flows = [
            np.asarray(finder.calc(now, before, start.copy())[:height], dtype=np.float16)
            for before, now in pairwise(grey)
        ]

    def flicker(self, frames: Frames) -> float:
        """Mean absolute change of the luma error (0..255) from a frame to the next, followed along the motion."""
        errors = [_luma(frame) - luma for frame, luma in zip(frames, self.luma, strict=True)]
        values = []
        for index, flow in enumerate(self.flows):
            seen = np.abs(self.luma[index + 1] - _warp(self.luma[index], flow)) < OCCLUSION_LEVELS
            change = np.abs(errors[index + 1] - _warp(errors[index], flow))
            values.append(float(change[seen].mean()) if seen.any() else 0.0)
        return sum(values) / len(values) if values else 0.0


def _luma(frame: Frames) -> Luma:
    weights = np.array([[0.2126, 0.7152, 0.0722]], dtype=np.float32)
    return np.asarray(cv2.transform(frame.astype(np.float32), weights), dtype=np.float32)


def _warp(picture: Luma, flow: NDArray[np.float16]) -> Luma:
    height, width = picture.shape
    x = np.arange(width, dtype=np.float32)[None] + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


class ClipScorer:
    """Scores coded versions of one clip; what depends on the source alone is computed once. Threads may share it."""

    def __init__(self, clip: Clip, networks: Networks) -> None:
        self.clip = clip
        self.networks = networks
        self._lock = Lock()

    @cached_property
    def _motion(self) -> Motion:
        return Motion(self.clip.frames)

    @cached_property
    def _latents(self) -> Tensor:
        return self._encode(self.clip.frames)

    def _encode(self, frames: Frames) -> Tensor:
        assert self.networks.encoder is not None
        return self.networks.encoder.latents(to_tensor(frames[sampled(len(frames), TAE_SAMPLES)]))

    @torch.inference_mode()
    def score(self, versions: list[Frames]) -> list[Scores]:
        """All available metrics of each version, uint8 like the clip's; InputError when number or size differ."""
        for frames in versions:
            if frames.shape != self.clip.frames.shape:
                raise InputError(f"{self.clip.name}: decoded to {frames.shape}, the source is {self.clip.frames.shape}")
        if not versions:
            return []
        columns = [[self._score_one(frames) for frames in versions], self._by_programs(versions)]
        if self.networks.lpips is not None:
            columns.append(perceptual(self.networks.lpips, self.clip.frames, versions))
        for name, network in self.networks.lite.items():
            columns.append([{name: value} for value in lite(network, self.clip.frames, versions)])
        scores = [dict(ChainMap(*parts)) for parts in zip(*columns, strict=True)]
        return [{name: score[name] for name in self.networks.metrics} for score in scores]

    def _score_one(self, frames: Frames) -> Scores:
        source, wanted = self.clip.frames, self.networks.metrics
        scores: Scores = {}
        if "psnr" in wanted:
            scores["psnr"] = psnr(source, frames)
        if "ms-ssim" in wanted:
            scores["ms-ssim"] = ms_ssim(source, frames)
        for name, distance in self.networks.extra.items():
            scores[name] = mean_distance(distance, source, frames)
        if "flicker" in wanted:
            with self._lock:
                motion = self._motion
            scores["flicker"] = motion.flicker(frames)
        if self.networks.encoder is not None:
            with self._lock:
                latents = self._latents
            other = self._encode(frames)
            scores["tae"], scores["tae-fd"] = tae.paired(latents, other), tae.frechet(latents, other)
        return scores

    def _by_programs(self, versions: list[Frames]) -> list[Scores]:
        """What programs compute of each version; they read files, which are gone afterwards."""
        networks, source = self.networks, self.clip.frames
        scores: list[Scores] = [{} for _ in versions]
        with tempfile.TemporaryDirectory(prefix="ncodec-judges-") as name:
            folder = Path(name)
            if networks.wants("ffmpeg"):
                for score, (own, other) in zip(scores, self._raw(folder, versions, slice(None), "420"), strict=True):
                    score |= programs.vmaf(networks.programs["ffmpeg"], own, other)
                    score["xpsnr"] = programs.xpsnr(networks.programs["ffmpeg"], own, other)
            if networks.wants("cvvdp"):
                pairs = self._raw(folder, versions, middle(len(source), CVVDP_FRAMES), "444")
                found = programs.cvvdp(networks.programs["cvvdp"], pairs[0][0], [other for _, other in pairs])
                for score, value in zip(scores, found, strict=True):
                    score["cvvdp"] = value
            if networks.wants("ssimulacra2"):
                for score, frames in zip(scores, versions, strict=True):
                    looked = ((source[i], frames[i]) for i in sampled(len(source), TAE_SAMPLES))
                    score["ssimulacra2"] = programs.ssimulacra2(networks.programs["ssimulacra2"], folder, looked)
        return scores

    def _raw(self, folder: Path, versions: list[Frames], part: slice, layout: str) -> list[tuple[Raw, Raw]]:
        """Raw files of these frames of the source, and of each version."""
        rate = self.clip.rate
        own = Raw.write(folder, "source", self.clip.frames[part], rate, layout)
        return [(own, Raw.write(folder, f"v{i}", frames[part], rate, layout)) for i, frames in enumerate(versions)]
