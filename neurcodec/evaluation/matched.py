"""Pictures at the same bytes: of each clip one of our files, and of every peer one within TOLERANCE of its size.

Only the encoder with the coarsest quantiser cannot come close to any size, so it goes first: of our quality indexes
near the rate, the first is shown whose size it can have. The others' quantisers are chosen for that.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurcodec.evaluation import clips
from neurcodec.evaluation.cache import Cache, Point
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.codecs import Codec, Setting
from neurcodec.evaluation.curves import hull

RATE = 0.005
"""Bits per pixel that is shown, about: in the middle of what this codec is for."""
TOLERANCE = 0.03
TRIES = 6
NEIGHBOURS = (0, 1, -1, 2, -2)
"""Steps of our quality from the one nearest to RATE, until the first encoder can have its size."""
VERSION = 3
"""Part of the cache key: raise it when other files or frames are chosen."""

Sizes = dict[float, int]
"""Bytes by the value of a setting."""
Chosen = tuple[Setting, int]
"""A setting and its bytes."""


@dataclass(frozen=True)
class Version:
    """Pictures of one curve, uint8 (H, W, 3), for each shown frame; `size`: bytes of the whole clip, None: source."""

    name: str
    setting: str
    size: int | None
    pictures: list[Frames]

    def caption(self, pixels: int) -> str:
        """Setting and size, for a clip of so many pixels."""
        if self.size is None:
            return self.name
        return f"{self.name} {self.setting}: {self.size:,} bytes, {self.size * 8 / pixels:.4f} bits per pixel"


@dataclass(frozen=True)
class Shown:
    """What is shown of a clip: numbers of the frames, and the source, ours, and the peers at the same bytes."""

    frames: list[int]
    versions: list[Version]


def frames_of(clip: Clip) -> list[int]:
    """Three frames: an early one, the showcase, a late one."""
    count = len(clip.frames)
    return sorted({count // 6, clip.showcase, 5 * count // 6})


def show(clip: Clip, codecs: Sequence[Codec], points: Sequence[Point], store: Cache) -> Shown | None:
    """The pictures of a clip, from the cache where they are there; None without our codec or its points.

    Of an encoder with several presets the last one is shown.
    """
    ours = next((codec for codec in codecs if codec.ours), None)
    if ours is None or not any(point.curve in ours.curves for point in points):
        return None
    peers = list({codec.name.split("-")[0]: codec for codec in codecs if not codec.ours}.values())
    numbers = frames_of(clip)
    key: dict[str, Any] = {"codec": "shown", "settings": {codec.name: codec.describe() for codec in (ours, *peers)}}
    key |= {"clip": clip.hash, "frames": numbers, "rate": RATE, "version": VERSION}
    stored = store.get(key, [])
    if stored is None:
        stored = _make(clip, ours, peers, points, store, key)
        store.put(key, stored)
    versions = [Version("source", "", None, [clip.frames[number] for number in numbers])]
    for point in stored:
        pictures = [store.picture(key, f"{point.curve}-{number}") for number in numbers]
        versions.append(Version(point.curve, _label(point, point.curve in ours.curves), point.size, pictures))
    return Shown(numbers, versions)


def _label(point: Point, ours: bool) -> str:
    size = f" at 1/{point.scale}" if point.scale > 1 else ""
    return f"quality {point.value:g}" if ours else f"{point.value:g}{size}"


def _make(
    clip: Clip, ours: Codec, peers: Sequence[Codec], points: Sequence[Point], store: Cache, key: dict[str, Any]
) -> list[Point]:
    """Code what is shown, and store its pictures under `key`; one point for each curve."""
    made = []
    with tempfile.TemporaryDirectory(prefix="ncodec-shown-") as name:
        source = Path(name) / "source.nut"
        clips.write_lossless(source, clip.frames, clip.rate)
        for codec, setting, size in _chosen(clip, ours, peers, points, source):
            coded, _, encoding = codec.encode(source, setting, source.parent)
            for curve in codec.curves:
                video, decoding = codec.decode(coded, setting, clip, curve)
                frames = np.stack(list(clips.iterate(video)))
                video.unlink()
                made.append(Point(curve, setting.value, setting.scale, size, encoding, decoding))
                for number in frames_of(clip):
                    store.put_picture(key, f"{curve}-{number}", frames[number])
            coded.unlink()
    return made


def _chosen(
    clip: Clip, ours: Codec, peers: Sequence[Codec], points: Sequence[Point], source: Path
) -> Iterator[tuple[Codec, Setting, int]]:
    """The setting of each codec, and its bytes."""
    order = sorted((peer for peer in peers if _scored(peer, points)), key=lambda peer: -peer.step)
    start = _nearest(ours, RATE * clip.pixels / 8, points, source)
    met: list[tuple[Chosen, Chosen]] = []
    for offset in NEIGHBOURS if order else ():
        setting = Setting(start[0].value + offset * ours.step)
        if ours.span[0] <= setting.value <= ours.span[1]:
            size = start[1] if offset == 0 else _bytes(ours, setting, source)
            met.append(((setting, size), _nearest(order[0], size, points, source)))
            if _same(size, met[-1][1][1]):
                break
    own, rival = min(met, key=lambda pair: abs(math.log(pair[0][1] / pair[1][1])), default=(start, start))
    yield ours, *own
    for peer in order:
        yield peer, *(rival if peer is order[0] else _nearest(peer, own[1], points, source))


def _bytes(codec: Codec, setting: Setting, source: Path) -> int:
    coded, size, _ = codec.encode(source, setting, source.parent)
    coded.unlink()
    return size


def _nearest(codec: Codec, size: float, points: Sequence[Point], source: Path) -> Chosen:
    """Of a codec's scales the first that comes within TOLERANCE, or the best; the nearest on its hull come first."""

    def far(point: Point) -> float:
        return abs(math.log(point.size / size))

    every = [*sorted(_on_hull(codec, points), key=far), *sorted(_scored(codec, points), key=far)]
    found: list[Chosen] = []
    for scale in dict.fromkeys(point.scale for point in every):
        known = {p.value: p.size for p in points if p.curve == codec.curves[0] and p.scale == scale}

        def bytes_of(value: float, scale: int = scale) -> int:
            return _bytes(codec, Setting(value, scale), source)

        value, there = seek(bytes_of, known, size, codec.span, codec.step)
        found.append((Setting(value, scale), there))
        if _same(there, size):
            break
    return min(found, key=lambda pair: abs(math.log(pair[1] / size)))


def _same(one: float, other: float) -> bool:
    return abs(math.log(one / other)) <= math.log1p(TOLERANCE)


def _scored(codec: Codec, points: Sequence[Point]) -> list[Point]:
    return [point for point in points if point.curve == codec.curves[0] and point.metrics]


def _on_hull(codec: Codec, points: Sequence[Point]) -> list[Point]:
    """A codec's points that are on the hull of its first metric that rises with quality."""
    own = _scored(codec, points)
    name = next((name for name in ("vmaf-neg", "psnr") if own and own[0].metrics.get(name) is not None), None)
    if name is None:
        return own
    best = hull([(point.size, point.metrics[name] or 0.0) for point in own])
    return [point for point in own if (point.size, point.metrics[name]) in best]


def seek(
    encode: Callable[[float], int], sizes: Sizes, wanted: float, span: tuple[float, float], step: float
) -> tuple[float, int]:
    """The value, in multiples of `step` within `span`, whose file is nearest to `wanted` bytes, and its bytes.

    encode gives the bytes of a value; they rise or fall with it. sizes: what is known already. Ends within TOLERANCE,
    when nothing nearer is left to try, or after TRIES files.
    """
    sizes = dict(sizes)

    def miss(value: float) -> float:
        return abs(math.log(sizes[value] / wanted))

    for _ in range(TRIES):
        best = min(sizes, key=miss)
        beyond = [value for value in sizes if (sizes[value] > wanted) != (sizes[best] > wanted)]
        others = [value for value in sizes if sizes[value] != sizes[best]]  # without a file on the other side: go on
        if miss(best) <= math.log1p(TOLERANCE) or not others:
            break
        other = min(beyond or others, key=miss)
        share = math.log(wanted / sizes[best]) / math.log(sizes[other] / sizes[best])
        way = share * (other - best)
        value = min(span[1], max(span[0], round((best + way) / step) * step))
        if value in sizes:
            value = best + math.copysign(step, way)
        if value in sizes or not span[0] <= value <= span[1]:
            break
        sizes[value] = encode(value)
    best = min(sizes, key=miss)
    return best, sizes[best]
