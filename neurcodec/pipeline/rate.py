"""Rate control: which quality every chunk gets so that the whole file has a given size.

A first pass codes a few frames of each chunk at two qualities; from then on a chunk's size is taken to be exponential
in the quality. Bytes are shared out by complexity to the power of 0.6, as in x264: a chunk that needs many bytes gets
more than others, but not as many as equal quality would take. The second pass codes the chunks and corrects what is
left by the sizes that come in; further passes code single chunks again until the file fits.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from neurcodec.container import Gop, Substream
from neurcodec.errors import TargetError
from neurcodec.media import Frame
from neurcodec.pipeline.native import NativeCodec
from neurcodec.pipeline.options import MAX_QUALITY, EncodeOptions, EncodeReport

logger = logging.getLogger(__name__)

LOW, HIGH = 0.97, 1.01
"""A file of this share of the target's size meets it."""

_COMPLEXITY = 0.6
_PROBES = (20, 44)
_SAMPLE = 9  # frames of a chunk that are probed
_PASSES = 12
_FLATTEST = 0.005  # least slope of the logarithm of a size per quality step
_REACH = 6  # qualities up and down that a single chunk is moved at most


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

    def size(self, quality: float) -> float:
        """Bytes at a quality: measured, else from the nearest measured one, else from the model."""
        if self.gops:
            near = min(self.gops, key=lambda known: abs(known - quality))
            return max(1, payload(self.gops[near])) * math.exp(self.slope * (quality - near))
        return math.exp(self.base + self.slope * quality)

    def wanted(self, share: float) -> float:
        """The quality at which it takes `share` of its weight in bytes, within 0 to 63."""
        quality = (math.log(share * self.weight) - math.log(self.size(0))) / self.slope
        return min(float(MAX_QUALITY), max(0.0, quality))


class RateControl:
    """Stands between a job and its codec: decides every chunk's quality, and keeps what is coded.

    A job calls `take` and then, where that gives None, `encode` for each chunk in order.
    """

    def __init__(self, codec: NativeCodec) -> None:
        self.codec, self.model = codec, codec.model
        self.tick: Callable[[], None] | None = None
        self._chunks: list[_Chunk] = []
        self._probing = True
        self._at = 0
        self._overhead = 0
        self._target = 0

    def fit(self, run: Callable[[RateControl], EncodeReport], size: int | None, kbps: float | None) -> None:
        """Run the job without output until its file has `size` bytes, or `kbps`; TargetError where it cannot."""
        report = run(self)
        self._probing = False
        self._overhead = report.bytes
        self._target = size if size is not None else round((kbps or 0) * 125 * report.seconds)
        best: tuple[int, list[int]] | None = None
        for number in range(_PASSES):
            self._at = 0
            total = run(self).bytes
            self._overhead = total - sum(payload(chunk.gops[chunk.quality]) for chunk in self._chunks)
            logger.info("pass %d: %d bytes of %d", number + 2, total, self._target)
            if total <= HIGH * self._target and (best is None or total > best[0]):
                best = total, [chunk.quality for chunk in self._chunks]
            if LOW * self._target <= total <= self._target or not self._move(total):
                break
        if best is None or (best[0] < LOW * self._target and min(best[1]) == MAX_QUALITY):
            raise self._unreachable(total)
        for chunk, quality in zip(self._chunks, best[1], strict=True):
            chunk.quality = quality
        self._at = 0
        if best[0] < LOW * self._target:
            logger.warning("the file is %.1f %% below the target: too few chunks for a finer choice",
                           100 - 100 * best[0] / self._target)

    def take(self, frames: Sequence[Frame], options: EncodeOptions) -> Gop | None:
        """The next chunk, if it is coded at the quality that is planned for it."""
        if self._probing:
            return None
        chunk = self._chunks[self._at]
        if not chunk.gops:
            self._plan(self._at)
        gop = chunk.gops.get(chunk.quality)
        self._at += gop is not None
        return gop

    def encode(
        self, rgb: npt.NDArray[np.uint8], pts: tuple[int, ...], last_duration: int, quality: int, interval: int
    ) -> Gop:
        """Code the next chunk at the quality planned for it; in the first pass only probe it."""
        if self._probing:
            return self._probe(rgb, pts, last_duration, interval)
        chunk = self._chunks[self._at]
        self.codec.tick = self.tick
        gop = self.codec.encode(rgb, pts, last_duration, chunk.quality, interval)
        chunk.gops[chunk.quality] = gop
        self._refine(chunk)
        self._at += 1
        return gop

    def _probe(self, rgb: npt.NDArray[np.uint8], pts: tuple[int, ...], last_duration: int, interval: int) -> Gop:
        sample = rgb[:_SAMPLE]
        self.codec.tick = None
        gops = [self.codec.encode(sample, pts[: len(sample)], last_duration, q, interval) for q in _PROBES]
        logs = [math.log(max(1.0, _scaled(gop, len(sample), len(rgb)))) for gop in gops]
        slope = max(_FLATTEST, (logs[1] - logs[0]) / (_PROBES[1] - _PROBES[0]))
        middle, length = sum(logs) / 2, pts[-1] + last_duration - pts[0]
        weight = length * (math.exp(middle) / length) ** _COMPLEXITY
        self._chunks.append(_Chunk(weight, middle - slope * sum(_PROBES) / 2, slope))
        return replace(gops[0], pts=pts, last_duration=last_duration, substreams={})

    def _refine(self, chunk: _Chunk) -> None:
        """Take the slope from the two measured sizes around the planned quality."""
        known = sorted(chunk.gops, key=lambda quality: abs(quality - chunk.quality))[:2]
        if len(known) == 2:
            a, b = (math.log(max(1, payload(chunk.gops[quality]))) for quality in known)
            chunk.slope = max(_FLATTEST, (a - b) / (known[0] - known[1]))

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
        """Plan anew where much is missing, else move the one chunk that brings the file nearest; False: none does."""
        aim = 0.99 * self._target
        if abs(total - aim) > 0.05 * aim:
            before = [chunk.quality for chunk in self._chunks]
            self._plan(0)
            if before != [chunk.quality for chunk in self._chunks]:
                return True
        moves = []
        for chunk in self._chunks:
            for quality in range(max(0, chunk.quality - _REACH), min(MAX_QUALITY, chunk.quality + _REACH) + 1):
                miss = abs(total + chunk.size(quality) - chunk.size(chunk.quality) - aim)
                moves.append((miss, quality != chunk.quality, quality, chunk))
        _, moved, quality, chunk = min(moves, key=lambda move: move[:2])
        chunk.quality = quality
        return moved

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


def _scaled(gop: Gop, sampled: int, frames: int) -> float:
    """Bytes of a chunk of `frames` of which the first ones are in `gop`: the first frame's count once."""
    if sampled == frames:
        return payload(gop)
    first = len(gop.substreams.get(Substream.LATENTS_I, b""))
    return first + (payload(gop) - first) * (frames - 1) / (sampled - 1)
