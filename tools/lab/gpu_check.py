"""Everything that is claimed of a GPU, checked and timed in one run: python -m tools.lab.gpu_check.

Needs no network, and of the package's dependencies only those of the core. Prints a table; the exit code is 1 if a row
says WRONG. Exactness: the vectors' digests; files encoded on the CPU decode on the device and the other way round, in
both profiles at three qualities (a decoder checks every chunk's digest). Pixels: the device in its own precision
against the CPU in float32, at most 1.0 of 255 in root mean square (bitstream_spec.md, section 8.4). Speed: whole jobs,
and the generator alone, as it is and compiled, against the least time that tools/lab/flops.py counts at the card's
measured peaks of arithmetic and memory; how often a decoder makes the host wait for the card where nothing should.
Memory at 1920x1080 for a short and a longer video. `--clips DIR` adds clips of your own; `--quick` takes small
pictures, for a test of the script.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import av
import cv2
import numpy as np
import torch

from neurcodec.codec.symbols import decode_latents
from neurcodec.container import FrameType, Profile, Reader
from neurcodec.entropy import selftest
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import NcodecError
from neurcodec.files import models
from neurcodec.jobs import decode as decoder
from neurcodec.jobs import encode as encoder
from neurcodec.jobs import inspection
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
from tools.lab.flops import GROUP, generator_cost

ROOT = Path(__file__).parents[2]
TOLERANCE = 1.0
QUALITIES = (10, 30, 50)
Row = tuple[str, str, bool | None]
"""What was looked at, what came out, and whether it is right (None: a figure only)."""


def clip(path: Path, source: Path, size: tuple[int, int] | None, frames: int) -> Path:
    """`frames` frames of a source, scaled to a size, forwards and backwards again and again."""
    with av.open(str(source)) as file:
        shots = [frame.to_ndarray(format="rgb24") for frame in islice(file.decode(video=0), frames)]
    size = size or (shots[0].shape[1], shots[0].shape[0])
    scaled = [cv2.resize(shot, size, interpolation=cv2.INTER_AREA) for shot in shots]
    loop = [*scaled, *scaled[-2:0:-1]]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(loop[number % len(loop)], format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


class Bench:
    """The device, the model and the folder that all checks share."""

    def __init__(self, device: str, model: str, folder: Path, threads: int | None) -> None:
        self.device, self.model, self.folder, self.threads = device, model, folder, threads

    def encode(self, source: Path, device: str, **options: Any) -> Path:
        """A file coded on a device."""
        target = self.folder / "coded.nvc"
        encoder.encode_file(source, target, EncodeOptions(
            model=self.model, device=device, overwrite=True, threads=self.threads, **options))  # fmt: skip
        return target.rename(self.folder / f"{source.stem}-{device.replace(':', '')}.nvc")

    def decode(self, source: Path, device: str) -> Path:
        """A video decoded on a device with the generator."""
        target = self.folder / "decoded.mp4"
        decoder.decode_file(source, target, DecodeOptions(
            model=self.model, device=device, overwrite=True, threads=self.threads))  # fmt: skip
        return target

    def pictures(self, source: Path, device: str, compile: bool = False) -> list[Any]:
        """The frames of a file, uint8, decoded on a device."""
        from neurcodec.jobs.video import Video

        options = DecodeOptions(model=self.model, device=device, threads=self.threads, compile=compile)
        with Video(source, options) as video:
            return [frame.rgb for frame in video]


def exactness(bench: Bench, sources: list[Path]) -> Iterator[Row]:
    """The bit plane: known digests, and files of one device on the other."""
    yield "prior, random integers", selftest.digest()[:16], selftest.digest() == selftest.EXPECTED
    vectors = ROOT / "tests" / "vectors"
    known = json.loads((vectors / "latents" / "digests.json").read_text())
    model, good = EntropyModel.load(vectors / "model" / "entropy.safetensors"), 0
    for name, digests in known.items():
        with Reader(io.BytesIO((vectors / "latents" / f"{name}.nvc").read_bytes())) as reader:
            gops = list(reader.gops())
            for gop in gops:
                decode_latents(model, gop, reader.header)  # raises DamageError when its digest is another
            good += [gop.latents_digest.hex() for gop in gops] == digests
    yield "vectors' digests", f"{good} of {len(known)}", good == len(known)
    for profile in Profile:
        done, failed = 0, []
        for source in sources:
            for quality in QUALITIES:
                for one, other in (("cpu", bench.device), (bench.device, "cpu")):
                    try:
                        coded = bench.encode(source, one, profile=profile, quality=quality)
                        inspection.verify_file(coded, model=bench.model)
                        bench.pictures(coded, other)
                        done += 1
                    except NcodecError as error:
                        failed.append(f"{one} to {other}: {error}")
        yield f"{profile.name.lower()}: cpu to {bench.device} and back", f"{done} files {failed[:1] or ''}", not failed


def pixels(bench: Bench, sources: list[Path], compiled: bool) -> Iterator[Row]:
    """The pixel plane: the device in its precision against the CPU in float32."""
    ways = [(Profile.NATIVE, False), (Profile.LAYERED, False), (Profile.LAYERED, True)]
    for profile, compile in ways if compiled else ways[:2]:
        peak, worst, total, count = 0, 0.0, 0.0, 0
        for source in sources:
            coded = bench.encode(source, "cpu", profile=profile, quality=30)
            got = bench.pictures(coded, bench.device, compile)
            with mock.patch("neurcodec.generator.restore.working_type", lambda device: torch.float32):
                reference = bench.pictures(coded, "cpu")
            for one, other in zip(got, reference, strict=True):
                difference = one.astype(np.int16) - other
                peak = max(peak, int(np.abs(difference).max()))
                squares = float((difference.astype(np.float64) ** 2).mean())
                worst, total, count = max(worst, squares**0.5), total + squares, count + 1
        figures = f"peak {peak}, RMSE {(total / count) ** 0.5:.3f}, of the worst frame {worst:.3f} ({count} frames)"
        name = f"{profile.name.lower()}{', compiled' if compile else ''}: {bench.device} against cpu float32"
        yield name, figures, worst <= TOLERANCE


def timed(job: Callable[[], object], device: str) -> float:
    """Seconds of a job, with what the device still has to do."""
    start = time.perf_counter()
    job()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def speed(bench: Bench, source: Path, size: tuple[int, int], frames: int) -> Iterator[Row]:
    """Whole jobs after a warm-up, and the generator against the peak."""
    place = f"{size[0]}x{size[1]}"
    for profile in Profile:
        name = f"{place}, {profile.name.lower()}"
        coded = bench.encode(source, bench.device, profile=profile, quality=30)
        bench.decode(coded, bench.device)
        seconds = timed(lambda profile=profile: bench.encode(  # type: ignore[misc]
            source, bench.device, profile=profile, quality=30), bench.device)  # fmt: skip
        yield f"encode {name}", f"{frames / seconds:.1f} frames/s", None
        seconds = timed(lambda coded=coded: bench.decode(coded, bench.device), bench.device)  # type: ignore[misc]
        yield f"decode {name}, libx264", f"{frames / seconds:.1f} frames/s", None
        for compile in (False, True):
            bench.pictures(coded, bench.device, compile)
            seconds = timed(lambda coded=coded, compile=compile: bench.pictures(  # type: ignore[misc]
                coded, bench.device, compile), bench.device)  # fmt: skip
            yield f"decode {name}, frames only{', compiled' * compile}", f"{frames / seconds:.1f} frames/s", None
        if bench.device.startswith("cuda"):
            yield f"decode {name}, waits for the card", waits(bench, coded), None
    yield from generator_speed(bench, size)


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
    from neurcodec.entropy.hints import Hints
    from neurcodec.generator.condition import FrameKind
    from neurcodec.generator.model import Generator
    from neurcodec.generator.restore import restore, working_type

    device, folder = choose(bench.device), models.find(bench.model).folder / "generator"
    rows, columns = -(-size[1] // 16) * 16, -(-size[0] // 16) * 16
    count = (16 if device.type == "cuda" else 2) * GROUP
    gap = np.full((-(-size[1] // 32), -(-size[0] // 32)), 4)
    hints = Hints(texture=20, texture_gap=gap)
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
            for _ in restore(network, [frame] * count, 30, size[1], size[0], [FrameKind.BASE] * count, 1.0, hints):
                pass

        job()
        seconds = min(timed(job, bench.device) for _ in range(3)) / count
        figures = f"{1 / seconds:.1f} frames/s, {least / seconds:.0%} of the peaks"
        yield f"generator {size[0]}x{size[1]}{', compiled' * compile}", figures, None


def memory(bench: Bench, source: Path, size: tuple[int, int], frames: int) -> Iterator[Row]:
    """The most GPU memory for a short and a longer video."""
    peaks = []
    for count in (frames, 3 * frames):
        path = clip(bench.folder / f"memory{count}.mkv", source, size, count)
        coded = bench.encode(path, bench.device, quality=30)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        bench.pictures(coded, bench.device)
        peaks.append(torch.cuda.max_memory_reserved() / 1e9)
    figures = f"{peaks[0]:.2f} GB for {frames} frames, {peaks[1]:.2f} GB for {3 * frames}"
    yield f"GPU memory, decode {size[0]}x{size[1]}", figures, max(peaks) < 6 and peaks[1] < 1.1 * peaks[0]


def checks(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    """All of them."""
    name = torch.cuda.get_device_name() if bench.device.startswith("cuda") else "CPU"
    yield "device", f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads", None
    source = ROOT / "examples" / "flight.mp4"
    small, large, full = ((96, 80), (96, 80), (96, 80)) if options.quick else ((640, 360), (1280, 720), (1920, 1080))
    sources = [clip(bench.folder / "flight.mkv", source, small, options.frames)]
    for path in sorted(options.clips.glob("*.mp4")) if options.clips else []:
        sources.append(clip(bench.folder / f"{path.stem}.mkv", path, None, options.frames))
    yield from exactness(bench, sources)
    if bench.device.startswith("cuda") and not options.no_speed:  # before anything is compiled, which keeps memory
        yield from memory(bench, source, full, 2 * options.frames)
    yield from pixels(bench, sources, compiled=not options.no_speed)
    if not options.no_speed:
        count = options.frames if options.quick else 10 * options.frames
        yield from speed(bench, clip(bench.folder / "large.mkv", source, large, count), large, count)


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="default", help="name or folder")
    parser.add_argument("--clips", type=Path, help="folder of .mp4 clips for exactness and pixels")
    parser.add_argument("--frames", type=int, default=24, help="of each clip; ten times as many for speed")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    options = parser.parse_args()
    wrong = False
    logging.getLogger("neurcodec").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="ncodec-gpu-") as folder:
        bench = Bench(options.device, options.model, Path(folder), options.threads)
        for name, found, right in checks(bench, options):
            verdict = {True: "ok", False: "WRONG", None: ""}[right]
            sys.stdout.write(f"{name:<44} {found:<66} {verdict}\n")
            sys.stdout.flush()
            wrong |= right is False
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
