"""Would it pay? Short samples of a video, coded at several qualities: what the whole file would come to.

What lies between the samples is read but not decoded, so a long video takes little longer than a short one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from neurcodec.analysis.chunking import MAX_FRAMES
from neurcodec.codec.settings import Pictures
from neurcodec.container import Packet
from neurcodec.errors import DependencyError, InputError
from neurcodec.files import models
from neurcodec.jobs.options import EncodeOptions, Progress, ProgressCallback, fitting, ignore_progress
from neurcodec.jobs.rate import CHUNK_BYTES, FILE_BYTES, scaled
from neurcodec.jobs.target import vmaf
from neurcodec.jobs.workers import Loading
from neurcodec.jobs.writing import expected_frames, header, opened
from neurcodec.media import Frame, Reading, VideoReader

if TYPE_CHECKING:
    from neurcodec.codec.chunk_codec import ChunkCodec
    from neurcodec.container import Header

QUALITIES = (9, 15, 21, 27, 34)
PLACES = (0.4, 0.9, 0.15, 0.65)
"""Where samples are taken, as parts of the video's length, in this order while there is time."""
FRAMES = 24
"""Of a sample."""
GOAL = 80.0
"""The VMAF that is recommended."""
SECONDS = 60.0


@dataclass(frozen=True)
class Trial:
    """A quality: bytes of the whole file, seconds that encoding it would take, VMAF 0 to 100 (None: not measured)."""

    quality: int
    bytes: int
    seconds: float
    vmaf: float | None


@dataclass(frozen=True)
class ProbeReport:
    """What a probe found. seconds: of the video; source_bytes: of its file; samples: how many were looked at.

    recommended: the lowest quality that reaches the VMAF asked for, as far as the trials tell; None where none does, or
    where VMAF was not measured, and `missing` says why.
    """

    width: int
    height: int
    frames: int
    seconds: float
    source_bytes: int
    samples: int
    trials: tuple[Trial, ...]
    recommended: int | None
    missing: str = ""


@dataclass(frozen=True)
class _Found:
    """What a sample came to at a quality: bytes and seconds of encoding for each frame, VMAF."""

    bytes: float
    seconds: float
    vmaf: float | None


def probe(
    source: Path,
    options: EncodeOptions,
    qualities: Sequence[int] = QUALITIES,
    goal: float = GOAL,
    seconds: float = SECONDS,
    progress: ProgressCallback = ignore_progress,
) -> ProbeReport:
    """Code samples of the video `source` at these qualities, for about so many seconds, one sample at least.

    VMAF needs the packages of the extra [bench]. Of the options those of a file do not count. Raises InputError for
    what is no video, or one whose length is not known.
    """
    with opened(source, options) as reader:
        info, profile = reader.info, fitting(options.profile, reader.info.width, reader.info.height)
        frames = expected_frames(info)
    if not frames or not info.frame_rate:
        raise InputError(f"{source}: its length is not known; encode some of it to see what it comes to")
    missing = _missing()
    loading = Loading(profile, options.model, models.find(options.model).info, options.device, threads=options.threads)
    from neurcodec.codec.networks import running  # torch takes seconds to load: not before the quick checks

    found: dict[int, list[_Found]] = {quality: [] for quality in sorted(qualities)}
    beside, begun, count = [], time.monotonic(), _count(frames)
    with running(options.threads):
        codec = loading.load()
        for pictures, rate in _samples(source, options, frames, info.frame_rate):
            beside.append(rate)
            for number, quality in enumerate(found):
                size, stage = len(pictures.pts), f"sample {len(beside)} of {count}"
                progress(Progress(number * size, len(found) * size, 0, 0.0, 0, stage))
                tried = replace(options, quality=quality)
                found[quality].append(_try(pictures, tried, codec, header(info, profile), judge=not missing))
            if time.monotonic() - begun > seconds * len(beside) / (len(beside) + 1):
                break  # the next one would take too long
    if not beside:
        raise InputError(f"{source}: no sample of it can be decoded")
    length = float(frames / info.frame_rate)
    copied = fmean(beside) * length + FILE_BYTES + CHUNK_BYTES * length / float(options.gop_seconds)
    trials = tuple(_trial(quality, tries, frames, copied) for quality, tries in found.items())
    size = source.stat().st_size
    best = recommend(trials, goal)
    return ProbeReport(info.width, info.height, frames, length, size, len(beside), trials, best, missing)


def recommend(trials: Sequence[Trial], goal: float) -> int | None:
    """The lowest quality whose VMAF is `goal`, on lines between the trials; None where none is, or none is known."""
    known = [(trial.quality, trial.vmaf) for trial in trials if trial.vmaf is not None]
    if not known or known[-1][1] < goal:
        return None
    places = range(known[0][0], known[-1][0] + 1)
    values = np.interp(list(places), [quality for quality, _ in known], [value for _, value in known])
    return next(place for place, value in zip(places, values, strict=True) if value >= goal)


def _try(pictures: Pictures, options: EncodeOptions, codec: ChunkCodec, head: Header, judge: bool) -> _Found:
    """Code a sample."""
    begun = time.perf_counter()
    gop = codec.encode(pictures, options.settings)
    seconds, count = time.perf_counter() - begun, len(pictures.pts)
    whole = max(count, min(MAX_FRAMES, round(options.gop_seconds * head.frame_rate)))
    shown = np.stack(list(codec.decode(codec.parse(gop, head)))) if judge else None
    value = None if shown is None else vmaf(pictures.rgb, shown)
    return _Found(scaled(gop, count, whole) / whole, seconds / count, value)


def _trial(quality: int, tries: Sequence[_Found], frames: int, copied: float) -> Trial:
    """What the whole video would come to; copied: bytes of all that is not video."""
    size = round(copied + frames * fmean([found.bytes for found in tries]))
    values = [found.vmaf for found in tries if found.vmaf is not None]
    return Trial(quality, size, frames * fmean([found.seconds for found in tries]), fmean(values) if values else None)


def _missing() -> str:
    """Why VMAF cannot be measured; empty where it can."""
    try:
        from neurcodec.evaluation.programs import find

        find("ffmpeg")
    except ImportError as error:
        return f"VMAF needs packages that are not installed ({error}): pip install 'neurcodec[bench]'"
    except DependencyError as error:
        return str(error)
    return ""


def _count(frames: int) -> int:
    """How many samples a video of so many frames has."""
    return max(1, min(len(PLACES), frames // (2 * FRAMES)))


def _samples(source: Path, options: EncodeOptions, frames: int, rate: Fraction) -> Iterator[tuple[Pictures, float]]:
    """Samples of a video, each with the bytes a second of the streams beside it; what does not decode is left out."""
    for place in PLACES[: _count(frames)]:
        start = Fraction(place) * (frames - FRAMES) / rate if _count(frames) > 1 else Fraction(0)
        part = Reading(options.video_stream, options.deinterlace, start)
        taken: list[Frame] = []
        beside = 0
        try:
            with VideoReader(source, part) as reader:
                for item in reader.items():
                    if isinstance(item, Packet):
                        beside += len(item.data)
                        continue
                    taken.append(item)
                    if len(taken) == FRAMES:
                        break
        except InputError:
            continue
        length = float((taken[-1].pts + taken[-1].duration - taken[0].pts) * reader.info.time_base)
        pts, duration = tuple(frame.pts for frame in taken), taken[-1].duration
        yield Pictures(np.stack([frame.rgb for frame in taken]), pts, duration), beside / length
