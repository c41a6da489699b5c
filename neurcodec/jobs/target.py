"""Metric targets: the smallest quality whose restored picture is good enough, searched on samples of a video.

The samples are the first frames of a few chunks, spread over the video. They are coded and decoded at one quality after
the other; the next one to try is interpolated between the highest that is too low and the lowest that is enough. What
was measured is kept on disk, under a name made from everything that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurcodec.analysis.chunking import split
from neurcodec.codec.settings import MAX_QUALITY, Pictures
from neurcodec.errors import DependencyError, InputError, TargetError
from neurcodec.files import pipes
from neurcodec.jobs.options import EncodeOptions, Found, Progress, ProgressCallback, fitting, ignore_progress
from neurcodec.jobs.writing import expected_frames, header, opened
from neurcodec.media import Frame

if TYPE_CHECKING:
    from neurcodec.codec.chunk_codec import ChunkCodec
    from neurcodec.codec.settings import Settings
    from neurcodec.container import Header
    from neurcodec.evaluation.clips import Frames

logger = logging.getLogger(__name__)

SAMPLES = 4
"""Chunks that are sampled at most."""
SAMPLE_FRAMES = 16
SAMPLE_BYTES = 256 << 20
"""Bytes of RGB frames that are held; of large pictures fewer frames are sampled."""
TITLES = {"ms-ssim": "MS-SSIM", "lpips": "LPIPS", "vmaf": "VMAF"}
SMALLEST = {"ms-ssim": 176, "lpips": 32, "vmaf": 32}
"""Pixels that a picture must have on both sides."""
_NO_MATTER = {
    "quality",
    "target_size",
    "target_kbps",
    "target_ms_ssim",
    "target_lpips",
    "target_vmaf",
    "weights",
    "model",
    "audio",
    "resume",
    "overwrite",
    "threads",
    "workers",
}

Compare = Callable[["Frames", "Frames"], float]


class Sample(NamedTuple):
    """The first frames of a chunk; `weight`: all its frames."""

    pictures: Pictures
    weight: int


def target_quality(
    source: pipes.Place, options: EncodeOptions, codec: ChunkCodec, progress: ProgressCallback = ignore_progress
) -> Found:
    """The lowest quality that meets the metric target of `options` on samples; `codec` must have its generator.

    The target is a mean over the frames, of lpips the most and of the others the least. Earlier measurements are kept
    in $NEURCODEC_CACHE/targets, or below ~/.cache/neurcodec. Raises TargetError where no quality is enough;
    DependencyError, ModelError or InputError where it cannot be measured.
    """
    assert options.metric is not None
    metric, target = options.metric
    compare = _metric(metric, options.weights)
    samples, chunks, header = take_samples(source, options, progress)
    smallest = SMALLEST[metric]
    if min(header.width, header.height) < smallest:
        raise InputError(f"{pipes.name(source)}: {TITLES[metric]} needs at least {smallest}x{smallest} pixels")
    known = _Known(_key(metric, samples, options, codec))
    last = ""

    def gap(quality: int) -> float:
        nonlocal last
        if quality not in known.values:
            settings = replace(options.settings, quality=quality)
            stage = f"trying quality {quality}{last}"
            known.add(quality, _measure(compare, samples, settings, codec, header, stage, progress))
            logger.info("quality %d: %s %.5f", quality, TITLES[metric], known.values[quality])
        value = known.values[quality]
        last = f" (quality {quality}: {TITLES[metric]} {value:.4g})"
        return target - value if metric == "lpips" else value - target

    quality = search(gap)
    best = known.values[quality]
    if gap(quality) < 0:
        raise TargetError(
            f"{pipes.name(source)}: {TITLES[metric]} {target:g} is out of reach: "
            f"quality {quality}, the highest, gives {best:.4f} on samples of {len(samples)} of {chunks} chunks"
        )
    return Found(quality, metric, target, best, len(samples), chunks)


def search(gap: Callable[[int], float]) -> int:
    """The lowest quality, 0 to 63, whose gap is not negative; 63 where all are. `gap` should rise with the quality."""
    low, high = 0, MAX_QUALITY
    middle = (low + high + 1) // 2
    if gap(middle) >= 0:
        high = middle
        if gap(low) >= 0:
            return low
    else:
        low = middle
        if gap(high) < 0:
            return high
    halve = False
    while high - low > 1:
        width, share = high - low, -gap(low) / (gap(high) - gap(low))
        quality = low + (width // 2 if halve else min(width - 1, max(1, ceil(share * width))))
        if gap(quality) >= 0:
            high = quality
        else:
            low = quality
        halve = high - low > width / 2
    return high


def take_samples(
    source: pipes.Place, options: EncodeOptions, progress: ProgressCallback = ignore_progress
) -> tuple[list[Sample], int, Header]:
    """Samples of a video's chunks, evenly spread; how many chunks it has; its header. Reads all of it."""
    kept: list[tuple[list[Frame], int]] = []
    step, chunks, read = 1, 0, 0
    with opened(pipes.media_again(source), options) as reader:
        total, stage = expected_frames(reader.info), "taking samples"
        progress(Progress(0, total, 0, 0.0, 0, stage))
        for chunk in split(reader, reader.info.time_base, options.gop_seconds):
            if chunks % step == 0:
                most = max(1, SAMPLE_BYTES // ((SAMPLES + 1) * chunk[0].rgb.nbytes))
                kept.append((chunk[: min(most, SAMPLE_FRAMES)], len(chunk)))
            if len(kept) > SAMPLES:
                kept, step = kept[::2], 2 * step
            chunks, read = chunks + 1, read + len(chunk)
            progress(Progress(read, total, 0, 0.0, chunks, stage))
        head = header(reader.info, fitting(options.profile, reader.info.width, reader.info.height))
    samples = []
    for frames, weight in kept:
        pts, duration = tuple(frame.pts for frame in frames), frames[-1].duration
        samples.append(Sample(Pictures(np.stack([frame.rgb for frame in frames]), pts, duration), weight))
    return samples, chunks, head


def _metric(name: str, weights: Path | None) -> Compare:
    try:
        from neurcodec.evaluation import scoring
        from neurcodec.evaluation.metrics import default_weights
        from neurcodec.evaluation.programs import find
    except ImportError as error:
        text = f"a target of {TITLES[name]} needs packages that are not installed ({error}): pip install"
        raise DependencyError(f"{text} 'neurcodec[bench]'") from error
    if name == "lpips":
        return _lpips(weights or default_weights())
    if name == "vmaf":
        find("ffmpeg")  # before anything is measured
        return vmaf

    def compare(source: Frames, frames: Frames) -> float:
        value = scoring.ms_ssim(source, frames)
        return 0.0 if value is None else value  # None is for small pictures only

    return compare


@lru_cache(maxsize=1)
def _lpips(weights: Path) -> Compare:
    import torch

    from neurcodec.evaluation.lpips import FEATURES_FILE, LPIPS
    from neurcodec.evaluation.metrics import locate
    from neurcodec.evaluation.scoring import BATCH, to_tensor

    network = LPIPS.load(locate(weights, FEATURES_FILE))

    @torch.inference_mode()
    def compare(source: Frames, frames: Frames) -> float:
        places = range(0, len(source), BATCH)
        pieces = [network(to_tensor(source[i : i + BATCH]), to_tensor(frames[i : i + BATCH])) for i in places]
        return float(torch.cat(pieces).mean())

    return compare


def vmaf(source: Frames, frames: Frames) -> float:
    """VMAF (v0.6.1), 0 to 100, by an FFmpeg that has it; DependencyError without."""
    from neurcodec.evaluation.programs import Raw, find
    from neurcodec.evaluation.programs import vmaf as measured

    program = find("ffmpeg")
    with TemporaryDirectory(prefix="ncodec-vmaf-") as place:
        pair = zip(("source", "other"), (source, frames), strict=True)
        raw = [Raw.write(Path(place), name, pictures, Fraction(25), "420") for name, pictures in pair]
        return measured(program, *raw)["vmaf"]


def _measure(
    compare: Compare,
    samples: list[Sample],
    settings: Settings,
    codec: ChunkCodec,
    header: Header,
    stage: str,
    progress: ProgressCallback,
) -> float:
    """The weighted mean of the metric over all samples, coded and restored."""
    total, done, frames = 0.0, 0, sum(len(sample.pictures.pts) for sample in samples)
    for pictures, weight in samples:
        progress(Progress(done, frames, 0, 0.0, 0, stage))
        shown = codec.decode(codec.parse(codec.encode(pictures, settings), header))
        total += weight * compare(pictures.rgb, np.stack(list(shown)))
        done += len(pictures.pts)
    return total / sum(sample.weight for sample in samples)


def _key(metric: str, samples: list[Sample], options: EncodeOptions, codec: ChunkCodec) -> dict[str, Any]:
    """Everything that a measured value depends on."""
    from neurcodec.evaluation.cache import SCORING
    from neurcodec.evaluation.codecs import code_hash

    digest = hashlib.sha256()
    for sample in samples:
        rgb, pts, _ = sample.pictures
        digest.update(f"{rgb.shape} {pts} {sample.weight}".encode() + rgb.data)
    model = codec.networks.model
    settings = {name: str(value) for name, value in vars(options).items() if name not in _NO_MATTER}
    hashes = [digest.hexdigest(), code_hash(), model.entropy_hash.hex(), model.weights_hash.hex()]
    return {"metric": f"{metric} {SCORING}", "options": settings, "hashes": hashes}


class _Known:
    """The values measured for a key, by quality; kept on disk where that can be written."""

    def __init__(self, key: dict[str, Any]) -> None:
        folder = Path(os.environ.get("NEURCODEC_CACHE", "~/.cache/neurcodec")).expanduser() / "targets"
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
        self._path = folder / f"{name}.json"
        self.values: dict[int, float] = {}
        try:
            self.values = {int(quality): float(value) for quality, value in json.loads(self._path.read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            logger.debug("nothing is known in %s", self._path)

    def add(self, quality: int, value: float) -> None:
        """Keep a value."""
        self.values[quality] = value
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial = self._path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(self.values))
            partial.replace(self._path)
        except OSError as error:
            logger.info("%s cannot be written (%s); it is measured again next time", self._path, error.strerror)
