#!/usr/bin/env python3
"""All work on the lent machine, by the clock of a plan (plan.json): conduct.py KIT PLAN.

Base pairs of each part as it comes; beside them the checks; alone on the machine, with the pairs stopped, the timings;
then training from the state that came, with an export every few minutes. Minutes are those of the lease.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.gpu.base_pairs import Pairs
from tools.gpu.lists import state_files

LEASE_MINUTES = 30
PIECE = 15 << 20
"""Bytes of a file that comes back, at most."""
Process = subprocess.Popen[bytes]


class Kit:
    """The folder of the kit on that machine, and the plan."""

    def __init__(self, folder: Path, plan: Path) -> None:
        self.folder, self.plan = folder, json.loads(plan.read_text())
        self.parts = json.loads((folder / "parts.json").read_text())
        self.out, self.code, self.runs = folder / "out", folder / "code", folder / "runs"
        for made in (self.out, folder / "checks"):
            made.mkdir(exist_ok=True)

    def minute(self) -> float:
        """Minutes of the lease that are over."""
        return LEASE_MINUTES - (float((self.folder / "gone").read_text()) - time.time()) / 60

    def stopped(self) -> bool:
        """Whether training's time is over, or somebody said so."""
        return (self.folder / "stop").exists() or self.minute() >= self.plan["training_until"]

    def say(self, text: str) -> None:
        """A line of the log."""
        sys.stdout.write(f"{self.minute():5.1f} min  {text}\n")

    def start(self, log: str, *command: str, threads: int = 1) -> Process:
        """Start a command of this Python, which has the code and the wheels on its path, in a process group."""
        settings = {"TORCHINDUCTOR_CACHE_DIR": str(self.folder / "inductor"), "OMP_NUM_THREADS": str(threads)}
        with (self.folder / log).open("a") as file:
            return subprocess.Popen(
                [sys.executable, *command], cwd=self.code, process_group=0,
                env={**os.environ, **settings}, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def stage(self, name: str, *arguments: str, settings: Mapping[str, Any], runs: Path, threads: int = 1) -> Process:
        """Start a stage of `ncodec train`; its log is NAME.txt."""
        configured = [f"--config={key}={value}" for key, value in settings.items()]
        command = ("-m", "neurcodec", "train", name, "--runs", str(runs), *arguments, *configured)
        return self.start(f"{name}.txt", *command, threads=threads)


def check(kit: Kit, jobs: Mapping[str, list[str]], until: float) -> None:
    """Runs of gpu_check beside each other, no longer than to a minute; rows and tables in checks/NAME.json, .txt."""
    processes = {}
    for name, arguments in jobs.items():
        rows = str(kit.folder / "checks" / f"{name}.json")
        command = ("-m", "tools.lab.gpu_check", "--device", kit.plan["device"], "--json", rows, *arguments)
        processes[name] = kit.start(f"checks/{name}.txt", *command)
    while any(process.poll() is None for process in processes.values()) and kit.minute() < until and not kit.stopped():
        time.sleep(0.5)
    for name, process in processes.items():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kit.say(f"{name}: not done by minute {until}")
        kit.say(f"{name}: exit code {process.wait()}")


def check_jobs(kit: Kit) -> dict[str, list[str]]:
    """What is checked beside each other: the example, and each clip for the checks."""
    arguments, parts = kit.plan["checks"]["arguments"], kit.plan["checks"]["parts"]
    jobs = {f"example-{some.split(',')[0]}": [*arguments, "--parts", some] for some in parts}
    for clip in sorted((kit.folder / "eval").glob("*")):
        jobs[clip.stem] = [*arguments, "--parts", "exactness,pixels", "--clips", str(clip)]
    return jobs


def snapshot(kit: Kit) -> Path:
    """A copy of the trainer's newest state, as the run folder generator/ of a folder that export can read."""
    shot = kit.folder / "shot"
    shutil.rmtree(shot, ignore_errors=True)
    (shot / "generator").mkdir(parents=True)
    (shot / "pairs").symlink_to(kit.runs / "pairs")
    for _ in range(3):
        try:
            for file in state_files(kit.runs / "generator"):
                shutil.copyfile(file, shot / "generator" / file.name)
            break
        except FileNotFoundError:  # the trainer has just replaced this checkpoint by the next
            continue
    return shot


def put_pieces(kit: Kit, file: Path) -> None:
    """A file as pieces out/NAME.N that can come back, all put in place at once."""
    data = file.read_bytes()
    pieces = [kit.out / f"{file.name}.{number}" for number in range(-(-len(data) // PIECE))]
    for number, piece in enumerate(pieces):
        Path(f"{piece}.tmp").write_bytes(data[number * PIECE : (number + 1) * PIECE])
    for piece in pieces:
        Path(f"{piece}.tmp").replace(piece)


def export(kit: Kit) -> None:
    """The newest state as out/run.tar.N (checkpoint and logs) and out/model.tar.N (a model folder)."""
    shot, model = snapshot(kit), kit.folder / "model"
    if not model.exists():
        shutil.copytree(kit.code / "models/default", model)
    settings = {"commit": f"{kit.parts['commit']} (on a lent GPU)"}
    code = kit.stage("export", "--out", str(model), settings=settings, runs=shot).wait()
    for name, folder in (("run.tar", shot / "generator"), ("model.tar", model)):
        with tarfile.open(kit.folder / name, "w") as tar:
            tar.add(folder, folder.name)
        put_pieces(kit, kit.folder / name)
    kit.say(f"export of {(shot / 'generator/checkpoint.json').read_text()}: exit code {code}")


def start_training(kit: Kit, compile: int) -> Process:
    """The trainer, with what is left of its minutes after it has begun."""
    left = max(0.1, kit.plan["training_until"] - kit.minute() - kit.plan["training_begins_in"])
    settings = {**kit.plan["training"], "compile": compile, "minutes": round(left, 2)}
    threads = kit.plan["training_threads"]
    arguments = ("--device", kit.plan["device"], "--weights", str(kit.folder / "weights"), "--threads", str(threads))
    kit.say(f"training with compile={compile} for {left:.1f} minutes")
    return kit.stage("generator", *arguments, settings=settings, runs=kit.runs, threads=threads)


def end(kit: Kit, process: Process) -> None:
    """Interrupt the trainer, which saves; kill it when it has not ended after 40 seconds."""
    os.kill(process.pid, signal.SIGINT)
    try:
        process.wait(40)
        kit.say("training: interrupted")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        kit.say("training: did not end, exit code -9")


def watch(kit: Kit, process: Process) -> None:
    """Export now and then while the trainer works; kill it when it writes no line for too long after its start."""
    log, started, exported = kit.runs / "generator/log.jsonl", time.time(), kit.minute()
    while process.poll() is None and not kit.stopped():
        time.sleep(0.5)
        if kit.minute() - exported >= kit.plan["export_every"]:
            export(kit)
            exported = kit.minute()
        silent = not log.exists() or log.stat().st_mtime < started
        if silent and time.time() - started > 60 * kit.plan["silent_minutes"]:
            kit.say("training is silent")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def train(kit: Kit) -> None:
    """Train until the time is over; a trainer that fails is started again, with less of it compiled."""
    for compile in kit.plan["compile"]:
        if kit.stopped():
            break
        process = start_training(kit, compile)
        watch(kit, process)
        if process.poll() is None:
            end(kit, process)
        kit.say(f"training: exit code {process.returncode}")
        if process.returncode == 0:
            break
    export(kit)


def main() -> None:
    """The plan from its beginning to its end."""
    folder = Path(sys.argv[1])
    kit = Kit(folder, folder / "code" / sys.argv[2])
    pairs = Pairs(kit)
    pairs.start()
    check(kit, check_jobs(kit), kit.plan["checks"]["until"])
    pairs.pause(True)
    check(kit, {"timings": kit.plan["timings"]["arguments"]}, kit.plan["timings"]["until"])
    pairs.pause(False)
    while not (kit.runs / "pairs/index.json").exists() and not kit.stopped():
        time.sleep(0.5)
    train(kit)
    (folder / "done").touch()


if __name__ == "__main__":
    main()
