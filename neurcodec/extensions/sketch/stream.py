"""The sketch of a chunk (spec annex B): a binary edge map, each pixel coded in an adaptive context.

The context of a pixel is its four decoded neighbours; each context has a probability that follows what was decoded in
it, in integers, and the range coder of section 6.1 codes the pixel with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurcodec.container import Substream
from neurcodec.entropy.rangecoder import Decoder, Encoder, ModelCache
from neurcodec.entropy.tables import TOTAL, Ints
from neurcodec.errors import DamageError

NAME = "sketch"
SUBSTREAM = Substream.SKETCH

Edges = NDArray[np.bool_]

CELL = 8
"""Pixels of a sketch pixel's side."""

_CONTEXTS = 16
_FIRST, _LAST = 4, 48  # the share 1 / n of a new pixel in a context's probability, from its first one on


def _table(index: int) -> Ints:
    one = (2 * index + 1) * (TOTAL >> 9)
    return np.array([TOTAL - one, one], dtype=np.int64)


_MODELS = ModelCache(_table)


class _Contexts:
    """The probability of an edge, of 65536, and the number n of every context."""

    def __init__(self) -> None:
        self.edge = [65536 * (context.bit_count() + 1) // 6 for context in range(_CONTEXTS)]
        self.number = [_FIRST] * _CONTEXTS

    def model(self, context: int) -> object:
        """What to code a pixel with."""
        return _MODELS[self.edge[context] >> 8]

    def update(self, context: int, pixel: int) -> None:
        """Move the context towards the pixel coded in it."""
        self.edge[context] += (65535 * pixel - self.edge[context]) // self.number[context]
        self.number[context] = min(_LAST, self.number[context] + 1)


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


def encode_edges(edges: Edges) -> bytes:
    """The substream of an edge map bool (h, w); empty for a map without edges, which is no sketch."""
    if not edges.any():
        return b""
    coder, contexts = Encoder(), _Contexts()
    above = [0] * (edges.shape[1] + 2)
    for row in edges.astype(int).tolist():
        line = [0]
        for x, pixel in enumerate(row):
            context = line[x] | above[x] << 1 | above[x + 1] << 2 | above[x + 2] << 3
            coder.symbol(pixel, contexts.model(context))
            contexts.update(context, pixel)
            line.append(pixel)
        above = [*line, 0]
    return coder.finish()


def decode_edges(data: bytes, height: int, width: int) -> Edges:
    """The edge map bool (height, width) of a substream; DamageError when the substream does not fit it."""
    coder, contexts = Decoder(data), _Contexts()
    edges = np.zeros((height, width), dtype=np.bool_)
    above = [0] * (width + 2)
    for y in range(height):
        line = [0]
        for x in range(width):
            context = line[x] | above[x] << 1 | above[x + 1] << 2 | above[x + 2] << 3
            pixel = coder.symbol(contexts.model(context))
            contexts.update(context, pixel)
            line.append(pixel)
        edges[y] = line[1:]
        above = [*line, 0]
    coder.finish()
    if not edges.any():
        raise DamageError("a sketch without edges; the file is damaged")
    return edges
