"""The symbols of a GOP: its substreams parsed once, with every check that needs no pictures. Needs no torch.

And its conditioning of the generator, to and from its substreams (spec 6.9, 7.2 and 8.5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from neurcodec.container import BaseLayer, FrameType, Gop, Header, Substream
from neurcodec.container.values import DIGEST_BYTES
from neurcodec.entropy import latent_coder, temporal_units, texture
from neurcodec.entropy.conditioning import FULL, Conditioning
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import DamageError
from neurcodec.extensions.streams import CONDITIONING, LATENTS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.codec.settings import Pictures, Settings

BLOCK = 16
"""Pixels of a latent position's side."""
MAX_TEXTURE = 63
CONDITIONING_STREAMS = (
    Substream.TEXTURE,
    Substream.TEXTURE_LEVELS,
    Substream.STRENGTH,
    *(extension.SUBSTREAM for extension in CONDITIONING),
)
"""All substreams of conditioning."""


@dataclass(frozen=True)
class Symbols:
    """What a decoder makes pictures of size height x width from.

    place: how messages call the GOP. latents: of every frame in display order; beside a base most frames have none.
    base: the base layer's settings, with its AV1 `temporal_units` in decoding order.
    """

    place: str
    quality: int
    height: int
    width: int
    latents: tuple[FrameLatents, ...]
    conditioning: Conditioning
    base: BaseLayer | None = None
    temporal_units: tuple[bytes, ...] = ()

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
        size = grid(header.width, header.height)
        if gop.base:
            latents = beside_base(model, gop.substreams, gop.frame_types, size, gop.quality)
        else:
            latents = latent_coder.decode(model, gop.substreams, gop.frames, gop.mini_gop, size, gop.quality)
        told = read_conditioning(gop.substreams, header.height, header.width, gop.base is not None)
        units = temporal_units.decode(gop) if gop.base else []
        if digest(gop, latents, told, units) != gop.digest:
            raise DamageError(
                "it decodes to something else than was encoded (digest); the file or the model is damaged"
            )
    return Symbols(place, gop.quality, header.height, header.width, tuple(latents), told, gop.base, tuple(units))


def written(
    pictures: Pictures,
    quality: int,
    mini_gop: int,
    streams: Mapping[Substream, bytes],
    latents: Sequence[FrameLatents],
    base: BaseLayer | None = None,
    units: Sequence[bytes] = (),
) -> Gop:
    """The GOP of these substreams, with the digest of what they decode to: latents, and a base's temporal units."""
    _, height, width, _ = pictures.rgb.shape
    gop = Gop(pictures.pts, pictures.last_duration, quality, mini_gop, streams, bytes(DIGEST_BYTES), base)
    told = read_conditioning(streams, height, width, base is not None)
    return replace(gop, digest=digest(gop, latents, told, units))


def digest(gop: Gop, latents: Sequence[FrameLatents], conditioning: Conditioning, units: Sequence[bytes]) -> bytes:
    """The digest of what a GOP decodes to (spec 6.11): of all that its pictures depend on but the model and HEAD."""
    base = gop.base or BaseLayer(0, 0)
    levels = conditioning.texture_gap if conditioning.texture_map is None else conditioning.texture_map
    items = [
        bytes([gop.frames, gop.quality, gop.mini_gop, base.scale, base.quantiser]),
        *map(latent_coder.exact, latents),
        bytes([conditioning.texture]),
        b"" if levels is None else levels.astype("u1").tobytes(),
        bytes([conditioning.strength]),
        *(
            one.exact(conditioning.extensions[one.NAME]) if one.NAME in conditioning.extensions else b""
            for one in CONDITIONING
        ),
        *units,
    ]
    total = hashlib.sha256()
    for item in items:
        total.update(len(item).to_bytes(4, "little") + item)
    return total.digest()[:DIGEST_BYTES]


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


def write_conditioning(first: npt.NDArray[np.uint8], index: int, settings: Settings) -> dict[Substream, bytes]:
    """The substreams of the texture index 1..63 and of extensions; first: the chunk's first frame uint8 (H, W, 3)."""
    streams = {Substream.TEXTURE: bytes([index])}
    for extension in CONDITIONING:
        wanted = settings.wanted(extension.NAME)
        if wanted and (data := extension.encode(wanted, first)):
            streams[extension.SUBSTREAM] = data
    return streams


def read_conditioning(streams: Mapping[Substream, bytes], height: int, width: int, layered: bool) -> Conditioning:
    """What a GOP tells the generator; DamageError where a substream does not hold what it should."""
    index, strength = streams.get(Substream.TEXTURE), streams.get(Substream.STRENGTH)
    levels = streams.get(Substream.TEXTURE_LEVELS)
    if index is not None and (len(index) != 1 or not 1 <= index[0] <= MAX_TEXTURE):
        raise DamageError("the texture index of a chunk is not one byte in 1..63")
    if strength is not None and (len(strength) != 1 or strength[0] >= FULL):
        raise DamageError(f"the generator's strength of a chunk is not one byte in 0..{FULL - 1}")
    if layered and levels is not None and min(height, width) < 2:
        raise DamageError("a texture gap in a picture with a side of one sample")
    cells = -(-height // texture.CELL), -(-width // texture.CELL)
    found = texture.decode(levels, *cells) if levels else None
    return Conditioning(
        index[0] if index else 0,
        None if layered else found,
        found if layered else None,
        strength[0] if strength else FULL,
        read_extensions(streams, height, width),
    )


def read_extensions(streams: Mapping[Substream, bytes], height: int, width: int) -> dict[str, Any]:
    """What the substreams of extensions hold, by name; DamageError where one does not hold what it should."""
    there = (extension for extension in CONDITIONING if extension.SUBSTREAM in streams)
    return {extension.NAME: extension.decode(streams[extension.SUBSTREAM], height, width) for extension in there}


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Put the name of a GOP before what is found wrong in it."""
    try:
        yield
    except DamageError as error:
        raise DamageError(f"{place}: {error}") from None
