"""Times and memory of whole jobs and of the generator alone on a device; a part of `gpu_check.py`."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from neurcodec.container import FrameType, Profile
from neurcodec.files import models
from tools.lab.flops import GROUP, generator_cost
from tools.lab.gpu_bench import Bench, Row, clip, guarded, timed


def speed(bench: Bench, source: Path, size: tuple[int, int], frames: int) -> Iterator[Row]:
    """Whole jobs after a warm-up, and the generator against the peak."""
    for profile in Profile:
        name = f"{size[0]}x{size[1]}, {profile.name.lower()}"
        coded = bench.encode(source, bench.device, profile=profile, quality=30)
        encode = partial(bench.encode, source, bench.device, profile=profile, quality=30)
        yield rate(f"encode {name}", frames, encode, bench)
        for compile in (False, True):
            job = partial(bench.pictures, coded, bench.device, compile)
            job()
            yield rate(f"decode {name}, frames only{', compiled' * compile}", frames, job, bench)
        yield rate(f"decode {name}, libx264", frames, partial(bench.decode, coded, bench.device), bench)
        if bench.device.startswith("cuda"):
            yield from guarded(f"decode {name}, h264_nvenc", nvenc(bench, coded, name, frames))
            yield f"decode {name}, waits for the card", waits(bench, coded), None
    yield from generator_speed(bench, size)


def rate(name: str, frames: int, job: Callable[[], object], bench: Bench) -> Row:
    """Frames a second of a job."""
    return name, f"{frames / timed(job, bench.device):.1f} frames/s", None


def nvenc(bench: Bench, coded: Path, name: str, frames: int) -> Iterator[Row]:
    """A decode that the card's own encoder writes, after one that sets it up."""
    job = partial(bench.decode, coded, bench.device, "h264_nvenc")
    job()
    yield rate(f"decode {name}, h264_nvenc", frames, job, bench)


def waits(bench: Bench, coded: Path) -> str:
    """How often the host waited for the card where a copy or a read made it; the copies of pictures are not counted."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            count = len(bench.pictures(coded, bench.device))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    lines = Counter(f"{Path(item.filename).name}:{item.lineno}" for item in seen if "synchroniz" in str(item.message))
    return f"{lines.total()} in {count} frames {dict(lines.most_common(3)) or ''}"


def generator_speed(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    """The generator alone on groups of four, and what share of the card's peaks that is."""
    from neurcodec.coarse.codec import CoarseFrame
    from neurcodec.codec.device import choose
    from neurcodec.codec.networks import load_network
    from neurcodec.entropy.conditioning import Conditioning
    from neurcodec.generator.condition import FrameKind
    from neurcodec.generator.model import Generator
    from neurcodec.generator.restore import restore, working_type

    device, folder = choose(bench.device), models.find(bench.model).folder / "generator"
    rows, columns = -(-size[1] // 16) * 16, -(-size[0] // 16) * 16
    count = (16 if device.type == "cuda" else 2) * GROUP
    gap = np.full((-(-size[1] // 32), -(-size[0] // 32)), 4)
    told = Conditioning(20, texture_gap=gap)
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(side, side, device=device, dtype=working_type(device))
    flops = 2 * side**3 / min(timed(lambda: matrix @ matrix, bench.device) for _ in range(10))
    block = torch.empty(1 << (30 if device.type == "cuda" else 27), dtype=torch.uint8, device=device)
    bandwidth = 2 * len(block) / min(timed(block.clone, bench.device) for _ in range(10))
    yield "peaks", f"{flops / 1e12:.2f} TFLOP/s in the working type, {bandwidth / 1e12:.3f} TB/s", None
    least = generator_cost(folder, *size).seconds(flops, bandwidth) / GROUP
    for compile in (False, True):
        network = load_network(Generator, folder, device)
        if compile:
            network.compile(dynamic=False, mode="reduce-overhead")
        features = int(network.config.feature_channels)
        frame = CoarseFrame(FrameType.P, torch.rand(1, 3, rows, columns, device=device),
                            torch.zeros(1, features, rows // 8, columns // 8, device=device))  # fmt: skip

        def job(network: Generator = network, frame: CoarseFrame = frame) -> None:
            for _ in restore(network, [frame] * count, 30, size[1], size[0], [FrameKind.BASE] * count, 1.0, told):
                pass

        job()
        seconds = min(timed(job, bench.device) for _ in range(3)) / count
        figures = f"{1 / seconds:.1f} frames/s, {least / seconds:.0%} of the peaks"
        yield f"generator {size[0]}x{size[1]}{', compiled' * compile}", figures, None


def memory(bench: Bench, source: Path, size: tuple[int, int], frames: int) -> Iterator[Row]:
    """The most GPU memory for a short and a longer video, and the speed of the longer one."""
    name, peaks = f"{size[0]}x{size[1]}, {Profile.LAYERED.name.lower()}", []
    for count in (frames, 3 * frames):
        path = clip(bench.folder / f"memory{count}.mkv", source, size, count)
        coded = bench.encode(path, bench.device, quality=30, profile=Profile.LAYERED)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        speed_row = rate(f"decode {name}, frames only", count, partial(bench.pictures, coded, bench.device), bench)
        peaks.append(torch.cuda.max_memory_reserved() / 1e9)
    yield speed_row
    figures = f"{peaks[0]:.2f} GB for {frames} frames, {peaks[1]:.2f} GB for {3 * frames}"
    yield f"GPU memory, decode {name}", figures, max(peaks) < 6 and peaks[1] < 1.1 * peaks[0]
