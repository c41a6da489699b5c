"""Faults injected into encode and decode jobs: python -m tools.lab.faults --trials 240 [--seed N] [--json FILE].

Each trial runs the real command in a process of its own (forked, with the libraries loaded already) on a tiny clip with
a seeded tiny model, and disturbs it at a random point. Afterwards there must be the old file, the new one or none under
the final name, no temporary file unless the process was killed, a documented exit code, and no traceback. Prints a
table for docs/reliability.md; the exit code is 1 if a trial broke a rule. Linux; full disks need the right to mount.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tools.lab.fault_jobs import Bench, Broken, outcome, set_up


def killed(bench: Bench, folder: Path, verb: str) -> str:
    """SIGKILL."""
    job = bench.job(verb, folder)
    before, run = job.target.exists(), bench.start(job)
    bench.wait(job)
    run.signal(signal.SIGKILL)
    return outcome(job, run, before)


def interrupted(bench: Bench, folder: Path, verb: str) -> str:
    """SIGINT or SIGTERM."""
    job = bench.job(verb, folder)
    started = folder.with_suffix(".started")

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # where this script itself runs in the background
        started.touch()

    before, run = job.target.exists(), bench.start(job, prepare)
    while not started.exists():
        time.sleep(0.005)
    time.sleep(0.02)  # the command installs its handlers first
    bench.wait(job)
    start = time.monotonic()
    run.signal(bench.chance.choice([signal.SIGINT, signal.SIGTERM]))
    run.end()
    bench.answers.append(time.monotonic() - start)
    return outcome(job, run, before)


def paused(bench: Bench, folder: Path, verb: str) -> str:
    """SIGSTOP, then SIGCONT: harmless."""
    job = bench.job(verb, folder)
    before, run = job.target.exists(), bench.start(job)
    bench.wait(job)
    run.signal(signal.SIGSTOP)
    time.sleep(0.05)
    run.signal(signal.SIGCONT)
    result = outcome(job, run, before)
    if result != "new":
        raise Broken(f"a pause leaves {result}")
    return result


def resumed(bench: Bench, folder: Path, verb: str) -> str:
    """encode --resume, killed up to three times, then left alone: the bytes of an uninterrupted run."""
    job = bench.job(verb, folder, "--resume")
    for _ in range(bench.chance.randint(1, 3)):
        before, run = job.target.exists(), bench.start(job)
        bench.wait(job)
        run.signal(signal.SIGKILL)
        outcome(job, run, before)
    run = bench.start(job)
    if outcome(job, run, job.target.exists()) != "new":
        raise Broken("resuming does not end")
    return "new"


def short_file(bench: Bench, folder: Path, verb: str) -> str:
    """No file may grow beyond a random size (RLIMIT_FSIZE)."""
    job = bench.job(verb, folder)
    size = bench.chance.randrange(len(job.whole) * 5 // 4)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    before, (reading, writing) = job.target.exists(), os.pipe()  # the log must not meet the limit
    run = bench.start(job, limit, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        run.log.write_bytes(said.read())
    return outcome(job, run, before)


def full_disk(bench: Bench, folder: Path, verb: str) -> str:
    """The output's file system is a tmpfs of a few pages."""
    folder.mkdir()
    size = 4096 * bench.chance.randint(1, 2 + len(bench.whole[verb]) // 4096)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mount.returncode:
        return "not run (no right to mount)"
    try:
        job = bench.job(verb, folder)
        before = job.target.exists()
        return outcome(job, bench.start(job), before)
    finally:
        subprocess.run(["umount", folder], check=True)


def obey_permissions() -> None:
    """Give up all capabilities, but not the user: who owns the code may go on reading it."""
    version, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(version, nothing):
        raise OSError(ctypes.get_errno(), "capset")


def read_only(bench: Bench, folder: Path, verb: str) -> str:
    """The output's folder can no longer be written; the command may not pass over permissions, as root would."""
    job = bench.job(verb, folder)
    folder.chmod(0o777)
    if job.target.exists():
        job.target.chmod(0o666)
    before = job.target.exists()
    run = bench.start(job, obey_permissions)
    if bench.chance.random() < 0.7:
        bench.wait(job)
    folder.chmod(0o555)
    run.end()
    for path in folder.iterdir():  # what could not be removed from a folder that cannot be written
        if path != job.target:
            path.unlink()
    return outcome(job, run, before)


def input_gone(bench: Bench, folder: Path, verb: str) -> str:
    """The input is deleted or cut while it is read."""
    job = bench.job(verb, folder)
    source = bench.folder / f"gone{job.source.suffix}"
    shutil.copy(job.source, source)
    job.source = source
    before, run = job.target.exists(), bench.start(job)
    bench.wait(job)
    if bench.chance.random() < 0.5:
        source.unlink()
    else:
        os.truncate(source, bench.chance.randrange(source.stat().st_size))
    return outcome(job, run, before, shorter=True)


def pipe_ends(bench: Bench, folder: Path, verb: str) -> str:
    """The input is a pipe whose writer dies at a random byte."""
    job = bench.job(verb, folder)
    data = job.source.read_bytes()
    job.source = bench.folder / "pipe"
    job.source.unlink(missing_ok=True)
    os.mkfifo(job.source)
    before, run = job.target.exists(), bench.start(job)

    def feed() -> None:
        try:
            with job.source.open("wb", buffering=0) as pipe:
                pipe.write(data[: bench.chance.randrange(len(data))])
        except BrokenPipeError:
            return

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    return outcome(job, run, before, shorter=True)


def log_ends(bench: Bench, folder: Path, verb: str) -> str:
    """The reader of standard output and error goes away, as with `2>&1 | head -1`."""
    job = bench.job(verb, folder)
    reading, writing = os.pipe()
    before, run = job.target.exists(), bench.start(job, stderr=writing)
    os.close(writing)
    bench.wait(job)
    os.close(reading)
    return outcome(job, run, before)


FAULTS = {
    "kill -9": killed, "Ctrl-C, SIGTERM": interrupted, "SIGSTOP, SIGCONT": paused, "kill -9 with --resume": resumed,
    "file size limit": short_file, "full disk (tmpfs)": full_disk, "read-only folder": read_only,
    "input deleted or cut": input_gone, "input pipe ends": pipe_ends, "log pipe ends": log_ends,
}  # fmt: skip


def run(trials: int, seed: int) -> tuple[dict[str, Counter[str]], list[float]]:
    """All trials, spread evenly over faults and commands: outcomes by fault, seconds of the answers to Ctrl-C."""
    chance = random.Random(seed)
    table: dict[str, Counter[str]] = {f"{verb}: {name}": Counter() for name in FAULTS for verb in ("encode", "decode")}
    del table["decode: kill -9 with --resume"]
    with tempfile.TemporaryDirectory(prefix="ncodec-faults-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        bench = set_up(folder, chance)
        rows = chance.sample(list(table), len(table))
        for number in range(trials):
            row = rows[number % len(rows)]
            verb, _, fault = row.partition(": ")
            place = folder / f"trial{number}"
            try:
                result = FAULTS[fault](bench, place, verb)
            except Broken as error:
                result = "BROKEN"
                sys.stderr.write(f"trial {number}, {row}: {error}\n")
            table[row][result] += 1
            place.chmod(0o755)
            shutil.rmtree(place)
    return table, bench.answers


def main() -> int:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table, answers = run(options.trials, options.seed)
    lines = ["| job and fault | trials | outcomes |", "|---|---|---|"]
    for row, counts in table.items():
        outcomes = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        lines.append(f"| {row} | {counts.total()} | {outcomes} |")
    if answers:
        lines.append(f"\nLongest answer to Ctrl-C or SIGTERM: {max(answers):.2f} s (of {len(answers)}).")
    sys.stdout.write("\n".join(lines) + "\n")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")
    return 1 if any("BROKEN" in counts for counts in table.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
