"""A self-test of the latents' arithmetic that needs no model: random integers through the prior and the range coder.

`python -m neurcodec.entropy.selftest` prints the digest and exits with 1 unless it is `EXPECTED`, which every machine,
numpy and number of threads must give.
"""

from __future__ import annotations

import hashlib
import sys

import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.prior import PriorState, PriorWeights
from neurcodec.entropy.rangecoder import Decoder, Encoder, ModelCache
from neurcodec.entropy.tables import TOTAL

EXPECTED = "f4ee02fecc5a53928196ccea6b182e442d98802d7dc38ba97ba4e573825f5f7f"
_CHANNELS, _CLASSES, _PLANES, _HIDDEN, _GRID = 24, 5, 28, 64, (44, 60)
_SYMBOLS = 16


class _Integers:
    """Random integers that do not depend on numpy's generators: the bytes of SHAKE-256."""

    def __init__(self) -> None:
        self._number = 0

    def draw(self, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
        """Integers low..high."""
        self._number += 1
        count = int(np.prod(shape))
        data = hashlib.shake_256(self._number.to_bytes(4, "little")).digest(4 * count)
        return np.frombuffer(data, "<u4").astype(np.int64).reshape(shape) % (high - low + 1) + low


def digest() -> str:
    """SHA-256, hexadecimal, of table indexes, means and coded bytes of random inputs.

    The sums reach the rounding and the clamping of every layer. Raises ValueError when decoding does not give back
    what was encoded.
    """
    source, total = _Integers(), hashlib.sha256()
    state = PriorState(_weights(source), source.draw((_PLANES, *_GRID), -8192, 8191).astype(np.float64))
    counts = source.draw((4, _SYMBOLS), 1, 1 << 16)
    models = ModelCache(lambda index: _table(index, counts))
    encoder, coded = Encoder(), []
    for number in range(4):
        rows, columns = state.start_pass(number)
        classes = source.draw(rows.shape, 0, _CLASSES - 1)
        means, indexes = state.value_tables(classes)
        for plane in (state.class_tables(), means, indexes):
            total.update(plane.astype("<i8").tobytes())
        values = np.clip(means + source.draw(means.shape, -3, 3), -200, 200)
        state.put(rows, columns, classes, values)
        symbols = source.draw(indexes.shape, 0, _SYMBOLS - 1).ravel()
        encoder.symbols(symbols, indexes.ravel() % 4, models)
        coded.append((symbols, indexes.ravel() % 4))
    data = encoder.finish()
    decoder = Decoder(data)
    if not all(np.array_equal(decoder.symbols(indexes, models), symbols) for symbols, indexes in coded):
        raise ValueError("the range coder does not decode what it encoded")
    decoder.finish()
    total.update(data)
    return total.hexdigest()


def _weights(source: _Integers) -> PriorWeights:
    def draw(*shape: int, reach: int = 60) -> NDArray[np.float64]:
        return source.draw(shape, -reach, reach).astype(np.float64)

    return PriorWeights(
        context=draw(_HIDDEN, 9 * _PLANES), context_bias=draw(_HIDDEN, reach=1 << 20),
        current=draw(4, _HIDDEN, (_CHANNELS + 2) * 9), current_bias=draw(4, _HIDDEN, reach=1 << 20),
        hidden=draw(_HIDDEN, _HIDDEN), hidden_bias=draw(_HIDDEN, reach=1 << 20),
        classes=draw(2, _HIDDEN, reach=2), classes_bias=draw(2, reach=1 << 16),
        class_embedding=draw(_CLASSES, _HIDDEN, reach=4096),
        values=draw(2 * _CHANNELS, _HIDDEN, reach=8), values_bias=draw(2 * _CHANNELS, reach=1 << 16),
        taps=draw(4, _CHANNELS, 9), previous=draw(_CHANNELS), shift=4,
    )  # fmt: skip


def _table(index: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """A table of 16 symbols whose frequencies sum to 2^24."""
    table = counts[index].copy()
    table[0] += TOTAL - table.sum()
    return table


if __name__ == "__main__":
    result = digest()
    sys.stdout.write(result + "\n")
    sys.exit(result != EXPECTED)
