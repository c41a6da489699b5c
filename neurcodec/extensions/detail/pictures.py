"""Detail on frames of a base layer: the residual of a P frame whose prediction is the base picture (spec annex D)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.coarse.codec import CoarseFrame, latent_worth, quantise, to_device, to_picture
from neurcodec.coarse.model import CoarseCodec
from neurcodec.container import FrameType
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.extensions.detail.stream import NAME, detailed

if TYPE_CHECKING:
    from neurcodec.extensions.pictures import Bases

__all__ = ["NAME", "apply", "search"]

OFFSET = 8
"""How much higher the quality of detail latents is than their chunk's (at most 63)."""


def level(quality: int, device: torch.device) -> Tensor:
    """The quality (1) of a chunk's detail latents."""
    return torch.full((1,), float(min(63, quality + OFFSET)), device=device)


@torch.inference_mode()
def search(
    codec: CoarseCodec,
    class_channels: Sequence[int],
    sources: NDArray[np.uint8],
    latents: Sequence[FrameLatents],
    bases: Bases,
    quality: int,
    wanted: int | None,
) -> list[FrameLatents]:
    """The latents with those that bring every `wanted`-th base frame nearer to its source.

    None or 0 stands for no frame; where all latents would be 0 there are none either.
    sources: the chunk's frames, uint8 (T, H, W, 3). bases: of its decoded base frames.
    class_channels: as of `EntropyModel`.
    """
    found, seen = list(latents), False
    if not wanted:
        return found
    places = detailed(latents, wanted)
    for index, base in zip(detailed(latents, 1), bases(), strict=True):
        if index in places:
            source = to_picture(sources[index], base.picture.device)
            at = level(quality, source.device)
            y = codec.inter.analyse(source, base.picture, at)
            classes, rounded = quantise(y, latent_worth(codec.inter, at), class_channels)
            planes = classes[0].cpu().numpy().astype(np.uint8), rounded[0].cpu().numpy().astype(np.int16)
            found[index] = replace(latents[index], classes=planes[0], y=planes[1])
            seen |= bool(planes[1].any())
    return found if seen else list(latents)


def apply(
    codec: CoarseCodec, latents: Sequence[FrameLatents], bases: Iterable[CoarseFrame], quality: int
) -> Iterator[CoarseFrame]:
    """The base frames, those with detail latents finer."""
    carried = (frame.y for frame in latents if frame.type is not FrameType.S)
    for base, y in zip(bases, carried, strict=True):
        yield base if y is None else finer(codec, base, y, quality)


@torch.inference_mode()
def finer(codec: CoarseCodec, base: CoarseFrame, y: NDArray[np.int16], quality: int) -> CoarseFrame:
    """A base frame with its detail latents (C, h, w); the feature buffer stays empty."""
    latents = to_device(y, base.picture.device).float()[None]
    picture, _ = codec.inter.synthesise(latents, base.picture, base.features, level(quality, latents.device))
    return CoarseFrame(base.type, picture.clamp(0, 1), base.features)
