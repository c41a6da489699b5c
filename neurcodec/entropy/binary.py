"""Adaptive binary decisions (spec section 6.7), each guessed by one context or mixed of the guesses of several.

A context has a probability that follows what was decided in it, in integers; no network is involved. Motion, texture
levels, the heads of a base layer, captions and sketches are coded with these.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from neurcodec.entropy.rangecoder import Decoder, Encoder, ModelCache

SQUASH = (
    1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048,
    2550, 2994, 3349, 3608, 3785, 3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095,
)  # fmt: skip
"""4096 / (1 + exp(-x)) at x = -8, -7.5, ... 8."""
NEW = 32768, 0
"""A context that was not used: its probability of a 1, of 65536, and how often it was used."""
LIMIT = 30
"""From so many uses on a context's probability follows at the same pace."""
FIRST_WEIGHT = 19661
"""Of a guess in a mixture, 0.3 times 65536."""
MAX_WEIGHT = 1 << 20

Context = tuple[int, ...]

TABLES = ModelCache(lambda ones: np.array([(4096 - ones) << 12, ones << 12], dtype=np.int64))
"""Table k: the probability of a 1 is k / 4096."""


def squash(odds: int) -> int:
    """A probability 1..4095, of 4096, from its logarithmic odds -2047..2047, in 256ths."""
    place, part = divmod(odds + 2048, 128)
    return (SQUASH[place] * (128 - part) + SQUASH[place + 1] * part + 64) >> 7


@cache
def stretched() -> list[int]:
    """The inverse of `squash`: for each probability 0..4095 the least odds that reach it."""
    odds = list(range(-2047, 2048))
    places = np.searchsorted([squash(x) for x in odds], np.arange(4096))
    return [odds[place] for place in places.tolist()]


class Binary:
    """Decisions to an encoder or from a decoder. `like` is what has learned before them."""

    def __init__(self, coder: Encoder | Decoder, like: Binary | None = None) -> None:
        self.coder = coder
        self.states: dict[Context, tuple[int, int]] = dict(like.states) if like else {}
        self.weights: dict[Context, int] = dict(like.weights) if like else {}

    def code(self, context: Context, bit: int | None) -> int:
        """Code one decision in one context; `bit` is what an encoder writes."""
        state = self.states.get(context, NEW)
        bit = self._code((state[0] >> 5 << 1) + 1, bit)
        self._learn(context, state, bit)
        return bit

    def mixed(self, contexts: Sequence[Context], place: int, bit: int | None) -> int:
        """Code one decision that several contexts guess; place: which weights their guesses have."""
        stretch = stretched()
        states = [self.states.get(context, NEW) for context in contexts]
        guesses = [stretch[probability >> 4] for probability, _ in states]
        keys = [(place, number, min(used, 3)) for number, (_, used) in enumerate(states)]
        weights = [self.weights.get(key, FIRST_WEIGHT) for key in keys]
        odds = sum(weight * guess for weight, guess in zip(weights, guesses, strict=True)) >> 16
        ones = squash(max(-2047, min(2047, odds)))
        bit = self._code(ones, bit)
        error = (bit << 12) - ones
        for key, weight, guess in zip(keys, weights, guesses, strict=True):
            self.weights[key] = max(-MAX_WEIGHT, min(MAX_WEIGHT, weight + ((error * guess + 512) >> 10)))
        for context, state in zip(contexts, states, strict=True):
            self._learn(context, state, bit)
        return bit

    def byte(self, contexts: Sequence[Context], place: int, value: int | None) -> int:
        """Code one byte, highest bit first; the bits before are part of every context."""
        found = 1
        for shift in range(7, -1, -1):
            bit = None if value is None else value >> shift & 1
            found = 2 * found + self.mixed([(found, *context) for context in contexts], place, bit)
        return found - 256

    def _code(self, ones: int, bit: int | None) -> int:
        if isinstance(self.coder, Decoder):
            return self.coder.symbol(TABLES[ones])
        if bit is None:
            raise ValueError("an encoder needs the symbols")
        self.coder.symbol(bit, TABLES[ones])
        return bit

    def _learn(self, context: Context, state: tuple[int, int], bit: int) -> None:
        probability, used = state
        pace = 131072 // (2 * min(used, LIMIT) + 3)
        self.states[context] = probability + ((65535 * bit - probability) * pace >> 16), used + 1
