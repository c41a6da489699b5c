"""The side streams of a chunk, caption, sketch and texture, to and from its substreams (spec 4.3.1 and 6.8)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurcodec.container import Gop, Header, Substream
from neurcodec.container.caption import pack_caption, unpack_caption
from neurcodec.entropy import sketch
from neurcodec.entropy.sketch import CELL
from neurcodec.errors import DamageError
from neurcodec.pipeline.options import EncodeOptions

MAX_TEXTURE = 63
STREAMS = (Substream.CAPTION, Substream.SKETCH)


def encode(first: npt.NDArray[np.uint8], options: EncodeOptions) -> dict[Substream, bytes]:
    """The side streams that a file's options want for the chunk with this first frame, uint8 (H, W, 3)."""
    from neurcodec.pipeline.edges import edges  # OpenCV is for encoding only

    streams = {}
    if options.caption:
        streams[Substream.CAPTION] = pack_caption(options.caption)
    if options.sketch and (data := sketch.encode(edges(first))):
        streams[Substream.SKETCH] = data
    return streams


def encode_texture(rgb: npt.NDArray[np.uint8]) -> dict[Substream, bytes]:
    """The texture index of a chunk's frames, uint8 (T, H, W, 3)."""
    from neurcodec.media.texture import texture_index  # OpenCV is for encoding only

    return {Substream.TEXTURE: bytes([texture_index(rgb)])}


def texture_of(gop: Gop) -> int:
    """The texture index of a chunk, 1..63, or 0 where it has none; DamageError for anything else."""
    data = gop.substreams.get(Substream.TEXTURE)
    if data is None:
        return 0
    if len(data) != 1 or not 1 <= data[0] <= MAX_TEXTURE:
        raise DamageError("the texture index of a chunk is not one byte in 1..63")
    return data[0]


def caption_of(gop: Gop) -> str:
    """The caption of a chunk, or ""."""
    data = gop.substreams.get(Substream.CAPTION)
    return unpack_caption(data) if data else ""


def sketch_of(gop: Gop, header: Header) -> npt.NDArray[np.bool_] | None:
    """The sketch of a chunk, if it has one: bool (ceil(height / 8), ceil(width / 8)); DamageError if it has another."""
    data = gop.substreams.get(Substream.SKETCH)
    return sketch.decode(data, -(-header.height // CELL), -(-header.width // CELL)) if data else None
