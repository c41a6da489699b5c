#!/usr/bin/env python3
"""What works on the lent machine from the first `run` on, by the clock of a plan (plan.json): conduct.py KIT PLAN.

Base pairs of each part as it comes; beside them the checks; alone on the machine, with the pairs stopped, the timings;
then training from the checkpoint that came, and an export every few minutes. Minutes count from when the machine
is held.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

PIECE = 15 << 20
"""Bytes of a file that comes back, at most."""


class Kit:
    """The folder of the kit on that machine, and the plan."""

    def __init__(self, folder: Path, plan: Path) -> None:
        self.folder, self.plan = folder, json.loads(plan.read_text())
        self.out, self.code = folder / "out", folder / "code"
        self.out.mkdir(exist_ok=True)

    def minute(self) -> float:
        """Minutes that the machine has been held."""
        return (time.time() - float((self.folder / "began").read_text()) + self.plan["start_seconds"]) / 60

    def stopped(self) -> bool:
        """Whether training's time is over, or somebody said so."""
        return (self.folder / "stop").exists() or self.minute() >= self.plan["training_until"]

    def say(self, text: str) -> None:
        """A line of the log."""
        sys.stdout.write(f"{self.minute():5.1f} min  {text}\n")
        sys.stdout.flush()

    def start(self, log: str, *command: str, nice: int = 0, threads: int = 1) -> subprocess.Popen[bytes]:
        """Start a command of the kit's Python in a process group of its own."""
        python = str(self.folder / "venv/bin/python")
        caches = {"TORCHINDUCTOR_CACHE_DIR": str(self.folder / "inductor"), "OMP_NUM_THREADS": str(threads)}
        with (self.folder / log).open("a") as file:
            return subprocess.Popen(
                ["nice", "-n", str(nice), python, *command], cwd=self.code, process_group=0,
                env={**os.environ, **caches}, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def until(self, process: subprocess.Popen[bytes], minute: float, name: str) -> None:
        """Wait for a process, no longer than to a minute; end it there."""
        while process.poll() is None and self.minute() < minute and not self.stopped():
            time.sleep(0.5)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.say(f"{name}: exit code {process.returncode}")


class Pairs(threading.Thread):
    """Makes base pairs of the parts as they come; `pause` stops it for a while."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(daemon=True)
        self.kit = kit
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """One call of stage pairs for all that has come, again when more has."""
        parts, seen = json.loads((self.kit.folder / "parts.json").read_text())["parts"], 0
        while seen < parts:
            here = len(list(self.kit.folder.glob("took-*")))
            if here == seen:
                time.sleep(0.5)
                continue
            seen = here
            folders = [f"--data={folder}" for folder in sorted((self.kit.folder / "data").glob("*"))]
            settings = [f"--config={name}={value}" for name, value in self.kit.plan["pairs"].items()]
            jobs = ["--threads", str(self.kit.plan["pairs_jobs"]), "--runs", str(self.kit.folder / "runs")]
            command = ("-m", "neurcodec", "train", "pairs", *folders, *jobs, *settings)
            self.process = self.kit.start("pairs.txt", *command, nice=19)
            self.kit.say(f"pairs of {seen} of {parts} parts: exit code {self.process.wait()}")

    def pause(self, on: bool) -> None:
        """Stop the processes, or let them go on."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGSTOP if on else signal.SIGCONT)


def check(kit: Kit, name: str, until: float) -> None:
    """One part of gpu_check: its table to out/check.txt, its rows to out/NAME.json."""
    clips = ["--clips", str(kit.folder / "eval")] if name == "checks" and (kit.folder / "eval").exists() else []
    command = ["scripts/gpu_check.py", "--device", kit.plan["device"], "--json", str(kit.out / f"{name}.json"), *clips]
    process = kit.start("check.txt", *command, *kit.plan[name], threads=os.cpu_count() or 1)
    kit.until(process, until, name)
    shutil.copyfile(kit.folder / "check.txt", kit.out / "check.txt")


def export(kit: Kit) -> None:
    """The newest checkpoint as out/run.tar.N (trainer's state and logs) and out/model.tar (weights)."""
    run, shot = kit.folder / "runs/generator", kit.folder / "shot"
    shutil.rmtree(shot, ignore_errors=True)
    try:
        shutil.copytree(run, shot / "generator")
    except shutil.Error:  # the trainer was replacing its checkpoint
        time.sleep(2)
        shutil.copytree(run, shot / "generator", dirs_exist_ok=True)
    (shot / "pairs").symlink_to(kit.folder / "runs/pairs")
    model = kit.folder / "model"
    if not model.exists():
        shutil.copytree(kit.code / "models/default", model)
    command = ("-m", "neurcodec", "train", "export", "--runs", str(shot), "--out", str(model))
    code = kit.start("export.txt", *command).wait()
    for name, folder in (("run.tar", shot / "generator"), ("model.tar", model)):
        with tarfile.open(kit.folder / name, "w") as tar:
            tar.add(folder, folder.name)
        data = (kit.folder / name).read_bytes()
        for number, start in enumerate(range(0, len(data), PIECE)):
            (kit.out / f"{name}.{number}.tmp").write_bytes(data[start : start + PIECE])
            (kit.out / f"{name}.{number}.tmp").replace(kit.out / f"{name}.{number}")
    kit.say(f"export of {json.loads((shot / 'generator/checkpoint.json').read_text())}: exit code {code}")


def training(kit: Kit, compile: int) -> subprocess.Popen[bytes]:
    """The trainer, started with what is left of its minutes."""
    left = max(0.1, kit.plan["training_until"] - kit.minute())
    settings: dict[str, Any] = {**kit.plan["training"], "compile": compile, "minutes": round(left, 2)}
    threads = kit.plan["training_threads"]
    command = ["-m", "neurcodec", "train", "generator", "--runs", str(kit.folder / "runs"), "--device",
               kit.plan["device"], "--weights", str(kit.folder / "weights"), "--threads", str(threads)]  # fmt: skip
    kit.say(f"training with compile={compile} for {left:.1f} minutes")
    return kit.start("train.txt", *command, *(f"--config={k}={v}" for k, v in settings.items()), threads=threads)


def interrupt(kit: Kit, process: subprocess.Popen[bytes]) -> None:
    """End the trainer, which saves; kill it when it has not after 40 seconds."""
    os.kill(process.pid, signal.SIGINT)
    try:
        process.wait(40)
        kit.say("training: interrupted")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        kit.say("training: did not end, exit code -9")


def train(kit: Kit) -> None:
    """Train and export until the time is over; one that fails or stays silent is started again, compiled less."""
    log = kit.folder / "runs/generator/log.jsonl"
    for compile in kit.plan["compile"]:
        process, started, exported = training(kit, compile), time.time(), kit.minute()
        while process.poll() is None and not kit.stopped():
            time.sleep(0.5)
            if kit.minute() - exported >= kit.plan["export_every"]:
                export(kit)
                exported = kit.minute()
            alive = log.exists() and log.stat().st_mtime > started
            if not alive and time.time() - started > 60 * kit.plan["silent_minutes"]:
                kit.say("training is silent")
                os.killpg(process.pid, signal.SIGKILL)
        if process.poll() is None:
            interrupt(kit, process)
            break
        kit.say(f"training: exit code {process.returncode}")
        if not process.returncode:
            break
    export(kit)


def main() -> None:
    """The plan from its beginning to its end."""
    folder = Path(sys.argv[1])
    kit = Kit(folder, folder / "code" / sys.argv[2])
    pairs = Pairs(kit)
    pairs.start()
    check(kit, "checks", kit.plan["checks_until"])
    pairs.pause(True)
    check(kit, "timings", kit.plan["timings_until"])
    pairs.pause(False)
    while not (folder / "runs/pairs/index.json").exists() and not kit.stopped():
        time.sleep(0.5)
    train(kit)
    (folder / "done").touch()


if __name__ == "__main__":
    main()
