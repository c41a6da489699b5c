"""Rate control on a codec that behaves as the layered profile: steps, jumps between scales, probes that mislead."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import Run, scene, write_clip

from neurcodec.container import BaseLayer, Gop, Substream
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import temporal_units
from neurcodec.errors import TargetError
from neurcodec.jobs import rate

FRAMES = 125


class Steps:
    """Chunks of given complexity; sizes fall by a fixed factor per CRF, change with the scale, and scatter."""

    def __init__(self, complexities: list[float], scatter: float) -> None:
        self.complexities, self.scatter, self.coded = complexities, scatter, 0

    def encode(self, number: int, frames: int, quality: int) -> Gop:
        """The first frames of a chunk, or all."""
        whole = frames == FRAMES
        self.coded += whole
        scale = 1 if quality >= 21 else 2
        crf = round(80 - 0.8 * quality - 5 * (scale - 1))
        noise = random.Random(f"{number} {crf} {scale} {whole}")
        size = self.complexities[number] * math.exp(noise.gauss(0, self.scatter) - 0.075 * crf) / scale**0.7
        key = size / 4
        rest = (size - key) * (frames - 1) / (FRAMES - 1) * (1 if whole else noise.uniform(1.2, 2.5))
        base = {Substream.BASE: temporal_units.encode([obu(int(key)), obu(int(rest))])}
        two = max(1, frames - 1)  # the first and the last frame are in the base
        return Gop(tuple(range(frames)), 1, quality, two, base, bytes(8), BaseLayer(scale, crf))


def obu(size: int) -> bytes:
    """A temporal unit of about so many bytes."""
    return b"\x32" + pack_uvar(size) + bytes(size)


def fitted(codec: Steps, target: int) -> tuple[int, list[int]]:
    """Bytes and qualities of the file that comes of a target, with 60 bytes beside each chunk."""
    plan, numbers = rate.RatePlan(target, None), range(len(codec.complexities))
    for number in numbers:
        plan.add(FRAMES, FRAMES, 5.0, [codec.encode(number, rate.SAMPLE, quality) for quality in rate.PROBES])
    plan.begin(copied=0)
    done: dict[tuple[int, int], Gop] = {}
    while True:
        total, qualities = 400, []
        for number in numbers:
            qualities.append(plan.quality(number))
            key = number, qualities[-1]
            done[key] = done.get(key) or codec.encode(number, FRAMES, qualities[-1])
            plan.observe(number, done[key])
            total += rate.payload(done[key]) + 60
        if plan.settled(total):
            return total, qualities


@pytest.mark.parametrize("seed", range(24))
def test_targets_are_met_within_the_bars(seed: int) -> None:
    rng = random.Random(seed)
    chunks = (2, 2, 3, 4, 8, 20)[seed % 6]
    codec = Steps([rng.lognormvariate(13.5, 0.7) for _ in range(chunks)], (0.0, 0.01, 0.03)[seed % 3])
    target = int(sum(codec.complexities) * math.exp(-0.075 * rng.uniform(32, 58)))
    total, _ = fitted(codec, target)
    assert 0.97 * target <= total <= 1.01 * target
    assert codec.coded <= 6 * chunks


def test_a_complex_chunk_gets_more_bytes_but_a_lower_quality() -> None:
    codec = Steps([2e6, 2e5, 2e5, 2e5], 0.0)
    _, qualities = fitted(codec, 90_000)
    assert qualities[0] < min(qualities[1:])
    sizes = [c * math.exp(-0.075 * (80 - 0.8 * q)) for c, q in zip(codec.complexities, qualities, strict=True)]
    assert sizes[0] > 2 * max(sizes[1:])


def test_out_of_reach() -> None:
    codec = Steps([1e6, 1e6], 0.01)
    with pytest.raises(TargetError, match="the largest file, at quality 63, has"):
        fitted(codec, 300_000)
    with pytest.raises(TargetError, match="the smallest file, at quality 0, has"):
        fitted(codec, 4_000)


@pytest.mark.slow
def test_a_rendered_clip_of_ten_seconds(ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    pictures = [*scene(50, (128, 96)), *[scene(1, (128, 96), seed=i)[0] for i in range(50)]]
    pictures = [picture for picture in pictures for _ in range(2)]
    path = write_clip(tmp_path / "clip.mkv", pictures, time_base=Fraction(1, 20), rate=20)
    for target in (12_000, 24_000):
        out = tmp_path / f"{target}.nvc"
        arguments = ("encode", path, out, "--profile", "layered", "--preset", "fast", "--model", tiny_model)
        run = ncodec(*arguments, "--target-size", target, "--threads", 1, timeout=280)
        assert run.returncode == 0, run.stderr
        assert 0.97 * target <= out.stat().st_size <= 1.01 * target
