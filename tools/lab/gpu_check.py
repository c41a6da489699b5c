"""Everything that is claimed of a GPU, checked and timed in one run: python -m tools.lab.gpu_check.

Needs no network, and of the package's dependencies only those of the core. Prints a table; the exit code is 1 if a row
says WRONG. Exactness: the vectors' digests; files encoded on the CPU decode on the device and the other way round, in
both profiles at three qualities (a decoder checks every chunk's digest). Pixels: the device in its own precision
against the CPU in float32, at most 1.0 of 255 in root mean square (bitstream_spec.md, section 8.4). Speed: whole jobs,
and the generator alone, as it is and compiled, against the least time that tools/lab/flops.py counts at the card's
measured peaks of arithmetic and memory; how often a decoder makes the host wait for the card where nothing should.
Memory at 1920x1080 for a short and a longer video. `--clips FILE ...` takes clips of your own for exactness and pixels
in place of the example; `--quick` takes small pictures, for a test of the script.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from neurcodec.codec.symbols import parse
from neurcodec.container import Profile, Reader
from neurcodec.entropy import selftest
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import NcodecError
from neurcodec.jobs import inspection
from tools.lab.gpu_bench import ROOT, Bench, Row, clip, guarded
from tools.lab.gpu_speed import memory, speed

TOLERANCE = 1.0
QUALITIES = (10, 30, 50)
PARTS = ("exactness", "memory", "pixels", "compiled", "speed")
"""In this order: what is compiled keeps memory."""


def exactness(bench: Bench, sources: list[Path]) -> Iterator[Row]:
    """The latents: known digests, and files of one device on the other."""
    yield "prior, random integers", selftest.digest()[:16], selftest.digest() == selftest.EXPECTED
    vectors = ROOT / "tests" / "vectors"
    known = json.loads((vectors / "latents" / "digests.json").read_text())
    model, good = EntropyModel.load(vectors / "model" / "entropy.safetensors"), 0
    for name, digests in known.items():
        with Reader(io.BytesIO((vectors / "latents" / f"{name}.nvc").read_bytes())) as reader:
            gops = list(reader.gops())
            for gop in gops:
                parse(model, gop, reader.header)  # raises DamageError when its digest is another
            good += [gop.digest.hex() for gop in gops] == digests
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


def pixels(bench: Bench, sources: list[Path], profiles: Iterable[Profile], compile: bool) -> Iterator[Row]:
    """the pictures: the device in its precision against the CPU in float32."""
    for profile in profiles:
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


def checks(bench: Bench, options: argparse.Namespace) -> Iterator[Row]:
    """All the parts that are asked for."""
    cuda = bench.device.startswith("cuda")
    name = torch.cuda.get_device_name() if cuda else "CPU"
    yield "device", f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads", None
    example = ROOT / "examples" / "flight.mp4"
    small, large, full = ((96, 80),) * 3 if options.quick else ((640, 360), (1280, 720), (1920, 1080))
    shown: list[tuple[Path, tuple[int, int] | None]] = [(path, None) for path in options.clips] or [(example, small)]
    sources = [clip(bench.folder / f"{path.stem}.mkv", path, size, options.frames) for path, size in shown]
    many = options.frames if options.quick else 10 * options.frames
    rows: dict[str, Callable[[], Iterator[Row]]] = {
        "exactness": lambda: exactness(bench, sources),
        "memory": lambda: memory(bench, example, full, 2 * options.frames) if cuda else iter(()),
        "pixels": lambda: pixels(bench, sources, Profile, False),
        "compiled": lambda: pixels(bench, sources, [Profile.LAYERED], True),
        "speed": lambda: speed(bench, clip(bench.folder / "large.mkv", example, large, many), large, many),
    }
    for part in PARTS:
        if part in options.parts.split(","):
            yield from guarded(part, rows[part]())


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="default", help="name or folder")
    parser.add_argument("--clips", type=Path, nargs="+", default=[], help="for exactness and pixels")
    parser.add_argument("--frames", type=int, default=24, help="of each clip; ten times as many for speed")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", default=",".join(PARTS), help="which to run, by commas")
    parser.add_argument("--json", type=Path, help="file for the rows, written anew after each")
    options = parser.parse_args()
    wrong, rows = False, []
    logging.getLogger("neurcodec").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="ncodec-gpu-") as folder:
        bench = Bench(options.device, options.model, Path(folder), options.threads)
        for name, found, right in checks(bench, options):
            verdict = {True: "ok", False: "WRONG", None: ""}[right]
            sys.stdout.write(f"{name:<44} {found:<66} {verdict}\n")
            sys.stdout.flush()
            wrong |= right is False
            rows.append({"name": name, "found": found, "right": right})
            if options.json:
                temporary = options.json.with_suffix(".tmp")
                temporary.write_text(json.dumps(rows, indent=1))
                temporary.replace(options.json)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
