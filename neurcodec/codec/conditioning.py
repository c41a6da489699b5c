"""A GOP's conditioning of the generator, to and from its substreams (spec 4.3.1, 6.8, 6.9, 7.2 and 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurcodec.container import Gop, Header, Substream
from neurcodec.container.caption import pack_caption, unpack_caption
from neurcodec.entropy import sketch, texture
from neurcodec.entropy.hints import FULL, Hints
from neurcodec.errors import DamageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.codec.settings import Settings

MAX_TEXTURE = 63
STREAMS = (
    Substream.CAPTION,
    Substream.SKETCH,
    Substream.TEXTURE,
    Substream.TEXTURE_MAP,
    Substream.TEXTURE_GAP,
    Substream.STRENGTH,
)


def encode(first: npt.NDArray[np.uint8], index: int, settings: Settings) -> dict[Substream, bytes]:
    """The substreams of what the settings want and of the texture index 1..63; first: frame uint8 (H, W, 3)."""
    streams = {}
    if settings.caption:
        streams[Substream.CAPTION] = pack_caption(settings.caption)
    if settings.sketch:
        from neurcodec.analysis.edges import edges  # OpenCV is for encoding only

        if data := sketch.encode(edges(first)):
            streams[Substream.SKETCH] = data
    streams[Substream.TEXTURE] = bytes([index])
    return streams


def decode(gop: Gop, header: Header) -> Hints:
    """What a GOP tells the generator; DamageError where a substream does not hold what it should."""
    streams = gop.substreams
    caption, lines = streams.get(Substream.CAPTION), streams.get(Substream.SKETCH)
    index, strength = streams.get(Substream.TEXTURE), streams.get(Substream.STRENGTH)
    levels, gap = streams.get(Substream.TEXTURE_MAP), streams.get(Substream.TEXTURE_GAP)
    if index is not None and (len(index) != 1 or not 1 <= index[0] <= MAX_TEXTURE):
        raise DamageError("the texture index of a chunk is not one byte in 1..63")
    if strength is not None and (len(strength) != 1 or strength[0] >= FULL):
        raise DamageError(f"the generator's strength of a chunk is not one byte in 0..{FULL - 1}")
    if gap is not None and min(header.width, header.height) < 2:
        raise DamageError("a texture gap in a picture with a side of one sample")
    return Hints(
        unpack_caption(caption) if caption else "",
        sketch.decode(lines, *cells(header, sketch.CELL)) if lines else None,
        index[0] if index else 0,
        texture.decode(levels, *cells(header, texture.CELL)) if levels else None,
        texture.decode(gap, *cells(header, texture.CELL)) if gap else None,
        strength[0] if strength else FULL,
    )


def cells(header: Header, side: int) -> tuple[int, int]:
    """Rows and columns of cells of `side` pixels in a picture."""
    return -(-header.height // side), -(-header.width // side)
