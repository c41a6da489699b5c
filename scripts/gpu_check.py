#!/usr/bin/env python3
"""Everything that is claimed of a GPU, checked and timed in one run: python scripts/gpu_check.py [--device cuda].

Needs no network, and of the package's dependencies only those of the core. Prints a table; the exit code is 1 if a row
says WRONG. Exactness: the vectors' digests; files encoded on the CPU decode on the device and the other way round, in
both profiles at three qualities (a decoder checks every chunk's digest). Pixels: the device in its own precision
against the CPU in float32, at most 1.0 of 255 in root mean square (bitstream_spec.md, section 8.4). Speed: whole jobs,
and the generator alone against the card's measured bfloat16 peak and the arithmetic that scripts/flops.py counts.
Memory at 1920x1080 for a short and a longer video. `--clips DIR` adds clips of your own; `--quick` takes small
pictures, for a test of the script.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import av
import cv2
import numpy as np
import torch
from flops import GROUP, generator_cost

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from neurcodec.container import FrameType, Profile, Reader  # noqa: E402
from neurcodec.entropy import selftest  # noqa: E402
from neurcodec.entropy.model import EntropyModel  # noqa: E402
from neurcodec.errors import NcodecError  # noqa: E402
from neurcodec.pipeline import decoder, encoder, inspection, latents, models  # noqa: E402
from neurcodec.pipeline.options import DecodeOptions, EncodeOptions  # noqa: E402

TOLERANCE = 1.0
QUALITIES = (10, 30, 50)
Row = tuple[str, str, bool | None]
"""What was looked at, what came out, and whether it is right (None: a figure only)."""


def clip(path: Path, source: Path, size: tuple[int, int], frames: int) -> Path:
    """`frames` frames of a source, scaled to a size, forwards and backwards again and again."""
    with av.open(str(source)) as file:
        shots = [frame.to_ndarray(format="rgb24") for _, frame in zip(range(60), file.decode(video=0), strict=False)]
    scaled = [cv2.resize(shot, size, interpolation=cv2.INTER_AREA) for shot in shots[:frames]]
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

    def pictures(self, source: Path, device: str) -> list[Any]:
        """The frames of a file, uint8, decoded on a device."""
        from neurcodec.pipeline.video import Video

        with Video(source, DecodeOptions(model=self.model, device=device, threads=self.threads)) as video:
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
                latents.decode(model, gop, reader.header)  # raises DamageError when its digest is another
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


def pixels(bench: Bench, sources: list[Path]) -> Iterator[Row]:
    """The pixel plane: the device in its precision against the CPU in float32."""
    for profile in Profile:
        peak, worst, total, count = 0, 0.0, 0.0, 0
        for source in sources:
            coded = bench.encode(source, "cpu", profile=profile, quality=30)
            got = bench.pictures(coded, bench.device)
            with mock.patch("neurcodec.generator.restore.working_type", lambda device: torch.float32):
                reference = bench.pictures(coded, "cpu")
            for one, other in zip(got, reference, strict=True):
                difference = one.astype(np.int16) - other
                peak = max(peak, int(np.abs(difference).max()))
                squares = float((difference.astype(np.float64) ** 2).mean())
                worst, total, count = max(worst, squares**0.5), total + squares, count + 1
        figures = f"peak {peak}, RMSE {(total / count) ** 0.5:.3f}, of the worst frame {worst:.3f} ({count} frames)"
        yield f"{profile.name.lower()}: {bench.device} against cpu float32", figures, worst <= TOLERANCE


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
        coded = bench.encode(source, bench.device, profile=profile, quality=30)
        bench.decode(coded, bench.device)
        seconds = timed(lambda profile=profile: bench.encode(  # type: ignore[misc]
            source, bench.device, profile=profile, quality=30), bench.device)  # fmt: skip
        yield f"encode {place}, {profile.name.lower()}", f"{frames / seconds:.1f} frames/s", None
        seconds = timed(lambda coded=coded: bench.decode(coded, bench.device), bench.device)  # type: ignore[misc]
        yield f"decode {place}, {profile.name.lower()}, libx264", f"{frames / seconds:.1f} frames/s", None
        seconds = timed(lambda coded=coded: bench.pictures(coded, bench.device), bench.device)  # type: ignore[misc]
        yield f"decode {place}, {profile.name.lower()}, frames only", f"{frames / seconds:.1f} frames/s", None
    yield from generator_speed(bench, size)


def generator_speed(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    """The generator alone on groups of four, and what share of the arithmetic peak that is."""
    from neurcodec.coarse.codec import CoarseFrame
    from neurcodec.generator.model import Generator
    from neurcodec.generator.restore import restore, working_type
    from neurcodec.pipeline.device import choose
    from neurcodec.pipeline.native import load_network

    device, folder = choose(bench.device), models.find(bench.model).folder / "generator"
    network = load_network(Generator, folder, device)
    rows, columns = -(-size[1] // 16) * 16, -(-size[0] // 16) * 16
    features = int(network.config.feature_channels)
    frame = CoarseFrame(FrameType.P, torch.rand(1, 3, rows, columns, device=device),
                        torch.zeros(1, features, rows // 8, columns // 8, device=device))  # fmt: skip
    count = (16 if device.type == "cuda" else 1) * GROUP

    def job() -> None:
        for _ in restore(network, [frame] * count, 30, size[1], size[0]):
            pass

    job()
    seconds = timed(job, bench.device) / count
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(side, side, device=device, dtype=working_type(device))
    timed(lambda: matrix @ matrix, bench.device)
    peak = 2 * side**3 / min(timed(lambda: matrix @ matrix, bench.device) for _ in range(10))
    flop, _ = generator_cost(folder, *size)
    yield "matrix product, working type", f"{peak / 1e12:.2f} TFLOP/s", None
    share = f"{flop / seconds / peak:.0%} of that ({flop / 1e9:.1f} GFLOP a frame)"
    yield f"generator {size[0]}x{size[1]}", f"{1 / seconds:.1f} frames/s, {share}", None


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
    sources += sorted(options.clips.glob("*.mp4")) if options.clips else []
    yield from exactness(bench, sources)
    yield from pixels(bench, sources)
    if not options.no_speed:
        count = options.frames if options.quick else 10 * options.frames
        yield from speed(bench, clip(bench.folder / "large.mkv", source, large, count), large, count)
        if bench.device.startswith("cuda"):
            yield from memory(bench, source, full, 2 * options.frames)


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="default", help="name or folder")
    parser.add_argument("--clips", type=Path, help="folder of .mp4 clips for exactness and pixels")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    options = parser.parse_args()
    wrong = False
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
