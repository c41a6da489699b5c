"""The range coder (spec section 6.1): constriction's queue coder with our integer tables, and raw bits.

64-bit state, 32-bit words, 24-bit probabilities; a substream is a fraction in base 256. Symbols of one call are coded
table by table (ascending table index), within a table in the order given; so a call costs one library call per table in
use.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import constriction
import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.tables import Ints
from neurcodec.errors import DamageError

Categorical = constriction.stream.model.Categorical


def exact_model(frequencies: Ints) -> object:
    """The constriction model that codes exactly these integer frequencies (sum 2^24, each at least 1)."""
    return Categorical((frequencies - 1).astype(np.float64), perfect=False)


BIT = exact_model(np.array([1 << 23, 1 << 23], dtype=np.int64))


class ModelCache:
    """Tables as constriction models, built when first used."""

    def __init__(self, tables: Callable[[int], Ints]) -> None:
        self.tables = tables
        self.models: dict[int, object] = {}

    def __getitem__(self, index: int) -> object:
        if index not in self.models:
            self.models[index] = exact_model(self.tables(index))
        return self.models[index]


def grouped(indexes: Ints) -> tuple[NDArray[np.intp], list[tuple[int, int, int]]]:
    """The coding order of symbols with these table indexes, and its runs as (table, start, stop)."""
    order = np.argsort(indexes, kind="stable")
    sorted_indexes = indexes[order]
    starts: Ints | list[int] = (
        np.flatnonzero(np.r_[True, sorted_indexes[1:] != sorted_indexes[:-1]]) if len(order) else []
    )
    bounds = [*starts, len(order)]
    return order, [(int(sorted_indexes[a]), int(a), int(b)) for a, b in itertools.pairwise(bounds)]


class Encoder:
    """Codes symbols into bytes."""

    def __init__(self) -> None:
        self.coder = constriction.stream.queue.RangeEncoder()

    def symbols(self, symbols: Ints, indexes: Ints, models: ModelCache) -> None:
        """Code symbols (each in its table's support), grouped by table."""
        order, runs = grouped(indexes)
        ordered = symbols[order].astype(np.int32)
        for table, start, stop in runs:
            self.coder.encode(ordered[start:stop], models[table])

    def bits(self, value: int, count: int) -> None:
        """Code `count` equiprobable bits of a value, highest first."""
        digits = [(value >> position) & 1 for position in reversed(range(count))]
        if digits:
            self.coder.encode(np.array(digits, dtype=np.int32), BIT)

    def symbol(self, symbol: int, model: object) -> None:
        """Code one symbol."""
        self.coder.encode(symbol, model)

    def finish(self) -> bytes:
        """The substream: of the fractions in the last interval the least of those with the fewest bytes."""
        words = self.coder.get_compressed()
        count, (low, span) = self.coder.pos()
        size = 4 * count + 8
        low = (int.from_bytes(words.astype(">u4").tobytes(), "big") << 8 * (size - 4 * len(words))) - (-low % 2**32)
        for shift in range(64, -1, -8):
            value = -(-low >> shift) << shift
            if value < low + span:
                break
        return value.to_bytes(size, "big").rstrip(b"\0")


class Decoder:
    """Decodes what `Encoder` coded. What it decodes it codes again: a substream is the one that an encoder writes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.again = data, Encoder()
        words = np.frombuffer(data + bytes(-len(data) % 4), dtype=">u4").astype(np.uint32)
        self.coder = constriction.stream.queue.RangeDecoder(words)

    def symbols(self, indexes: Ints, models: ModelCache) -> Ints:
        """Decode one symbol per table index."""
        order, runs = grouped(indexes)
        ordered = np.empty(len(order), dtype=np.int64)
        for table, start, stop in runs:
            ordered[start:stop] = self._decode(models[table], stop - start)
        symbols = np.empty(len(order), dtype=np.int64)
        symbols[order] = ordered
        return symbols

    def bits(self, count: int) -> int:
        """Decode `count` equiprobable bits, highest first."""
        value = 0
        for digit in self._decode(BIT, count) if count else ():
            value = 2 * value + int(digit)
        return value

    def symbol(self, model: object) -> int:
        """Decode one symbol."""
        return int(self._decode(model, 1)[0])

    def _decode(self, model: object, count: int) -> NDArray[np.int32]:
        try:
            symbols: NDArray[np.int32] = self.coder.decode(model, count)
        except AssertionError as error:
            raise DamageError("range-coded substream is not decodable; the file is damaged") from error
        self.again.coder.encode(symbols, model)
        return symbols

    def finish(self) -> None:
        """Check that the substream is used up, and is the only one of its symbols."""
        if self.again.finish() != self.data:
            raise DamageError("a range-coded substream does not end as an encoder ends it; the file is damaged")
