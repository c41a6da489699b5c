"""The bit plane of a chunk with a base layer (spec section 6.6): motion of filled frames, detail latents.

The frame types are those of a native chunk with the base's rate divisor as its interval: I and P are in the base, S are
filled. A base frame has motion when it comes after S frames, for their sake, and latents when it has detail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurcodec.container import FrameType, Substream
from neurcodec.entropy.bitplane import STREAMS, ChunkCoder, FrameLatents, SymbolCoder, coding_order, positions
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import DamageError

DETAIL_BITS = 8


def detailed(types: Sequence[FrameType], interval: int) -> frozenset[int]:
    """Display indexes of the frames with detail latents: every `interval`-th base frame from the first on; 0 none."""
    bases = [index for index, kind in enumerate(types) if kind is not FrameType.S]
    return frozenset(bases[::interval] if interval else ())


def code_chunk(
    coder: ChunkCoder, types: Sequence[FrameType], detail: frozenset[int], given: Sequence[FrameLatents] | None
) -> list[FrameLatents]:
    """Code all frames of a chunk; returned in display order."""
    places = positions(types)
    frames: dict[int, FrameLatents] = {}
    for index in coding_order(types):
        one = given[index] if given is not None else None
        distance, span = places[index]
        if types[index] is FrameType.S:
            frames[index] = coder.sparse_frame(distance, span, one)
            continue
        coder.motion = coder.motion if distance > 1 else np.zeros_like(coder.motion)
        motion = coder.backbone_motion(distance, one) if distance > 1 else None
        if index not in detail:
            frames[index] = FrameLatents(types[index], motion, None, None)
            continue
        coder.latents = coder.backbone_latents(FrameType.P, one)
        classes, y = coder.latents
        frames[index] = FrameLatents(types[index], motion, classes.astype(np.uint8), y.astype(np.int16))
    return [frames[index] for index in range(len(types))]


def encode(
    model: EntropyModel, frames: Sequence[FrameLatents], grid: tuple[int, int], quality: int, detail: int
) -> dict[Substream, bytes]:
    """Range-code a chunk's integers (display order) on a latent grid (h, w) at a quality 0..63.

    detail: the interval of base frames with latents, 1 to 255, or 0 for none. Empty substreams are left out.
    """
    coders = {stream: Encoder() for stream in STREAMS}
    planes = {stream: SymbolCoder(model, coder) for stream, coder in coders.items()}
    if detail:
        coders[Substream.LATENTS_P].bits(detail, DETAIL_BITS)
    types = [frame.type for frame in frames]
    code_chunk(ChunkCoder(model, planes, grid, quality), types, detailed(types, detail), frames)
    streams = {stream: coder.finish() for stream, coder in coders.items()}
    return {stream: data for stream, data in streams.items() if data}


def decode(
    model: EntropyModel,
    streams: Mapping[Substream, bytes],
    types: Sequence[FrameType],
    grid: tuple[int, int],
    quality: int,
) -> list[FrameLatents]:
    """Decode a chunk of frames of these types; DamageError when the substreams do not fit it."""
    coders = {stream: Decoder(streams.get(stream, b"")) for stream in STREAMS}
    planes = {stream: SymbolCoder(model, coder) for stream, coder in coders.items()}
    detail = 0
    if streams.get(Substream.LATENTS_P):
        detail = coders[Substream.LATENTS_P].bits(DETAIL_BITS)
        if not detail:
            raise DamageError("the interval of frames with detail is 0; the file is damaged")
    coder = ChunkCoder(model, planes, grid, quality)
    latents = code_chunk(coder, types, detailed(types, detail), None)
    for stream in coders.values():
        stream.finish()
    return latents
