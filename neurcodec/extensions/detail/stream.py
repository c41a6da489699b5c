"""The latents of base frames with detail (spec annex D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurcodec.container import FrameType, Substream
from neurcodec.entropy.latent_coder import ChunkCoder, FrameLatents, SymbolCoder, coding_order
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import ArgumentError, DamageError

NAME = "detail"
INTERVAL_BITS = 8


def check(wanted: object) -> None:
    """ArgumentError for what is no interval of base frames, 1 to 255."""
    if not isinstance(wanted, int) or not 0 < wanted < 1 << INTERVAL_BITS:
        raise ArgumentError(f"detail {wanted!r} is no whole number in 0..255")


def base_frames(latents: Sequence[FrameLatents]) -> int:
    """Frames that are in the base layer."""
    return sum(frame.type is not FrameType.S for frame in latents)


def detailed(latents: Sequence[FrameLatents], interval: int) -> list[int]:
    """Display indexes of the frames with detail latents: every `interval`-th base frame from the first on."""
    return [index for index, frame in enumerate(latents) if frame.type is not FrameType.S][::interval]


def code(
    model: EntropyModel,
    coder: Encoder | Decoder,
    latents: Sequence[FrameLatents],
    grid: tuple[int, int],
    quality: int,
    interval: int,
    given: bool,
) -> list[FrameLatents]:
    """Code the latents of the frames with detail; returned with them. given: the latents have them already."""
    found = list(latents)
    wanted = detailed(latents, interval)
    walk = ChunkCoder(model, {Substream.LATENTS_P: SymbolCoder(model, coder)}, grid, quality)
    for index in coding_order([frame.type for frame in latents]):
        if index in wanted:
            frame = latents[index]
            walk.motion = np.zeros_like(walk.motion) if frame.motion is None else frame.motion[1:].astype(np.int64)
            walk.latents = walk.backbone_latents(FrameType.P, frame if given else None)
            classes, y = walk.latents
            found[index] = replace(frame, classes=classes.astype(np.uint8), y=y.astype(np.int16))
    return found


def encode(
    model: EntropyModel, latents: Sequence[FrameLatents], grid: tuple[int, int], quality: int, wanted: int | None
) -> dict[Substream, bytes]:
    """The substream of every `wanted`-th base frame's latents at a quality 0..63; none where no frame has latents."""
    if not wanted or all(frame.y is None for frame in latents):
        return {}
    coder = Encoder()
    interval = min(wanted, base_frames(latents))
    coder.bits(interval, INTERVAL_BITS)
    code(model, coder, latents, grid, quality, interval, given=True)
    return {Substream.LATENTS_P: coder.finish()}


def decode(
    model: EntropyModel,
    streams: Mapping[Substream, bytes],
    latents: Sequence[FrameLatents],
    grid: tuple[int, int],
    quality: int,
) -> list[FrameLatents]:
    """The latents with their detail; DamageError when the substream does not fit them."""
    data = streams.get(Substream.LATENTS_P)
    if not data:
        return list(latents)
    coder = Decoder(data)
    interval = coder.bits(INTERVAL_BITS)
    if not 1 <= interval <= base_frames(latents):
        raise DamageError("the interval of frames with detail is 0 or above their number; the file is damaged")
    found = code(model, coder, latents, grid, quality, interval, given=False)
    coder.finish()
    if not any(frame.y is not None and frame.y.any() for frame in found):
        raise DamageError("detail latents that are all 0; the file is damaged")
    return found
