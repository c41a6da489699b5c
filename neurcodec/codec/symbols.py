"""The symbols of a GOP: its substreams parsed once, with every check that needs no pictures. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from neurcodec.codec.conditioning import read_conditioning
from neurcodec.container import BaseLayer, FrameType, Gop, Header, Profile, Substream
from neurcodec.entropy import bitplane, packets
from neurcodec.entropy.bitplane import FrameLatents
from neurcodec.entropy.conditioning import Conditioning
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import DamageError
from neurcodec.extensions.streams import LATENTS

BASES = {Substream.BASE, Substream.PACKETS}
BLOCK = 16
"""Pixels of a latent position's side."""


@dataclass(frozen=True)
class Symbols:
    """What a decoder makes pictures of size height x width from.

    place: how messages call the GOP. latents: of every frame in display order; beside a base most frames have none.
    base: the base layer's settings, with its AV1 `packets` in decoding order.
    """

    place: str
    quality: int
    height: int
    width: int
    latents: tuple[FrameLatents, ...]
    conditioning: Conditioning
    base: BaseLayer | None = None
    packets: tuple[bytes, ...] = ()

    @property
    def base_frames(self) -> int:
        """Frames that are in the base layer."""
        return sum(frame.type is not FrameType.S for frame in self.latents)


def grid(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the latent grid."""
    return -(-height // BLOCK), -(-width // BLOCK)


def parse(model: EntropyModel, gop: Gop, header: Header) -> Symbols:
    """The symbols of a GOP. DamageError says which one does not decode to what was encoded."""
    place = f"the chunk of frames {gop.first_frame} to {gop.first_frame + gop.frames - 1}"
    with placed(place):
        if header.profile is Profile.LAYERED and (gop.base is None or not gop.substreams.keys() & BASES):
            raise DamageError("it has no base layer; the file is damaged")
        latents = decode_latents(model, gop, header)
        return Symbols(
            place,
            gop.quality,
            header.height,
            header.width,
            tuple(latents),
            read_conditioning(gop, header),
            gop.base,
            tuple(packets.decode(gop)) if gop.base else (),
        )


def decode_latents(model: EntropyModel, gop: Gop, header: Header) -> list[FrameLatents]:
    """The latents of a GOP alone, in display order; DamageError where they are not the encoder's."""
    size = grid(header.width, header.height)
    if gop.base:
        latents = beside_base(model, gop.substreams, gop.frame_types, size, gop.quality)
    else:
        latents = bitplane.decode(model, gop.substreams, gop.frames, gop.backbone_interval, size, gop.quality)
    if bitplane.digest(latents) != gop.latents_digest:
        raise DamageError("its latents differ from the encoder's (digest); the file or the model is damaged")
    return latents


def beside_base(
    model: EntropyModel,
    streams: Mapping[Substream, bytes],
    types: Sequence[FrameType],
    grid: tuple[int, int],
    quality: int,
) -> list[FrameLatents]:
    """The latents that extensions add to a base layer's frames; DamageError where the substreams do not fit them."""
    if streams.get(Substream.LATENTS_I):
        raise DamageError("it has latents of I frames beside its base layer; the file is damaged")
    latents = [FrameLatents(kind) for kind in types]
    for extension in LATENTS:
        latents = extension.decode(model, streams, latents, grid, quality)
    return latents


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Put the name of a GOP before what is found wrong in it."""
    try:
        yield
    except DamageError as error:
        raise DamageError(f"{place}: {error}") from None
