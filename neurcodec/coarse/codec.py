"""Chunks of frames to integers and back to coarse pictures: I, P and S coding (spec section 7)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.coarse.model import CoarseCodec, Transform, quantiser_step
from neurcodec.coarse.motion_search import Field, luma, search_backbone, search_sparse
from neurcodec.coarse.warp import BLOCK, overlapped, warp_features
from neurcodec.coarse.worth import block_worths
from neurcodec.container import FrameType, frame_types
from neurcodec.entropy.latent_coder import LATENT_LIMIT, FrameLatents, coding_order, positions

DISTORTION_PER_BIT = 0.134
"""Squared error, in squared quantiser steps, that one bit is worth (the usual Lagrangian of block codecs)."""
INTRA_WEIGHT, INTER_WEIGHT = 4.0, 1.3
"""What squared error in a frame counts that is coded without its chunk."""
MOTION_WEIGHT = 0.35
"""Absolute luma difference, in quantiser steps, that one bit of motion is worth."""
SPARSE_WEIGHT = 1.3
"""How much more a bit must bring in an S frame, which no other frame refers to."""
USUAL_WORTH = 6.0
"""The frames that inherit an error in a P frame whose quality is its chunk's."""
CODING_LOSS = 120.0
"""The square of the step over the squared error per pixel that coding leaves at it."""
CHUNK_WEIGHT = 0.85
"""What squared error counts in a block of a chunk that is worth as much as its quality says."""
DEAD_ZONE = 0.17
"""How far above 1/2 the rounding threshold lies."""


@dataclass(frozen=True, slots=True)
class CoarseFrame:
    """One decoded coarse frame, padded to multiples of 16.

    picture: float32 (1, 3, H, W) in 0..1. features: the feature buffer (1, C, H/8, W/8); a sparse frame has the moved
    buffer of its nearest backbone.
    """

    type: FrameType
    picture: Tensor
    features: Tensor


def to_device(array: NDArray[np.generic] | Tensor, device: torch.device) -> Tensor:
    """An array of the host on a device. To CUDA it is copied from pinned memory, and nobody waits for that."""
    tensor = torch.as_tensor(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def class_table(class_channels: Sequence[int], channels: int) -> Tensor:
    """(classes, channels): 1 where a class codes the channel."""
    return (torch.arange(channels)[None] < torch.tensor(list(class_channels))[:, None]).float()


def quantise(y: Tensor, worth: Tensor, class_channels: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Round latents (N, C, h, w) with a dead zone and choose each position's class by rate-distortion.

    worth: (N, 1, 1, 1), the bits that a unit of squared error is worth. Returns the classes, int64
    (N, h, w), and the integer-valued latents, zero beyond the class's channels.
    """
    rounded = torch.sign(y) * torch.floor(y.abs() + 0.5 - DEAD_ZONE)
    rounded = rounded.clamp(-LATENT_LIMIT, LATENT_LIMIT)
    gain = (y**2 - (y - rounded) ** 2) * worth
    bits = torch.where(rounded != 0, 4.5 + 2 * torch.log2(rounded.abs().clamp(min=1)), 0.03)
    rounded = torch.where(gain > 0.6 * bits, rounded, 0.0)
    table = class_table(class_channels, y.shape[1]).to(y.device)
    saved = torch.where(rounded != 0, gain - bits, -0.03)
    totals = torch.einsum("kc,nchw->nkhw", table, saved)
    totals[:, 1:] -= 2.0
    classes = totals.argmax(1)
    return classes, rounded * table[classes].permute(0, 3, 1, 2)


def motion_weight(quality: Tensor) -> float:
    """Absolute luma difference (0..255 per pixel, summed) that one bit of motion is worth, at a quality (1)."""
    return float(MOTION_WEIGHT * quantiser_step(quality) / patience(quality) ** 1.7)


def patience(quality: Tensor) -> Tensor:
    """How much less a bit may cost than the base step says, 0.4 to 1: low qualities save bits before they coarsen."""
    return torch.exp2((quality - 16) / 12).clamp(max=1)


def error_worth(quality: Tensor, intra: bool) -> Tensor:
    """The bits that a unit of squared error (in base steps) of an I or P frame is worth: (N)."""
    return patience(quality) * ((INTRA_WEIGHT if intra else INTER_WEIGHT) / DISTORTION_PER_BIT)


def latent_worth(transform: Transform, quality: Tensor) -> Tensor:
    """The same for a unit of squared error in a latent of a transform: (N, 1, 1, 1)."""
    return error_worth(quality, not transform.conditional)[:, None, None, None] / transform.finer**2


def to_picture(frame: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 (H, W, 3) to float32 (1, 3, H', W') in 0..1, padded by edge replication to multiples of 16."""
    picture = to_device(frame, device).permute(2, 0, 1)[None].float() / 255
    height, width = picture.shape[2:]
    return F.pad(picture, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")


def to_luma(picture: Tensor) -> NDArray[np.float32]:
    """The luma plane (H, W) 0..255 of a (1, 3, H, W) picture in 0..1."""
    return luma(picture[0].permute(1, 2, 0).cpu().numpy() * 255)


class Backbone:
    """The reference state of a chunk: the last backbone's picture, feature buffer and motion."""

    def __init__(self, model: CoarseCodec, device: torch.device) -> None:
        self.model = model
        self.picture = torch.zeros(0, device=device)
        self.features = torch.zeros(0, device=device)

    def predict(self, motion: Field) -> tuple[Tensor, Tensor]:
        """Prediction and context of a P frame with vectors in quarter pixels."""
        vectors = to_device(motion / 4, self.picture.device).float()[None]
        return overlapped(self.picture, vectors), warp_features(self.features, vectors)

    def decode(self, kind: FrameType, y: NDArray[np.int16], motion: Field | None, quality: int) -> None:
        """Rebuild a backbone frame from its integers and make it the reference."""
        latents = to_device(y, self.picture.device).float()[None]
        level = latents.new_full((1,), quality)
        if kind is FrameType.I:
            grey = latents.new_full((1, 3, y.shape[1] * BLOCK, y.shape[2] * BLOCK), 0.5)
            picture, self.features = self.model.intra.synthesise(latents, grey, None, level)
        else:
            if motion is None:
                raise ValueError("a P frame has motion")
            prediction, context = self.predict(motion)
            picture, self.features = self.model.inter.synthesise(latents, prediction, context, level)
        self.picture = picture.clamp(0, 1)


def blend_sparse(before: Tensor, after: Tensor, motion: NDArray[np.int64], share: float) -> Tensor:
    """The coarse picture of an S frame from its two backbones' pictures (1, 3, H, W)."""
    device = after.device
    vectors = to_device(motion[1:] / 4, device).float()[None]
    mode = to_device(motion[0], device)
    first = overlapped(before, vectors * share)
    second = overlapped(after, vectors * (share - 1))
    weight = (mode.float() / 2)[None, None].repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    return first * (1 - weight) + second * weight


class ChunkEncoder:
    """Codes one chunk's frames, each after the backbones it needs; closes the loop over the coarse pictures."""

    def __init__(
        self, model: CoarseCodec, quality: int, class_channels: Sequence[int], height: int, width: int
    ) -> None:
        self.model, self.class_channels, self.quality = model, class_channels, quality
        self.device = next(model.parameters()).device
        self.state = Backbone(model, self.device)
        self.motion: Field = np.zeros((2, -(-height // BLOCK), -(-width // BLOCK)), dtype=np.int64)
        self.before = self.after = np.zeros((0, 0), dtype=np.float32)

    def backbone(self, kind: FrameType, picture: Tensor, worth: NDArray[np.float64]) -> FrameLatents:
        """Code an I or P frame (1, 3, H, W) and make it the reference; worth: of each block's errors (h, w)."""
        state, transform = self.state, self.model.intra if kind is FrameType.I else self.model.inter
        level, weights = frame_quality(self.quality, worth, transform)
        quality = torch.tensor([float(level)], device=self.device)
        if kind is FrameType.I:
            prediction, planes = torch.full_like(picture, 0.5), None
        else:
            weight = motion_weight(quality)
            self.motion = search_backbone(to_luma(picture), self.after, self.motion, weight)
            prediction = state.predict(self.motion)[0]
            planes = np.concatenate([np.zeros_like(self.motion[:1]), self.motion]).astype(np.int16)
        y = transform.analyse(picture, prediction, quality)
        bits = to_device(weights, self.device).float() * (CHUNK_WEIGHT / DISTORTION_PER_BIT)
        classes, rounded = quantise(y, patience(quality) * bits[None, None], self.class_channels)
        latents = rounded[0].cpu().numpy().astype(np.int16)
        state.decode(kind, latents, None if planes is None else self.motion, level)
        self.before, self.after = self.after, to_luma(state.picture)
        return FrameLatents(kind, planes, classes[0].cpu().numpy().astype(np.uint8), latents, level)

    def sparse(self, picture: Tensor, share: float) -> FrameLatents:
        """Code an S frame, `share` of the way between the last two backbones."""
        weight = SPARSE_WEIGHT * motion_weight(torch.tensor([float(self.quality)]))
        field, mode = search_sparse(to_luma(picture), self.before, self.after, share, self.motion, weight)
        return FrameLatents(FrameType.S, np.concatenate([mode[None], field]).astype(np.int16), None, None)


def frame_quality(quality: int, worth: NDArray[np.float64], transform: Transform) -> tuple[int, NDArray[np.float64]]:
    """A backbone's quality in a chunk of a quality, and what its blocks' errors are worth beside the step's worth."""
    worth = worth / USUAL_WORTH
    wanted = quality + 6 * float(np.log2(worth).mean() - 2 * np.log2(transform.finer))
    level = min(63, max(0, round(wanted)))
    return level, worth * 2.0 ** ((quality - level) / 6) / transform.finer**2


def chunk_worths(frames: NDArray[np.uint8], types: Sequence[FrameType], quality: int) -> dict[int, NDArray[np.float64]]:
    """What errors in each backbone's blocks are worth, by display index."""
    places = [index for index, kind in enumerate(types) if kind is not FrameType.S]
    lumas = [to_luma(to_picture(frames[index], torch.device("cpu"))) for index in places]
    distortion = float(quantiser_step(torch.tensor(float(quality)))) ** 2 / CODING_LOSS
    spans = [after - before for before, after in itertools.pairwise(places)]
    return dict(zip(places, block_worths(lumas, spans, distortion), strict=True))


@torch.inference_mode()
def encode_chunk(
    model: CoarseCodec,
    frames: NDArray[np.uint8],
    quality: int,
    interval: int,
    class_channels: Sequence[int],
    tick: Callable[[], None] | None = None,
) -> list[FrameLatents]:
    """Code a chunk's frames, uint8 (T, H, W, 3) RGB, to integers in display order; `tick` is called for each."""
    types = frame_types(len(frames), interval)
    places = positions(types)
    worths = chunk_worths(frames, types, quality)
    encoder = ChunkEncoder(model, quality, class_channels, *frames.shape[1:3])
    result: dict[int, FrameLatents] = {}
    for index in coding_order(types):
        picture = to_picture(frames[index], encoder.device)
        if types[index] is FrameType.S:
            distance, span = places[index]
            result[index] = encoder.sparse(picture, distance / span)
        else:
            result[index] = encoder.backbone(types[index], picture, worths[index])
        if tick is not None:
            tick()
    return [result[index] for index in range(len(types))]


def sparse_frame(before: CoarseFrame, after: CoarseFrame, motion: NDArray[np.int64], share: float) -> CoarseFrame:
    """The coarse S frame `share` of the way between two backbones, moved and blended from them."""
    picture = blend_sparse(before.picture, after.picture, motion, share)
    vectors = to_device(motion[1:] / 4, picture.device).float()[None]
    near, moved = (before, share) if share <= 0.5 else (after, share - 1)
    return CoarseFrame(FrameType.S, picture, warp_features(near.features, vectors * moved))


def decode_chunk(model: CoarseCodec, latents: Sequence[FrameLatents]) -> Iterator[CoarseFrame]:
    """Rebuild a chunk's coarse frames from its integers, in display order; two backbones are held at a time."""
    state = Backbone(model, next(model.parameters()).device)
    places = positions([frame.type for frame in latents])
    before: CoarseFrame | None = None
    waiting: list[int] = []
    for index, frame in enumerate(latents):
        if frame.y is None:
            waiting.append(index)
            continue
        with torch.inference_mode():
            field = None if frame.motion is None else frame.motion[1:].astype(np.int64)
            state.decode(frame.type, frame.y, field, frame.quality)
            after = CoarseFrame(frame.type, state.picture, state.features)
        for sparse in waiting:
            distance, span = places[sparse]
            motion = latents[sparse].motion
            if before is None or motion is None:
                raise ValueError("an S frame stands between two backbones and has motion")
            with torch.inference_mode():
                filled = sparse_frame(before, after, motion.astype(np.int64), distance / span)
            yield filled
        yield after
        before, waiting = after, []


def to_rgb(picture: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """A (1, 3, H', W') picture in 0..1 as uint8 (height, width, 3), cropped."""
    cropped = picture[0, :, :height, :width].clamp(0, 1).mul(255).add(0.5)
    return cropped.to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
