#!/usr/bin/env python3
"""The commands for the lent machine, one for each `run` (docs/gpu.md). Needs nothing but Python's own library.

    python3 tools/gpu/there.py take N       moves what came as .gpu/N to its place; with the last part that is needed it
                                            sets up and starts all
    python3 tools/gpu/there.py wait SECONDS waits so long at most, then puts the newest results into $OUT
    python3 tools/gpu/there.py end          ends training now, waits for its last export, puts all into $OUT

`--left S` says how many of the 1,800 seconds were left by the last reply (budget_left_s); the plan's minutes count from
that. All work is done by conduct.py, in a session of its own, so that it outlasts each `run`. GPU_KIT: its folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KIT = Path(os.environ.get("GPU_KIT", "/tmp/gpukit"))
NOT_CODE = (".gpu", ".git", ".venv", "runs", "__pycache__")
TRIAL = """
import av, constriction, cv2, efficientnet_lite_pytorch, torch
from neurcodec.training import stages
print("torch", torch.__version__, "CUDA", torch.cuda.is_available())
"""


def note_time(left: float) -> None:
    """Keep the earliest time at which the machine can be gone."""
    file, gone = KIT / "gone", time.time() + left
    if file.exists():
        gone = min(gone, float(file.read_text()))
    file.with_suffix(".tmp").write_text(str(gone))
    file.with_suffix(".tmp").replace(file)


def set_up() -> dict[str, str]:
    """Install the wheels beside the packages that are there; returns the environment that finds them and the code."""
    wheels = [str(wheel) for wheel in sorted((KIT / "wheels").iterdir())]
    quiet = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, "--target", str(KIT / "site"), *wheels], check=True)
    environment = {**os.environ, "PYTHONPATH": f"{KIT / 'site'}:{KIT / 'code'}", "PYTHONUNBUFFERED": "1"}
    subprocess.run([sys.executable, "-c", TRIAL], env=environment, check=True)
    return environment


def take(part: int, plan: str) -> None:
    """Put a part in place; the first brings the code, the last of what is needed starts the conductor."""
    came, beside = ROOT / ".gpu" / str(part), KIT / "coming"
    shutil.copytree(came, beside, dirs_exist_ok=True)
    for file in [path for path in beside.rglob("*") if path.is_file()]:  # whole or not there, for who reads meanwhile
        target = KIT / file.relative_to(beside)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
    shutil.rmtree(beside)
    shutil.rmtree(came)
    if part == 1:
        shutil.copytree(ROOT, KIT / "code", ignore=shutil.ignore_patterns(*NOT_CODE), dirs_exist_ok=True)
    (KIT / f"took-{part}").touch()
    if part == json.loads((KIT / "parts.json").read_text())["set_up_after"]:
        command = [sys.executable, "-m", "tools.gpu.conduct", str(KIT), plan]
        environment = set_up()
        with (KIT / "conductor.txt").open("w") as log:
            subprocess.Popen(
                command,
                cwd=KIT / "code",
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


def wait(seconds: float) -> None:
    """Wait, no longer than the conductor works."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (KIT / "done").exists():
        time.sleep(1)


def fetch() -> None:
    """Put what is to come back into $OUT."""
    out = Path(os.environ["OUT"])
    for file in (KIT / "out").glob("*.*[0-9]"):
        shutil.copyfile(file, out / file.name)
    checks = KIT / "checks"
    rows = {file.stem: json.loads(file.read_text() or "[]") for file in sorted(checks.glob("*.json"))}
    (out / "checks.json").write_text(json.dumps(rows, indent=1))
    logs = [f"== {file.stem}\n{file.read_text(errors='replace')}" for file in sorted(checks.glob("*.txt"))]
    logs += [f"== {file.name}\n{file.read_text(errors='replace')}" for file in sorted(KIT.glob("*.txt"))]
    (out / "logs.txt").write_text("\n".join(logs))


def show() -> None:
    """Print where things stand."""
    for name, lines in (("conductor.txt", 30), ("train.txt", 5), ("runs/generator/log.jsonl", 3)):
        if (KIT / name).exists():
            last = (KIT / name).read_text(errors="replace").splitlines()[-lines:]
            sys.stdout.write("\n".join([f"== {name}", *last, ""]))
    sys.stdout.flush()
    if shutil.which("nvidia-smi"):
        asked = "--query-gpu=name,utilization.gpu,memory.used,power.draw"
        subprocess.run(["nvidia-smi", asked, "--format=csv,noheader"], check=False)


def main() -> None:
    """One command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("take", "wait", "end"))
    parser.add_argument("number", nargs="?", type=int, default=100, help="part, or seconds")
    parser.add_argument("--left", type=float, help="seconds of the lease that were left")
    parser.add_argument("--plan", default="tools/gpu/plan.json")
    options = parser.parse_args()
    KIT.mkdir(exist_ok=True)
    if options.left is not None:
        note_time(options.left)
    if options.what == "take":
        take(options.number, options.plan)
    else:
        if options.what == "end":
            (KIT / "stop").touch()
        wait(options.number)
        fetch()
    show()


if __name__ == "__main__":
    main()
