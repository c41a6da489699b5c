"""What tools/lab/faults.py runs: encode and decode jobs in processes of their own, and the check of how they ended."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLD = b"the old file"
HANG = 60.0
KILLED = -signal.SIGKILL
TERMINATED = -signal.SIGTERM  # before the command had begun
DOCUMENTED = {0, 1, 3, 4, 5, 6, 7, 11, 130, KILLED, TERMINATED}


class Broken(Exception):
    """A trial ended as it must not."""


@dataclass
class Job:
    """A command being disturbed: encode or decode, from `source` to `target`, `whole` being what it should write."""

    verb: str
    source: Path
    target: Path
    whole: bytes
    seconds: float
    extra: tuple[str, ...] = ()

    def arguments(self, model: Path) -> list[str]:
        """The command line."""
        line = [self.verb, self.source, self.target, "-f", "-v", "--model", model, "--threads", "1", *self.extra]
        return [str(part) for part in [*line, *(("--gop", "0.16", "--bitexact") if self.verb == "encode" else ())]]


@dataclass
class Bench:
    """Where trials run: references, the model, chance."""

    folder: Path
    chance: random.Random
    model: Path
    clips: dict[str, Path] = field(default_factory=dict)
    whole: dict[str, bytes] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)
    """Seconds from Ctrl-C or SIGTERM to the end of the process."""

    def job(self, verb: str, folder: Path, *extra: str) -> Job:
        """A job in a fresh folder, every second time onto an old file."""
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / ("out.nvc" if verb == "encode" else "out.mp4")
        if self.chance.random() < 0.5:
            target.write_bytes(OLD)
        return Job(verb, self.clips[verb], target, self.whole[verb], self.seconds[verb], extra)

    def start(self, job: Job, prepare: Callable[[], None] = lambda: None, stderr: int | None = None) -> Running:
        """Fork a process that runs the command."""
        log = self.folder / "stderr.txt"
        log.write_bytes(b"")
        pid = os.fork()
        if pid:
            return Running(pid, log)
        code = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_TRUNC) if stderr is None else stderr
            os.dup2(descriptor, 2)
            os.dup2(descriptor, 1)
            prepare()
            atexit._clear()  # the parent's folders are not this process's to remove
            sys.argv = ["ncodec", *job.arguments(self.model)]
            from neurcodec.cli import main

            main()  # ends the process
        except BaseException:  # noqa: BLE001 - what a real process prints
            traceback.print_exc()
        finally:
            os._exit(code)

    def wait(self, job: Job) -> None:
        """Let a random part of the job's time pass."""
        time.sleep(self.chance.uniform(0, 1.1 * job.seconds))


class Running:
    """A process that runs a command."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid, self.log = pid, log
        self.code: int | None = None

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def end(self) -> int:
        """Wait for the end; the exit code, negative for a signal."""
        limit = time.monotonic() + HANG
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise Broken("hangs")
            else:
                time.sleep(0.002)
        return self.code


def outcome(job: Job, run: Running, before: bool, shorter: bool = False) -> str:
    """Check a trial's end and name it: old, new, none, or with `shorter` a whole file of fewer frames."""
    code, said = run.end(), run.log.read_text(errors="replace")
    if "Traceback" in said:
        raise Broken(said[-800:])
    if code not in DOCUMENTED:
        raise Broken(f"exit code {code}: {said[-300:]}")
    rest = [path.name for path in job.target.parent.iterdir() if path != job.target and path.suffix != ".part"]
    if rest and code != KILLED:
        raise Broken(f"left behind: {rest}")
    if not job.target.exists():
        if before:
            raise Broken("the old file is gone")
        if code == 0:
            raise Broken("says done, but there is no file")
        return "none"
    data = job.target.read_bytes()
    if data == job.whole:
        return "new"
    if data == OLD and code != 0:
        return "old"
    if shorter and is_whole(job) and said.strip():
        return "shorter, said"
    raise Broken(f"{len(data)} wrong bytes under the final name, exit code {code}: {said[-300:]}")


def is_whole(job: Job) -> bool:
    """Is the output a whole file, if not of all frames?"""
    from neurcodec import container
    from neurcodec.errors import NcodecError

    try:
        return job.verb == "encode" and container.check(job.target)["frames"] > 0
    except NcodecError:
        return False


def set_up(folder: Path, chance: random.Random) -> Bench:
    """A clip, a model, and what undisturbed jobs write."""
    import numpy as np

    from tools.clips import scene, write_clip

    subprocess.run(
        [sys.executable, "-c", "import sys; from pathlib import Path; from neurcodec.training.tiny import *\n"
         "write_tiny_model(Path(sys.argv[1]), 1)", folder / "model"], check=True, cwd=ROOT,
    )  # fmt: skip
    bench = Bench(folder, chance, folder / "model")
    noise = np.random.default_rng(1)
    pictures = [picture ^ noise.integers(0, 32, picture.shape, np.uint8) for picture in scene(24, (64, 48))]
    bench.clips["encode"] = write_clip(folder / "clip.mkv", pictures, sound=True)  # larger than FFmpeg's buffers
    for path in [bench.model, *bench.model.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # for trials that do not run as root
    from neurcodec.codec import networks  # noqa: F401 - loaded once, for all trials

    for verb in ("encode", "decode"):
        bench.whole[verb], bench.seconds[verb] = b"", 0.0
        for name in ("reference", "again"):
            job, start = bench.job(verb, folder / name), time.monotonic()
            run = bench.start(job)
            if run.end():
                raise SystemExit(run.log.read_text())
            bench.seconds[verb] = time.monotonic() - start
            if name == "again" and job.target.read_bytes() != bench.whole[verb]:
                raise SystemExit(f"{verb} is not deterministic")
            bench.whole[verb] = job.target.read_bytes()
        if verb == "encode":
            bench.clips["decode"] = Path(shutil.copy(folder / "again" / "out.nvc", folder / "clip.nvc"))
    return bench
