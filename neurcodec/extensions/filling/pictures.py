"""Frames between the frames of a base layer, moved and blended from two of them (spec annex C)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from neurcodec.coarse.codec import (
    SPARSE_WEIGHT,
    CoarseFrame,
    motion_weight,
    sparse_frame,
    to_luma,
    to_picture,
)
from neurcodec.coarse.model import CoarseCodec
from neurcodec.coarse.motion_search import Field, search_backbone, search_sparse
from neurcodec.coarse.warp import BLOCK
from neurcodec.container import FrameType
from neurcodec.entropy.latent_coder import FrameLatents

if TYPE_CHECKING:
    from neurcodec.extensions.pictures import Bases

NAME = "filling"
FILLING_WEIGHT = 16
"""How much more a bit of motion must bring here than in a native chunk, whose latents it saves."""


def spans(
    latents: Sequence[FrameLatents], bases: Iterable[CoarseFrame]
) -> Iterator[tuple[CoarseFrame | None, CoarseFrame, range]]:
    """Each base frame after the one before it (None for the first), and the display indexes between them."""
    before, start = None, 0
    places = [index for index, frame in enumerate(latents) if frame.type is not FrameType.S]
    for index, after in zip(places, bases, strict=True):
        yield before, after, range(start, index)
        before, start = after, index + 1


def shares(between: range) -> list[float]:
    """How far each of the frames between two base frames is on the way from the first to the second."""
    return [(number + 1) / (len(between) + 1) for number in range(len(between))]


@torch.inference_mode()
def search(
    codec: CoarseCodec,
    class_channels: Sequence[int],
    sources: NDArray[np.uint8],
    latents: Sequence[FrameLatents],
    bases: Bases,
    quality: int,
    wanted: None,
) -> list[FrameLatents]:
    """The latents with the motion (3, h, w) of the filled frames, and of the base frames after them.

    sources: the chunk's frames, uint8 (T, H, W, 3). bases: of its decoded base frames, with their detail.
    """
    found = list(latents)
    if all(frame.type is not FrameType.S for frame in latents):
        return found
    weight = FILLING_WEIGHT * motion_weight(torch.tensor([float(quality)]))
    for before, after, between in spans(latents, bases()):
        if before is None or not between:
            field: Field = np.zeros((2, *(side // BLOCK for side in after.picture.shape[2:])), dtype=np.int64)
            continue
        device = after.picture.device
        first, second = to_luma(before.picture), to_luma(after.picture)
        field = search_backbone(to_luma(to_picture(sources[between.stop], device)), first, field, weight)
        motion = np.concatenate([np.zeros_like(field[:1]), field]).astype(np.int16)
        found[between.stop] = replace(latents[between.stop], motion=motion)
        for index, share in zip(between, shares(between), strict=True):
            current = to_luma(to_picture(sources[index], device))
            vectors, mode = search_sparse(current, first, second, share, field, SPARSE_WEIGHT * weight)
            motion = np.concatenate([mode[None], vectors]).astype(np.int16)
            found[index] = replace(latents[index], motion=motion)
    return found


def apply(
    codec: CoarseCodec, latents: Sequence[FrameLatents], bases: Iterable[CoarseFrame], quality: int
) -> Iterator[CoarseFrame]:
    """All frames of a chunk in display order, from its base frames."""
    for before, after, between in spans(latents, bases):
        for index, share in zip(between, shares(between), strict=True):
            motion = latents[index].motion
            if before is None or motion is None:
                raise ValueError("a filled frame stands between two base frames and has motion")
            with torch.inference_mode():
                filled = sparse_frame(before, after, motion.astype(np.int64), share)
            yield filled
        yield after
