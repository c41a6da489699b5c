"""The sketch of a chunk (spec annex B): a binary edge map, each pixel coded in an adaptive context.

The context of a pixel is its four decoded neighbours (decisions of section 6.7).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurcodec.container import Substream
from neurcodec.entropy.binary import Binary
from neurcodec.entropy.rangecoder import Decoder, Encoder

NAME = "sketch"
SUBSTREAM = Substream.SKETCH

Edges = NDArray[np.bool_]

CELL = 8
"""Pixels of a sketch pixel's side."""


def encode(wanted: object, first: NDArray[np.uint8]) -> bytes:
    """The substream of the edges of a frame uint8 (H, W, 3); empty where there are none."""
    from neurcodec.extensions.sketch.edges import edges  # OpenCV is for encoding only

    return encode_edges(edges(first))


def decode(data: bytes, height: int, width: int) -> Edges:
    """The edge map bool (ceil(height / 8), ceil(width / 8)) of a picture; DamageError when the data do not fit."""
    return decode_edges(data, -(-height // CELL), -(-width // CELL))


def exact(value: Edges) -> bytes:
    """A byte for each pixel, in raster order."""
    return value.astype(np.uint8).tobytes()


def code_edges(coder: Encoder | Decoder, height: int, width: int, given: list[list[int]] | None) -> list[list[int]]:
    """Code an edge map (height, width) in raster order; `given` is what an encoder writes."""
    binary = Binary(coder)
    rows: list[list[int]] = []
    above = [0] * (width + 2)
    for y in range(height):
        line = [0]
        for x in range(width):
            context = line[x], above[x], above[x + 1], above[x + 2]
            line.append(binary.code(context, None if given is None else given[y][x]))
        rows.append(line[1:])
        above = [*line, 0]
    return rows


def encode_edges(edges: Edges) -> bytes:
    """The substream of an edge map bool (h, w); empty for a map without edges, which is no sketch."""
    coder = Encoder()
    height, width = edges.shape
    code_edges(coder, height, width, edges.astype(int).tolist())
    return coder.finish()


def decode_edges(data: bytes, height: int, width: int) -> Edges:
    """The edge map bool (height, width) of a substream; DamageError when the substream does not fit it."""
    coder = Decoder(data)
    edges = np.array(code_edges(coder, height, width, None), dtype=np.bool_)
    coder.finish()
    return edges
