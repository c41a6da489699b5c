"""The motion of filled frames and of the base frames after them (spec annex C)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurcodec.container import FrameType, Substream
from neurcodec.entropy.latent_coder import ChunkCoder, FrameLatents, SymbolCoder, coding_order, positions
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.rangecoder import Decoder, Encoder

NAME = "filling"


def code(
    model: EntropyModel, coder: Encoder | Decoder, latents: Sequence[FrameLatents], grid: tuple[int, int], given: bool
) -> list[FrameLatents]:
    """Code the motion of all frames; returned in display order, with it. given: the latents have it already."""
    types = [frame.type for frame in latents]
    places = positions(types)
    walk = ChunkCoder(model, {Substream.MOTION: SymbolCoder(model, coder)}, grid, 0)
    found = list(latents)
    for index in coding_order(types):
        distance, span = places[index]
        one = latents[index] if given else None
        if types[index] is FrameType.S:
            found[index] = walk.sparse_frame(distance, span, one)
        elif distance > 1:
            found[index] = replace(latents[index], motion=walk.backbone_motion(distance, one))
        else:
            walk.motion = np.zeros_like(walk.motion)
    return found


def encode(
    model: EntropyModel, latents: Sequence[FrameLatents], grid: tuple[int, int], quality: int, wanted: None = None
) -> dict[Substream, bytes]:
    """The substream of motion; none where no frame is filled."""
    coder = Encoder()
    code(model, coder, latents, grid, given=True)
    data = coder.finish()
    return {Substream.MOTION: data} if data else {}


def decode(
    model: EntropyModel,
    streams: Mapping[Substream, bytes],
    latents: Sequence[FrameLatents],
    grid: tuple[int, int],
    quality: int,
) -> list[FrameLatents]:
    """The latents with their motion; DamageError when the substream does not fit them."""
    coder = Decoder(streams.get(Substream.MOTION, b""))
    found = code(model, coder, latents, grid, given=False)
    coder.finish()
    return found
