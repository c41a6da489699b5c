"""The bit plane of a chunk, checked: a Gop's substreams to integers whose digest is the encoder's. Needs no torch."""

from __future__ import annotations

from neurcodec.codec import side
from neurcodec.container import Gop, Header, Profile, Substream
from neurcodec.entropy import bitplane, layered, packets
from neurcodec.entropy.bitplane import FrameLatents
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import DamageError

BASES = {Substream.BASE, Substream.PACKETS}
BLOCK = 16
"""Pixels of a latent position's side."""


def grid(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the latent grid."""
    return -(-height // BLOCK), -(-width // BLOCK)


def decode(model: EntropyModel, gop: Gop, header: Header) -> list[FrameLatents]:
    """The integers of every frame; beside a base layer most frames have none.

    Its side streams and the heads of its base layer are checked too. DamageError says which chunk does not decode
    to what was encoded.
    """
    place = f"the chunk of frames {gop.first_frame} to {gop.first_frame + gop.frames - 1}"
    try:
        if header.profile is Profile.LAYERED and (gop.base is None or not gop.substreams.keys() & BASES):
            raise DamageError("it has no base layer; the file is damaged")
        size = grid(header.width, header.height)
        if gop.base:
            latents = layered.decode(model, gop.substreams, gop.frame_types, size, gop.quality)
        else:
            latents = bitplane.decode(model, gop.substreams, gop.frames, gop.backbone_interval, size, gop.quality)
        if bitplane.digest(latents) != gop.latents_digest:
            raise DamageError("its latents differ from the encoder's (digest); the file or the model is damaged")
        side.hints(gop, header)
        if Substream.PACKETS in gop.substreams:
            packets.decode(gop)
    except DamageError as error:
        raise DamageError(f"{place}: {error}") from None
    return latents
