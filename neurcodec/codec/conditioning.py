"""A chunk's conditioning of the generator, to and from its substreams (spec 6.9, 7.2 and 8.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neurcodec.container import Gop, Header, Substream
from neurcodec.entropy import texture
from neurcodec.entropy.conditioning import FULL, Conditioning
from neurcodec.errors import DamageError
from neurcodec.extensions.streams import CONDITIONING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.codec.settings import Settings

MAX_TEXTURE = 63
STREAMS = (
    Substream.TEXTURE,
    Substream.TEXTURE_MAP,
    Substream.TEXTURE_GAP,
    Substream.STRENGTH,
    *(extension.SUBSTREAM for extension in CONDITIONING),
)
"""All substreams of conditioning."""


def write_conditioning(first: npt.NDArray[np.uint8], index: int, settings: Settings) -> dict[Substream, bytes]:
    """The substreams of the texture index 1..63 and of extensions; first: the chunk's first frame uint8 (H, W, 3)."""
    streams = {Substream.TEXTURE: bytes([index])}
    for extension in CONDITIONING:
        wanted = settings.wanted(extension.NAME)
        if wanted and (data := extension.encode(wanted, first)):
            streams[extension.SUBSTREAM] = data
    return streams


def read_conditioning(gop: Gop, header: Header) -> Conditioning:
    """What a GOP tells the generator; DamageError where a substream does not hold what it should."""
    streams, size = gop.substreams, (header.height, header.width)
    index, strength = streams.get(Substream.TEXTURE), streams.get(Substream.STRENGTH)
    levels, gap = streams.get(Substream.TEXTURE_MAP), streams.get(Substream.TEXTURE_GAP)
    if index is not None and (len(index) != 1 or not 1 <= index[0] <= MAX_TEXTURE):
        raise DamageError("the texture index of a chunk is not one byte in 1..63")
    if strength is not None and (len(strength) != 1 or strength[0] >= FULL):
        raise DamageError(f"the generator's strength of a chunk is not one byte in 0..{FULL - 1}")
    if gap is not None and min(size) < 2:
        raise DamageError("a texture gap in a picture with a side of one sample")
    cells = -(-header.height // texture.CELL), -(-header.width // texture.CELL)
    return Conditioning(
        index[0] if index else 0,
        texture.decode(levels, *cells) if levels else None,
        texture.decode(gap, *cells) if gap else None,
        strength[0] if strength else FULL,
        read_extensions(streams, *size),
    )


def read_extensions(streams: Mapping[Substream, bytes], height: int, width: int) -> dict[str, Any]:
    """What the substreams of extensions hold, by name; DamageError where one does not hold what it should."""
    there = (extension for extension in CONDITIONING if extension.SUBSTREAM in streams)
    return {extension.NAME: extension.decode(streams[extension.SUBSTREAM], height, width) for extension in there}
