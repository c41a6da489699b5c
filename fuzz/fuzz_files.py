"""Mutated files through `verify` and `decode`, in process: python -m fuzz.fuzz_files verify --count 100000

The seeds are the test vectors for `verify`, latents and all, and for `decode` clips that a seeded tiny model codes
here, with sound, of both profiles. Every input must end in a result or in an error of neurcodec.errors within 5 s of
processor time (a hang otherwise). Each batch runs in a process of its own, so that a crash is counted and the run goes
on; how much a batch grows in memory is reported. So that time shows hangs and not large pictures, the reader's limit of
pixels in a chunk is lowered to 2^21. Findings go to the folder --findings. The exit code is 1 if there was one.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.mutate import mutate

ROOT = Path(__file__).parent.parent
HANG = 5.0
PIXELS = 1 << 21
SEEDS = 4
Target = Callable[[Path, random.Random], str]


class HangError(Exception):
    """An input took too long."""


def write_tiny_seeds(folder: Path) -> None:
    """A tiny model in `folder`/model, and clips coded with it."""
    from neurcodec.container import Profile
    from neurcodec.extensions.streams import asked
    from neurcodec.jobs.encode import encode_file
    from neurcodec.jobs.options import EncodeOptions
    from neurcodec.training.tiny import write_tiny_model
    from tools.clips import scene, write_clip

    write_tiny_model(folder / "model", 1)
    clip = write_clip(folder / "clip.mkv", scene(9, (48, 32)), sound=True)
    large = write_clip(folder / "large.mkv", scene(7, (128, 96)))
    native, layered = Profile.NATIVE, Profile.LAYERED
    kinds = ((clip, native, 10, None, 0), (clip, native, 60, None, 0), (large, layered, 30, None, 0),
             (large, layered, 20, 2, 1))  # fmt: skip
    for number, (source, profile, quality, interval, detail) in enumerate(kinds):
        options = EncodeOptions(profile=profile, quality=quality, model=str(folder / "model"), device="cpu", threads=1,
                                gop_seconds=Fraction(4, 25), mini_gop=interval, overwrite=True,
                                extensions=asked(detail=detail))  # fmt: skip
        encode_file(source, folder / f"seed{number}.nvc", options)


def tiny_seeds(folder: Path) -> list[bytes]:
    """The clips of `write_tiny_seeds`, made in another process: a fork must not inherit decoders and their threads."""
    pid = os.fork()
    if not pid:
        try:
            write_tiny_seeds(folder)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    seeds = [path.read_bytes() for path in sorted(folder.glob("seed*.nvc"))]
    if len(seeds) != SEEDS:
        raise SystemExit("the seeds could not be made")
    return seeds


def vector_seeds(folder: Path) -> list[bytes]:
    """The test vectors; those that are right more often, and `folder`/model with their integers and no networks."""
    vectors = ROOT / "tests" / "vectors"
    for part in ("coarse", "generator"):
        (folder / "model" / part).mkdir(parents=True)
        (folder / "model" / part / "none.safetensors").touch()
    shutil.copy(vectors / "model" / "entropy.safetensors", folder / "model")
    good = [*(vectors / "good").glob("*.nvc"), *(vectors / "latents").glob("*.nvc")]
    paths = [*vectors.rglob("*.nvc"), *10 * good]
    return [path.read_bytes() for path in sorted(paths)]


def prepare(decoding: bool) -> None:
    """Lower a limit, load a model once for all inputs, and let what is behind the digest of many chunks be met."""
    from neurcodec.codec import symbols
    from neurcodec.container import Limits
    from neurcodec.entropy.model import EntropyModel
    from neurcodec.jobs import inspection

    logging.getLogger("neurcodec").setLevel(logging.CRITICAL)
    inspection._limits = lambda on: Limits(chunk_pixels=PIXELS)
    digest = symbols.digest
    symbols.digest = lambda gop, *rest: gop.digest if gop.first_frame % 2 == 0 else digest(gop, *rest)
    EntropyModel.load = functools.cache(EntropyModel.load)  # type: ignore[method-assign]
    if decoding:
        from neurcodec.codec import networks

        networks.load_network = functools.cache(networks.load_network)  # type: ignore[assignment]


def verify(path: Path, chance: random.Random, quick: bool = False) -> str:
    """`ncodec verify`."""
    from neurcodec.jobs.inspection import verify_file

    verify_file(path, quick, None if quick else str(path.parent / "model"))
    return "whole"


def decode(path: Path, chance: random.Random) -> str:
    """`ncodec decode`, with and without --salvage and the generator."""
    from neurcodec.jobs.decode import decode_file
    from neurcodec.jobs.options import DecodeOptions

    options = DecodeOptions(
        diffusion=chance.random() < 0.3, salvage=chance.random() < 0.6, model=str(path.parent / "model"), device="cpu",
        overwrite=True, threads=1, crf=30,
    )  # fmt: skip
    target = path.with_suffix(chance.choice([".mp4", ".mkv", ".y4m"]))
    report = decode_file(path, target, options)
    return "salvaged" if report.lost else "decoded"


TARGETS: dict[str, Target] = {"quick": functools.partial(verify, quick=True), "verify": verify, "decode": decode}


def one_input(target: Target, path: Path, chance: random.Random) -> str:
    """The outcome of one input: a result, or the class of a documented error."""
    from neurcodec.errors import NcodecError

    try:
        signal.setitimer(signal.ITIMER_PROF, HANG)
        return target(path, chance)
    except NcodecError as error:
        text = str(error)
        if "\n" in text:
            raise ValueError(f"an error of several lines: {text!r}") from error
        return type(error).__name__ + (" in latents" if "the chunk of frames" in text else "")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def batch(name: str, seeds: list[bytes], folder: Path, seed: int, count: int) -> dict[str, Any]:
    """Run `count` inputs; in the child process."""

    def hang(number: int, frame: FrameType | None) -> None:
        raise HangError

    signal.signal(signal.SIGPROF, hang)
    chance, outcomes, findings = random.Random(seed), Counter[str](), []
    path, slowest, start = folder / "input.nvc", 0.0, 0
    for number in range(count):
        data = mutate(seeds, chance)
        path.write_bytes(data)
        (folder / "current").write_bytes(data)
        began = time.process_time()
        try:
            outcomes[one_input(TARGETS[name], path, chance)] += 1
        except Exception:  # noqa: BLE001 - whatever is not documented is what is looked for
            outcomes["FINDING"] += 1
            findings.append((data.hex(), traceback.format_exc()))
        slowest = max(slowest, time.process_time() - began)
        if number == count // 4:
            start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
    return {"outcomes": outcomes, "findings": findings, "slowest": slowest, "growth": growth}


def in_child(*arguments: Any) -> dict[str, Any]:
    """`batch` in a process of its own; a crash is a finding."""
    folder: Path = arguments[2]
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    pid = os.fork()
    if not pid:
        try:
            result.write_text(json.dumps(batch(*arguments)))
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    if result.exists():
        return dict(json.loads(result.read_text()))
    data = (folder / "current").read_bytes()
    finding = (data.hex(), f"crash: wait status {status}")
    return {"outcomes": {"FINDING": 1}, "findings": [finding], "slowest": 0.0, "growth": 0}


def run(name: str, count: int, seed: int, seconds: float, size: int, keep: Path) -> dict[str, Any]:
    """All batches, until `count` inputs or `seconds` are done."""
    total: Counter[str] = Counter()
    slowest, growth, start = 0.0, [0], time.monotonic()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="ncodec-fuzz-", dir=memory) as place:
        folder = Path(place)
        seeds = tiny_seeds(folder) if name == "decode" else vector_seeds(folder)
        prepare(name == "decode")
        for number in range(-(-count // size)):
            if time.monotonic() - start > seconds:
                break
            report = in_child(name, seeds, folder, seed + number, min(size, count - number * size))
            total.update(report["outcomes"])
            slowest, growth = max(slowest, report["slowest"]), [*growth, report["growth"]]
            for data, reason in report["findings"]:
                keep.mkdir(exist_ok=True)
                stem = f"{name}-{seed + number}-{len(list(keep.iterdir()))}"
                (keep / f"{stem}.nvc").write_bytes(bytes.fromhex(data))
                (keep / f"{stem}.txt").write_text(reason)
    return {
        "inputs": total.total(), "outcomes": dict(sorted(total.items())),
        "slowest input, s of processor time": round(slowest, 2),
        "largest growth of a batch after its first quarter, KiB": max(growth), "batches": len(growth) - 1,
        "seconds": round(time.monotonic() - start),
    }  # fmt: skip


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    report = run(options.target, options.count, options.seed, options.seconds, options.batch, options.findings)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if "FINDING" in report["outcomes"] else 0


if __name__ == "__main__":
    sys.exit(main())
