"""Batches for stage `generator`: random crops of sources beside what a codec made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.analysis.laplacian import cell_levels, detail, texture_index, texture_map
from neurcodec.coarse.codec import CoarseFrame
from neurcodec.codec.layered import measured_gap
from neurcodec.container import FrameType
from neurcodec.entropy.conditioning import Conditioning
from neurcodec.generator.condition import Condition, FrameKind
from neurcodec.generator.restore import GROUP, spread
from neurcodec.training.captions import Extensions
from neurcodec.training.pairs import read_index

Frames = NDArray[np.uint8]

TEXTURE_ERROR = 4
"""The texture index a clip is trained with is off by up to so much, so that it is a hint and no order."""
GAP_ERROR = 1
"""And a texture gap in every cell: what moves is not where the mean over a chunk has it."""
SHARES = {1: 0.3, 2: 0.35, 3: 0.2, 4: 0.15}
"""Of the draws from base pairs, by the base's scale."""
LOOK_EVERY = 200
"""After so many batches the sampler looks for new pairs, which stage pairs may be making."""


@dataclass(frozen=True, slots=True)
class Batch:
    """N = clips * frames pictures (N, 3, size, size) in 0..1, or as they were drawn, uint8, and what the decoder knows.

    features: the codec's feature buffer (N, C, size/8, size/8), zero for base frames. motion: (N, 2, size, size), where
    each pixel of the source was in the frame before (x, y, in pixels from its place); zero for the first frame of a
    clip.
    """

    source: Tensor
    coarse: Tensor
    features: Tensor
    motion: Tensor
    condition: Condition

    def each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with all its tensors changed."""
        source, coarse, features, motion = map(change, (self.source, self.coarse, self.features, self.motion))
        known = self.condition
        texture, levels = (None if part is None else change(part) for part in (known.texture, known.texture_map))
        told = {name: change(part) for name, part in known.extensions.items()}
        condition = Condition(change(known.kind), change(known.quality), change(known.scale), texture, levels, told)
        return Batch(source, coarse, features, motion, condition)

    def pin_memory(self) -> Batch:
        """The batch in memory that a card can read while the host does something else."""
        return self.each(Tensor.pin_memory)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device, its pictures float32 in 0..1 and channels-last."""
        there = self.each(lambda part: part.to(device, non_blocking=True))
        return replace(there, source=unit(there.source), coarse=unit(there.coarse))


class Pick(NamedTuple):
    """A base that can be drawn: its folder, source and entry."""

    folder: Path
    entry: dict[str, Any]
    base: dict[str, Any]


class Clip(NamedTuple):
    """A crop of T frames of a clip.

    source, coarse: uint8 (T, size, size, 3). features: (T, C, size/8, size/8). motion: (T, 2, size, size).
    known: (kind, quality, scale) of each frame. levels: of the texture map, spread, (T, 1, size/8, size/8). told: as of
    `captions.Extensions.draw`.
    """

    source: Frames
    coarse: Frames
    features: NDArray[np.float32]
    motion: NDArray[np.float32]
    known: list[tuple[int, float, float]]
    texture: int
    levels: Tensor
    told: dict[str, Tensor]


class PairSampler:
    """Random aligned crops of base pairs (`training.pairs`) and native pairs (`training.native`), mirrored and turned.

    folders: each with its share of the draws; in it, bases are drawn by the SHARES of their scales.
    """

    def __init__(
        self, folders: Mapping[Path, float], feature_channels: int, extensions: Extensions, textures: float, seed: int
    ) -> None:
        self.seed, self.random = seed, np.random.default_rng(seed)
        self.folders, self.feature_channels = folders, feature_channels
        self.extensions, self.textures = extensions, textures
        self.known_textures: dict[Path, int] = {}
        self.picks: list[Pick] = []
        self.weights = np.zeros(0)
        self.drawn = 0

    def look(self) -> None:
        """Find what can be drawn."""
        self.picks, weights = [], []
        for folder, part in self.folders.items():
            picks = [Pick(folder, entry, base) for entry in read_index(folder) for base in entry["bases"]]
            counts = {scale: sum(pick.base["scale"] == scale for pick in picks) for scale in SHARES}
            share = np.array([SHARES[pick.base["scale"]] / counts[pick.base["scale"]] for pick in picks])
            self.picks += picks
            weights.append(part * share / max(1e-9, share.sum()))
        joined = np.concatenate(weights)
        self.weights = joined / joined.sum()

    def batch(self, clips: int, frames: int, size: int, device: torch.device) -> Batch:
        """Draw a batch onto a device; a clip shorter than `frames` is held on its last frame."""
        return self.draw(clips, frames, size).to(device)

    def draw(self, clips: int, frames: int, size: int) -> Batch:
        """Draw a batch in the host's memory, its pictures as uint8."""
        if self.drawn % LOOK_EVERY == 0:
            self.look()
        self.drawn += 1
        picks = self.random.choice(len(self.picks), clips, p=self.weights)
        drawn = [self.clip(self.picks[int(pick)], frames, size) for pick in picks]
        flips = self.random.integers(2, size=clips).tolist()
        turns = (self.random.integers(4, size=clips) * self.random.integers(2, size=clips)).tolist()

        def turned(parts: Iterable[Tensor]) -> Tensor:
            """Parts (T, C, h, w), one a clip, mirrored and turned as their clips: (N, C, h, w)."""
            mirrored = [part.flip(3) if flip else part for part, flip in zip(parts, flips, strict=True)]
            return torch.cat([torch.rot90(part, turn, (2, 3)) for part, turn in zip(mirrored, turns, strict=True)])

        def pictures(parts: Iterable[Frames]) -> Tensor:
            return turned(torch.from_numpy(part).permute(0, 3, 1, 2) for part in parts)

        def joined(parts: list[Tensor]) -> Tensor:
            """Maps turned with their clips; what is no map just joined."""
            return turned(parts) if parts[0].dim() == 4 else torch.cat(parts)

        known = [frame for clip in drawn for frame in clip.known]
        kinds, quality, scale = (torch.tensor(column) for column in zip(*known, strict=True))
        textures = torch.tensor([clip.texture for clip in drawn], dtype=torch.float32)
        motions = [turned_motion(*one) for one in zip((clip.motion for clip in drawn), flips, turns, strict=True)]
        return Batch(
            pictures(clip.source for clip in drawn),
            pictures(clip.coarse for clip in drawn),
            turned(torch.from_numpy(clip.features) for clip in drawn),
            torch.cat(motions),
            Condition(
                kinds,
                quality.float(),
                scale.float(),
                textures.repeat_interleave(frames),
                turned(clip.levels for clip in drawn),
                {name: joined([clip.told[name] for clip in drawn]) for name in drawn[0].told},
            ),
        )

    def clip(self, pick: Pick, frames: int, size: int) -> Clip:
        """A crop of the clip of a base."""
        folder, entry, base = pick
        start = int(self.random.integers(max(1, entry["frames"] - frames + 1)))
        numbers = [min(start + i, entry["frames"] - 1) for i in range(frames)]
        top, left = (int(self.random.integers((entry[edge] - size) // 16 + 1)) * 16 for edge in ("height", "width"))
        at = (slice(top, top + size), slice(left, left + size))
        whole = np.load(folder / entry["file"], mmap_mode="r")
        degraded = np.load(folder / base["file"], mmap_mode="r")
        source = np.stack([whole[number][at] for number in numbers])
        coarse = np.stack([upscaled(degraded[number], entry["height"], entry["width"])[at] for number in numbers])
        texture, levels = 0, torch.zeros(frames, 1, size // 8, size // 8)
        if self.random.random() < self.textures:
            texture = self.texture(folder / entry["file"])
            levels = self.levels(source, coarse, "features" not in base)
        kinds = base.get("kinds") or [FrameKind.BASE] * entry["frames"]
        quality = base.get("quality", 63 - base.get("crf", 0))
        return Clip(
            source,
            coarse,
            self.features(folder, base, numbers, top, left, size),
            source_motion(source),
            [(kinds[number], quality, base["scale"]) for number in numbers],
            texture,
            levels,
            self.extensions.draw(self.random, entry["file"], source),
        )

    def texture(self, file: Path) -> int:
        """The texture index of a source, moved by an error."""
        if file not in self.known_textures:
            self.known_textures[file] = texture_index(detail(np.load(file, mmap_mode="r")))
        error = self.random.integers(-TEXTURE_ERROR, TEXTURE_ERROR + 1)
        return int(np.clip(self.known_textures[file] + error, 1, 63))

    def levels(self, source: Frames, coarse: Frames, gap: bool) -> Tensor:
        """What the decoder makes of the texture map of a source (T, h, w, 3), or of its gap, which is off by up to
        GAP_ERROR in every cell: (T, 1, h/8, w/8)."""
        empty = torch.zeros(0)
        group = [CoarseFrame(FrameType.I, picture[None], empty) for picture in to_tensor(coarse, torch.device("cpu"))]
        size = source.shape[1:3]
        if gap:
            missed = measured_gap(source, lambda start: group[start : start + GROUP])
            error = self.random.integers(-GAP_ERROR, GAP_ERROR + 1, missed.shape)
            told = Conditioning(texture_gap=texture_map(missed + error))
        else:
            told = Conditioning(texture_map=texture_map(cell_levels(detail(source, 1))))
        levels = spread(told, group, *size)
        assert levels is not None
        return levels

    def features(
        self, folder: Path, base: dict[str, Any], numbers: list[int], top: int, left: int, size: int
    ) -> NDArray[np.float32]:
        """The feature buffers (T, C, size/8, size/8) of frames under a crop; zeros for a base."""
        cells = size // 8
        if "features" not in base:
            return np.zeros((len(numbers), self.feature_channels, cells, cells), np.float32)
        stored = np.load(folder / base["features"], mmap_mode="r")
        under = (slice(top // 8, top // 8 + cells), slice(left // 8, left // 8 + cells))
        return np.stack([stored[number][:, *under] for number in numbers]).astype(np.float32)


def source_motion(source: Frames) -> NDArray[np.float32]:
    """Where each pixel of frames (T, H, W, 3) was in the frame before, by DIS optical flow: (T, 2, H, W), first
    zero."""
    motion = np.zeros((len(source), 2, *source.shape[1:3]), np.float32)
    if len(source) > 1:
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        luma = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in source]
        for number, (before, now) in enumerate(pairwise(luma), 1):
            motion[number] = search.calc(now, before, None).transpose(2, 0, 1)
    return motion


def turned_motion(motion: NDArray[np.float32], flip: int, turn: int) -> Tensor:
    """Motion (T, 2, H, W) of pictures that are mirrored and then turned by quarters, as `PairSampler.batch` does."""
    field = torch.from_numpy(motion)
    if flip:
        field = field.flip(3) * field.new_tensor([-1, 1])[:, None, None]
    field = torch.rot90(field, turn, (2, 3))
    x, y = field.unbind(1)
    for _ in range(turn):
        x, y = y, -x
    return torch.stack([x, y], 1)


def upscaled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """A base frame (h, w, 3) at its source's size; a larger coarse frame is left for the crop."""
    if frame.shape[0] >= height and frame.shape[1] >= width:
        return frame
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC))


def to_tensor(frames: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (N, H, W, 3) to channels-last float32 (N, 3, H, W) in 0..1."""
    return unit(torch.from_numpy(frames).to(device).permute(0, 3, 1, 2))


def unit(pictures: Tensor) -> Tensor:
    """Pictures of uint8 (N, 3, H, W) as channels-last float32 in 0..1."""
    return (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
