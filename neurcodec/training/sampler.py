"""Batches for stage `generator`: random crops of clips beside what a codec made of them, changed in many ways."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.coarse.codec import CoarseFrame
from neurcodec.container import FrameType
from neurcodec.entropy.hints import Hints
from neurcodec.entropy.texture import NO_GAP
from neurcodec.generator.model import Condition, FrameKind
from neurcodec.generator.restore import coarse_levels, spread
from neurcodec.generator.text import tokenize
from neurcodec.pipeline.texture import cell_levels, detail, texture_index, texture_map
from neurcodec.training.captions import SideStreams

Frames = NDArray[np.uint8]

TEXTURE_ERROR = 4
"""The texture index a clip is trained with is off by up to so much, so that it is a hint and no order."""
GAP_ERROR = 1
"""And a texture gap in every cell: what moves is not where the mean over a chunk has it."""
UNCHANGED = 0.5
"""Share of the draws that stay as they are; the others are one `Change` each."""
SIDES = (2 / 3, 3 / 2)
"""A crop is taken so many times as large as it is used."""
BLURRED, BLUR = 0.3, (0.3, 2.0)
"""Share of the changes that blur, and the standard deviations of the blur in pixels."""
CONTRAST = (0.5, 1.25)
"""Factors of the contrast about the middle grey."""


@dataclass(frozen=True, slots=True)
class Batch:
    """N = clips * frames pictures (N, 3, size, size) in 0..1 and what the decoder knows about them.

    features: the codec's feature buffer (N, C, size/8, size/8), zero for base frames.
    """

    source: Tensor
    coarse: Tensor
    features: Tensor
    condition: Condition


@dataclass(frozen=True, slots=True)
class Change:
    """What the crops of a clip and of its base are both made into: training knows 408 clips and pictures by heart.

    side: of the crop in pixels, before it is resized. blur: standard deviation in pixels. contrast: about middle grey.
    """

    side: int
    blur: float = 0.0
    contrast: float = 1.0

    @staticmethod
    def draw(random: np.random.Generator, size: int, largest: int) -> Change:
        """A random change of crops that are used with `size` and may have a side of `largest` (multiples of 16)."""
        least, most = (round(size * part) // 16 for part in SIDES)
        side = int(random.integers(least, min(most, largest // 16) + 1)) * 16
        blur = random.uniform(*BLUR) if random.random() < BLURRED else 0.0
        return Change(side, blur, random.uniform(*CONTRAST))

    def apply(self, frames: Frames, size: int) -> Frames:
        """Frames (T, side, side, 3) changed: (T, size, size, 3)."""
        return np.stack([self.frame(frame, size) for frame in frames])

    def frame(self, frame: Frames, size: int) -> Frames:
        """One frame of `apply`."""
        if self.side != size:
            way = cv2.INTER_AREA if self.side > size else cv2.INTER_CUBIC
            frame = np.asarray(cv2.resize(frame, (size, size), interpolation=way), np.uint8)
        if self.blur:
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), self.blur), np.uint8)
        if self.contrast != 1:
            frame = np.clip(np.rint((frame - np.float32(127.5)) * self.contrast + 127.5), 0, 255).astype(np.uint8)
        return frame


class Clip(NamedTuple):
    """A crop of T frames of a clip.

    source, coarse: uint8 (T, size, size, 3). features: (T, C, size/8, size/8). known: (kind, quality, scale) of each
    frame. sketch, levels (of the texture map, spread): (T, 1, size/8, size/8).
    """

    source: Frames
    coarse: Frames
    features: NDArray[np.float32]
    known: list[tuple[int, float, float]]
    caption: str
    sketch: Tensor
    texture: int
    levels: Tensor


class PairSampler:
    """Random aligned crops of base pairs (`training.pairs`) and native pairs (`training.native`), mirrored and turned.

    folders: each with its share of the draws; in it, clips are drawn by their number of frames up to 12. Base pairs are
    also made larger or smaller, softer, and of another contrast (`Change`).
    """

    def __init__(
        self, folders: Mapping[Path, float], feature_channels: int, side: SideStreams, textures: float, seed: int
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.feature_channels, self.side, self.textures = feature_channels, side, textures
        self.known_textures: dict[Path, int] = {}
        self.entries: list[tuple[Path, dict[str, Any]]] = []
        weights = []
        for folder, part in folders.items():
            entries = [entry for entry in json.loads((folder / "index.json").read_text()) if entry["bases"]]
            self.entries += [(folder, entry) for entry in entries]
            share = np.array([min(entry["frames"], 12) for entry in entries], dtype=np.float64)
            weights.append(share * part / share.sum())
        joined = np.concatenate(weights)
        self.weights = joined / joined.sum()

    def batch(self, clips: int, frames: int, size: int, device: torch.device) -> Batch:
        """Draw a batch; a clip shorter than `frames` is held on its last frame."""
        picks = self.random.choice(len(self.entries), clips, p=self.weights)
        drawn = [self.clip(*self.entries[int(pick)], frames, size) for pick in picks]
        flips = self.random.integers(2, size=clips).tolist()
        turns = (self.random.integers(4, size=clips) * self.random.integers(2, size=clips)).tolist()

        def turned(parts: Iterable[Tensor]) -> Tensor:
            """Parts (T, C, h, w), one a clip, mirrored and turned as their clips: (N, C, h, w)."""
            mirrored = [part.flip(3) if flip else part for part, flip in zip(parts, flips, strict=True)]
            return torch.cat([torch.rot90(part, turn, (2, 3)) for part, turn in zip(mirrored, turns, strict=True)])

        def pictures(parts: Iterable[Frames]) -> Tensor:
            return turned(to_tensor(part, device) for part in parts).contiguous(memory_format=torch.channels_last)

        known = [frame for clip in drawn for frame in clip.known]
        kinds, quality, scale = (torch.tensor(column, device=device) for column in zip(*known, strict=True))
        textures = torch.tensor([clip.texture for clip in drawn], dtype=torch.float32, device=device)
        return Batch(
            pictures(clip.source for clip in drawn),
            pictures(clip.coarse for clip in drawn),
            turned(torch.from_numpy(clip.features).to(device) for clip in drawn),
            Condition(
                kinds,
                quality.float(),
                scale.float(),
                tokenize([clip.caption for clip in drawn]).to(device),
                turned(clip.sketch.to(device) for clip in drawn),
                textures.repeat_interleave(frames),
                turned(clip.levels.to(device) for clip in drawn),
            ),
        )

    def clip(self, folder: Path, entry: dict[str, Any], frames: int, size: int) -> Clip:
        """A crop of the clip of an index entry with one of its bases."""
        base = entry["bases"][self.random.integers(len(entry["bases"]))]
        start = self.random.integers(max(1, entry["frames"] - frames + 1))
        numbers = [min(start + i, entry["frames"] - 1) for i in range(frames)]
        if "features" in base or self.random.random() < UNCHANGED:  # features belong to a picture as it is
            change = Change(size)
        else:
            change = Change.draw(self.random, size, min(entry["height"], entry["width"]))
        side = change.side
        top, left = (int(self.random.integers((entry[edge] - side) // 16 + 1)) * 16 for edge in ("height", "width"))
        at = (slice(top, top + side), slice(left, left + side))
        source = np.load(folder / entry["file"], mmap_mode="r")
        degraded = np.load(folder / base["file"], mmap_mode="r")
        crop = np.stack([source[number][at] for number in numbers])
        shown = np.stack([upscaled(degraded[number], entry["height"], entry["width"])[at] for number in numbers])
        changed = change.apply(crop, size)
        coarse = change.apply(shown, size)
        texture, levels = 0, torch.zeros(frames, 1, size // 8, size // 8)
        if self.random.random() < self.textures:
            texture = self.texture(folder / entry["file"], crop, changed)
            levels = self.levels(changed, coarse, "features" not in base)
        return Clip(
            changed,
            coarse,
            self.features(folder, base, numbers, top, left, size),
            [
                (
                    base["kinds"][number] if "kinds" in base else FrameKind.BASE,
                    base.get("quality", 63 - base.get("crf", 0)),
                    base["scale"] * size / side,
                )
                for number in numbers
            ],
            self.side.caption(self.random, entry["file"]),
            self.side.sketch(self.random, changed),
            texture,
            levels,
        )

    def texture(self, file: Path, crop: Frames, changed: Frames) -> int:
        """The texture index of a source, moved by what a change does to a crop of it (T, h, w, 3), and by an error."""
        if file not in self.known_textures:
            self.known_textures[file] = texture_index(detail(np.load(file, mmap_mode="r")))
        told = self.known_textures[file] + texture_index(detail(changed, 1)) - texture_index(detail(crop, 1))
        return int(np.clip(told + self.random.integers(-TEXTURE_ERROR, TEXTURE_ERROR + 1), 1, 63))

    def levels(self, source: Frames, coarse: Frames, gap: bool) -> Tensor:
        """What the decoder makes of the texture map of a source (T, h, w, 3), or of its gap, which is off by up to
        GAP_ERROR in every cell: (T, 1, h/8, w/8)."""
        empty = torch.zeros(0)
        group = [CoarseFrame(FrameType.I, picture[None], empty) for picture in to_tensor(coarse, torch.device("cpu"))]
        size = source.shape[1:3]
        wanted = cell_levels(detail(source, 1))
        if gap:
            missed = wanted - coarse_levels(group, *size)[:, 0].mean(0).numpy()
            error = self.random.integers(-GAP_ERROR, GAP_ERROR + 1, missed.shape)
            hints = Hints(texture_gap=texture_map(NO_GAP + missed + error))
        else:
            hints = Hints(texture_map=texture_map(wanted))
        levels = spread(hints, group, *size)
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


def upscaled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """A base frame (h, w, 3) at its source's size; a larger coarse frame is left for the crop."""
    if frame.shape[0] >= height and frame.shape[1] >= width:
        return frame
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC))


def to_tensor(frames: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (N, H, W, 3) to channels-last float32 (N, 3, H, W) in 0..1."""
    tensor = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)
