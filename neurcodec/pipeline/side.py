"""The side streams of a chunk, caption and sketch, to and from its substreams (spec sections 4.3.1 and 6.6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurcodec.container import Gop, Header, Substream
from neurcodec.container.caption import pack_caption, unpack_caption
from neurcodec.entropy import sketch
from neurcodec.entropy.sketch import CELL
from neurcodec.pipeline.options import EncodeOptions

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


def caption_of(gop: Gop) -> str:
    """The caption of a chunk, or ""."""
    data = gop.substreams.get(Substream.CAPTION)
    return unpack_caption(data) if data else ""


def sketch_of(gop: Gop, header: Header) -> npt.NDArray[np.bool_] | None:
    """The sketch of a chunk, if it has one: bool (ceil(height / 8), ceil(width / 8)); DamageError if it has another."""
    data = gop.substreams.get(Substream.SKETCH)
    return sketch.decode(data, -(-header.height // CELL), -(-header.width // CELL)) if data else None
