"""What our own symbols add to a base layer (spec section 7.1): filled frames between its frames, detail on them.

Both use the conditional codec's parts: a filled frame is a sparse frame between two base frames, and detail is the
residual of a P frame whose prediction is the base picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.coarse.codec import (
    SPARSE_WEIGHT,
    CoarseFrame,
    latent_worth,
    motion_weight,
    quantise,
    sparse_frame,
    to_device,
    to_luma,
    to_picture,
)
from neurcodec.coarse.model import CoarseCodec
from neurcodec.coarse.motion import Field, search_backbone, search_sparse
from neurcodec.coarse.warp import BLOCK
from neurcodec.container import FrameType
from neurcodec.entropy.bitplane import FrameLatents

FILLING_WEIGHT = 16
"""How much more a bit of motion must bring here than in a native chunk, whose latents it saves."""
DETAIL_OFFSET = 8
"""How much higher the quality of detail latents is than their chunk's (at most 63)."""

Planes = tuple[NDArray[np.uint8], NDArray[np.int16]]
"""Classes (h, w) and latents (C, h, w)."""


def detail_quality(quality: int, device: torch.device) -> Tensor:
    """The quality (1) of a chunk's detail latents."""
    return torch.full((1,), float(min(63, quality + DETAIL_OFFSET)), device=device)


@torch.inference_mode()
def code_detail(codec: CoarseCodec, source: Tensor, base: CoarseFrame, quality: int, cuts: Sequence[int]) -> Planes:
    """The latents that bring a base frame nearer to its source picture (1, 3, H, W)."""
    level = detail_quality(quality, source.device)
    y = codec.inter.analyse(source, base.picture, level)
    classes, rounded = quantise(y, latent_worth(codec.inter, level), cuts)
    return classes[0].cpu().numpy().astype(np.uint8), rounded[0].cpu().numpy().astype(np.int16)


@torch.inference_mode()
def add_detail(codec: CoarseCodec, base: CoarseFrame, y: NDArray[np.int16], quality: int) -> CoarseFrame:
    """A base frame with its detail latents; the feature buffer stays empty."""
    latents = to_device(y, base.picture.device).float()[None]
    level = detail_quality(quality, latents.device)
    picture, _ = codec.inter.synthesise(latents, base.picture, base.features, level)
    return CoarseFrame(base.type, picture.clamp(0, 1), base.features)


def spans(
    types: Sequence[FrameType], bases: Iterable[CoarseFrame]
) -> Iterator[tuple[CoarseFrame | None, CoarseFrame, range]]:
    """Each base frame after the one before it (None for the first), and the display indexes between them."""
    before, start = None, 0
    places = [index for index, kind in enumerate(types) if kind is not FrameType.S]
    for index, after in zip(places, bases, strict=True):
        yield before, after, range(start, index)
        before, start = after, index + 1


def shares(between: range) -> list[float]:
    """How far each of the frames between two base frames is on the way from the first to the second."""
    return [(number + 1) / (len(between) + 1) for number in range(len(between))]


@torch.inference_mode()
def search(
    sources: NDArray[np.uint8], types: Sequence[FrameType], bases: Iterable[CoarseFrame], quality: int
) -> dict[int, NDArray[np.int16]]:
    """The motion (3, h, w) of filled frames, and of the base frames after them, by display index.

    sources: the chunk's frames, uint8 (T, H, W, 3). bases: its decoded base frames, in order.
    """
    motion: dict[int, NDArray[np.int16]] = {}
    for before, after, between in spans(types, bases):
        device = after.picture.device
        weight = FILLING_WEIGHT * motion_weight(torch.tensor([float(quality)]))
        if before is None or not between:
            field: Field = np.zeros((2, *(side // BLOCK for side in after.picture.shape[2:])), dtype=np.int64)
            continue
        first, second = to_luma(before.picture), to_luma(after.picture)
        field = search_backbone(to_luma(to_picture(sources[between.stop], device)), first, field, weight)
        motion[between.stop] = np.concatenate([np.zeros_like(field[:1]), field]).astype(np.int16)
        for index, share in zip(between, shares(between), strict=True):
            current = to_luma(to_picture(sources[index], device))
            vectors, mode = search_sparse(current, first, second, share, field, SPARSE_WEIGHT * weight)
            motion[index] = np.concatenate([mode[None], vectors]).astype(np.int16)
    return motion


def code(
    codec: CoarseCodec,
    cuts: Sequence[int],
    sources: NDArray[np.uint8],
    types: Sequence[FrameType],
    bases: Iterable[CoarseFrame],
    quality: int,
    wanted: frozenset[int],
) -> list[FrameLatents]:
    """A chunk's integers: detail of the `wanted` base frames (display indexes), motion of the filled ones.

    sources, bases: as for `search`. cuts: `EntropyModel.cuts`. Filled frames start from base frames with their detail.
    """
    details: dict[int, Planes] = {}

    def finer() -> Iterator[CoarseFrame]:
        for _, base, between in spans(types, bases):
            if between.stop in wanted:
                picture = to_picture(sources[between.stop], base.picture.device)
                details[between.stop] = code_detail(codec, picture, base, quality, cuts)
                base = add_detail(codec, base, details[between.stop][1], quality)
            yield base

    motion = search(sources, types, finer(), quality)
    return [
        FrameLatents(kind, motion.get(index), *details.get(index, (None, None))) for index, kind in enumerate(types)
    ]


def rebuild(
    codec: CoarseCodec, latents: Sequence[FrameLatents], bases: Iterable[CoarseFrame], quality: int
) -> Iterator[CoarseFrame]:
    """All coarse frames of a chunk in display order, from its integers and its base frames."""
    carried = (frame.y for frame in latents if frame.type is not FrameType.S)
    finer = (base if y is None else add_detail(codec, base, y, quality) for base, y in zip(bases, carried, strict=True))
    return fill(latents, finer)


def fill(latents: Sequence[FrameLatents], bases: Iterable[CoarseFrame]) -> Iterator[CoarseFrame]:
    """All frames of a chunk in display order from its base frames; those between are moved and blended from two."""
    for before, after, between in spans([frame.type for frame in latents], bases):
        for index, share in zip(between, shares(between), strict=True):
            motion = latents[index].motion
            if before is None or motion is None:
                raise ValueError("a filled frame stands between two base frames and has motion")
            with torch.inference_mode():
                filled = sparse_frame(before, after, motion.astype(np.int64), share)
            yield filled
        yield after
