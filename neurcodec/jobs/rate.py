"""Rate control: which quality every chunk gets so that the whole file has a given size.

First a few frames of each chunk are coded at two qualities; from then on a chunk's size is taken to be exponential in
the quality. Bytes are shared out by complexity to the power of 0.6, as in x264: a chunk that needs many bytes gets more
than others, but not as many as equal quality would take. Then the file is written, and the plan corrected after every
few chunks by the sizes that come in; it is written again, with single chunks at other qualities, until it fits.
"""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from neurcodec.codec.settings import MAX_QUALITY
from neurcodec.codec.symbols import CONDITIONING_STREAMS
from neurcodec.container import Gop, Substream
from neurcodec.entropy import temporal_units
from neurcodec.errors import TargetError

logger = logging.getLogger(__name__)

LOW, HIGH = 0.97, 1.01
"""A file of this share of the target's size meets it."""
PROBES = (20, 44)
"""Qualities at which a sample of each chunk is coded."""
SAMPLE = 9
"""Frames of a sample, at most."""
CHUNK_BYTES, FILE_BYTES = 64, 400
"""Of the container, about: of each chunk, and of the file besides."""

TYPICAL_PASSES = 3
"""How often a file is written: 2.9 times on average in 60 simulations as in tests/test_rate_layered.py, 8 at most."""

_COMPLEXITY = 0.6
_BLOCK = 4  # chunks that are coded before the plan is corrected: the same, however many are coded side by side
_PASSES = 12
_FLATTEST = 0.01  # least slope of the logarithm of a size per quality step
_REACH = 6  # qualities up and down that a single chunk is moved at most
_PAIRS = 12  # of more chunks only one is moved at a time, which is fine enough
_Steps = tuple[tuple[int, int], ...]  # chunks and their new qualities


@dataclass
class _Chunk:
    """What is known of one chunk: its share of the bytes relative to others', the model of its size's logarithm (`base`
    at quality 0, `slope` per step), what it was coded to, and the quality planned for it.
    """

    weight: float
    base: float
    slope: float
    gops: dict[int, Gop] = field(default_factory=dict)
    quality: int = 0
    points: list[tuple[int, float]] = field(default_factory=list)

    def add(self, gop: Gop) -> None:
        """Note what it was coded to; the logarithms of the sizes are kept in rising order."""
        self.gops[gop.quality] = gop
        known = sorted((quality, math.log(max(1, payload(gop)))) for quality, gop in self.gops.items())
        highest = accumulate((size for _, size in known), max)
        self.points = [(quality, size) for (quality, _), size in zip(known, highest, strict=True)]

    def size(self, quality: float) -> float:
        """Bytes at a quality: measured, else between the measured ones around it, else as the slope says."""
        measured = self.gops.get(round(quality)) if quality == round(quality) else None
        return float(max(1, payload(measured))) if measured else math.exp(self._along(quality, 0, 1))

    def wanted(self, share: float) -> float:
        """The quality at which it takes `share` of its weight in bytes, within 0 to 63."""
        return min(float(MAX_QUALITY), max(0.0, self._along(math.log(share * self.weight), 1, 0)))

    def _along(self, value: float, known: int, sought: int) -> float:
        """Where the curve through the measured points, with `slope` outside of them, has `value`."""
        points = self.points or [(0, self.base)]
        place = bisect_left(points, value, key=lambda point: point[known])
        if 0 < place < len(points):
            low, high = points[place - 1], points[place]
            share = (value - low[known]) / (high[known] - low[known])
            return low[sought] + share * (high[sought] - low[sought])
        near = points[0] if place == 0 else points[-1]
        step = value - near[known]
        return near[sought] + (step * self.slope if sought else step / self.slope)


class RatePlan:
    """The qualities of a file's chunks, from what is observed of their sizes; it reads, codes and writes nothing.

    `add` every chunk, `begin`; then write the file as often as `settled` says no, with `quality` for each chunk, which
    is asked for in order, and `observe` for what it was coded to.
    """

    def __init__(self, size: int | None, kbps: float | None) -> None:
        """The target: bytes of the whole file, or kilobits (1000) per second."""
        self._size, self._kbps = size, kbps
        self._chunks: list[_Chunk] = []
        self._target = self._overhead = self._passes = 0
        self._seconds = 0.0
        self._tried: set[tuple[int, ...]] = set()
        self._best: tuple[int, tuple[int, ...]] | None = None
        self._chosen = False

    def add(self, frames: int, length: int, seconds: float, samples: Sequence[Gop]) -> None:
        """The next chunk: its frames, its length in ticks and seconds, and its first frames coded at PROBES."""
        logs = [math.log(max(1.0, scaled(gop, gop.frames, frames))) for gop in samples]
        slope = max(_FLATTEST, (logs[1] - logs[0]) / (PROBES[1] - PROBES[0]))
        middle, length = sum(logs) / 2, max(1, length)
        weight = length * (math.exp(middle) / length) ** _COMPLEXITY
        self._chunks.append(_Chunk(weight, middle - slope * sum(PROBES) / 2, slope))
        self._seconds += seconds

    def begin(self, copied: int) -> None:
        """All chunks are added; copied: bytes of the packets beside them."""
        self._target = self._size if self._size is not None else round((self._kbps or 0) * 125 * self._seconds)
        self._overhead = copied + FILE_BYTES + CHUNK_BYTES * len(self._chunks)

    def looks_back(self, number: int) -> bool:
        """Should all chunks before this one be observed before its quality is asked for?"""
        return number % _BLOCK == 0 and not self._chunks[number].gops

    def quality(self, number: int) -> int:
        """The quality of a chunk."""
        if self.looks_back(number):
            self._plan(number)
        return self._chunks[number].quality

    def observe(self, number: int, gop: Gop) -> None:
        """What a chunk was coded to."""
        self._chunks[number].add(gop)

    def settled(self, total: int) -> bool:
        """Is the file of `total` bytes that has just been written the one to keep? TargetError where none will be."""
        self._overhead = total - sum(payload(chunk.gops[chunk.quality]) for chunk in self._chunks)
        if self._chosen:
            return True
        self._passes += 1
        logger.info("pass %d: %d bytes of %d", self._passes, total, self._target)
        if total <= HIGH * self._target and (self._best is None or total > self._best[0]):
            self._best = total, self._qualities()
        if LOW * self._target <= total <= self._target:
            return True
        ends = set(self._qualities()) == {MAX_QUALITY if total < self._target else 0}
        if not ends and self._passes < _PASSES and self._move(total):
            return False
        return self._choose(total)

    def _choose(self, total: int) -> bool:
        """Settle for the best file so far; False: it is not the one just written."""
        best = self._best
        if best is None or (set(best[1]) == {MAX_QUALITY} and best[0] < LOW * self._target):
            raise self._unreachable(total)
        if best[0] < LOW * self._target:
            short = 100 - 100 * best[0] / self._target
            logger.warning("the file is %.1f %% below the target: too few chunks for a finer choice", short)
        self._chosen = True
        written = self._qualities() == best[1] and total == best[0]
        self._set(best[1])
        return written

    def _plan(self, first: int) -> None:
        """Share what the chunks before `first` leave of the target among the others."""
        done, rest = self._chunks[:first], self._chunks[first:]
        drift = [math.log(chunk.size(chunk.quality)) - chunk.base - chunk.slope * chunk.quality for chunk in done]
        factor = math.exp(sum(drift) / len(drift)) if drift else 1.0
        spent = self._overhead + sum(chunk.size(chunk.quality) for chunk in done)
        budget = max(1.0, (0.99 * self._target - spent) / factor)
        low, high = -40.0, 60.0
        for _ in range(60):
            middle = (low + high) / 2
            share = math.exp(middle)
            if sum(chunk.size(chunk.wanted(share)) for chunk in rest) > budget:
                high = middle
            else:
                low = middle
        for chunk in rest:
            chunk.quality = round(chunk.wanted(math.exp(low)))

    def _move(self, total: int) -> bool:
        """Plan anew where much is missing, else move one or two chunks as little as meets the target; False: none does.

        What was tried before is not tried again.
        """
        aim = 0.99 * self._target
        self._tried.add(self._qualities())
        if abs(total - aim) > 0.05 * aim:
            before = self._qualities()
            self._plan(0)
            if self._qualities() not in self._tried:
                return True
            self._set(before)
        best = min(self._moves(total, aim), default=None)
        if best is None:
            return False
        for place, quality in best[2]:
            self._chunks[place].quality = quality
        return True

    def _moves(self, total: int, aim: float) -> Iterator[tuple[float, int, _Steps]]:
        """Untried changes of one or two chunks' qualities: how far they are expected to miss, steps, the changes."""
        gains: list[tuple[float, int, int, int]] = [(0.0, 0, 0, self._chunks[0].quality)]
        for place, chunk in enumerate(self._chunks):
            for quality in range(max(0, chunk.quality - _REACH), min(MAX_QUALITY, chunk.quality + _REACH) + 1):
                if quality != chunk.quality:
                    gain = chunk.size(quality) - chunk.size(chunk.quality)
                    gains.append((gain, abs(quality - chunk.quality), place, quality))
        now = self._qualities()
        others = gains if len(self._chunks) <= _PAIRS else gains[:1]
        for first, steps, place, quality in gains[1:]:
            for second, more, other, level in others:
                if more and other <= place:
                    continue
                miss = abs(total + first + second - aim)
                changes: _Steps = ((place, quality), (other, level)) if more else ((place, quality),)
                plan = list(now)
                for where, what in changes:
                    plan[where] = what
                if tuple(plan) not in self._tried:
                    yield (0.0 if miss <= 0.008 * aim else miss), steps + more, changes

    def _qualities(self) -> tuple[int, ...]:
        return tuple(chunk.quality for chunk in self._chunks)

    def _set(self, qualities: Sequence[int]) -> None:
        for chunk, quality in zip(self._chunks, qualities, strict=True):
            chunk.quality = quality

    def _unreachable(self, total: int) -> TargetError:
        qualities = {chunk.quality for chunk in self._chunks}
        if qualities == {0}:
            found = f"the smallest file, at quality 0, has {total:,} ({self._overhead:,} of sound and container)"
        elif qualities == {MAX_QUALITY}:
            found = f"the largest file, at quality {MAX_QUALITY}, has {total:,}"
        else:
            found = f"the nearest found has {total:,}; a shorter --gop allows a finer choice"
        return TargetError(f"the target of {self._target:,} bytes is out of reach: {found}")


def payload(gop: Gop) -> int:
    """Bytes of a chunk that depend on its quality."""
    return sum(map(len, gop.substreams.values()))


def scaled(gop: Gop, sampled: int, frames: int) -> float:
    """Bytes of a chunk of `frames` of which `gop` has the first ones: the first frame and conditioning count once."""
    if sampled == frames:
        return payload(gop)
    first = len(temporal_units.decode(gop)[0]) if gop.base else len(gop.substreams.get(Substream.LATENTS_I, b""))
    first += sum(len(gop.substreams.get(stream, b"")) for stream in CONDITIONING_STREAMS)
    return first + (payload(gop) - first) * (frames - 1) / (sampled - 1)
