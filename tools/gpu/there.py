#!/usr/bin/env python3
"""The commands for the lent machine, one for each `run` (docs/gpu.md). Needs nothing but Python's own library.

    python3 tools/gpu/there.py take N       moves what came as .gpu/N to its place; sets up and starts all when what is
                                            needed is there
    python3 tools/gpu/there.py wait SECONDS waits so long at most, then puts the newest results into $OUT
    python3 tools/gpu/there.py end          ends training now, waits for its last export, puts all into $OUT

`--held S` says how long the machine has been held (held_s of the last reply), which the plan's minutes count from.
What works on is conduct.py, in a session of its own, so that it outlasts each `run`. GPU_KIT: its folder, /tmp/gpukit.
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
LEFT_BEHIND = (".gpu", ".git", ".venv", "runs", "__pycache__")


def began(held: float) -> None:
    """Keep the earliest time that the machine can have been held from."""
    file, start = KIT / "began", time.time() - held
    if file.exists():
        start = min(start, float(file.read_text()))
    file.with_suffix(".tmp").write_text(str(start))
    file.with_suffix(".tmp").replace(file)


def take(part: int, plan: str, held: float | None) -> None:
    """Put a part in place; the first has the code, the last of what is needed sets up and starts the conductor."""
    shutil.copytree(ROOT / ".gpu" / str(part), KIT, dirs_exist_ok=True)
    shutil.rmtree(ROOT / ".gpu" / str(part))
    (KIT / f"took-{part}").touch()
    if part == 1:
        began(held or 0.0)
        shutil.copytree(ROOT, KIT / "code", ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    elif held is not None:
        began(held)
    if part == json.loads((KIT / "parts.json").read_text())["set_up_after"]:
        subprocess.run(["bash", str(KIT / "code/tools/gpu/setup.sh"), str(KIT)], check=True)
        with (KIT / "conductor.txt").open("w") as log:
            subprocess.Popen(
                [sys.executable, str(KIT / "code/tools/gpu/conduct.py"), str(KIT), plan],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip


def wait(seconds: float) -> None:
    """Wait, no longer than the conductor works."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (KIT / "done").exists():
        time.sleep(1)


def show() -> None:
    """Copy what is to come back into $OUT, and print where things stand."""
    out = Path(os.environ["OUT"]) if "OUT" in os.environ else KIT / "fetched"
    out.mkdir(exist_ok=True)
    for file in sorted((KIT / "out").glob("*")) if (KIT / "out").exists() else []:
        if file.suffix != ".tmp":
            shutil.copyfile(file, out / file.name)
    for name, lines in (("check.txt", 40), ("runs/generator/log.jsonl", 3), ("train.txt", 5), ("conductor.txt", 30)):
        if (KIT / name).exists():
            kept = (KIT / name).read_text(errors="replace").splitlines()[-lines:]
            sys.stdout.write("\n".join([f"== {name}", *kept, ""]))
    if shutil.which("nvidia-smi"):
        asked = "--query-gpu=name,utilization.gpu,memory.used,power.draw"
        subprocess.run(["nvidia-smi", asked, "--format=csv,noheader"], check=False)


def main() -> None:
    """One command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("take", "wait", "end"))
    parser.add_argument("number", nargs="?", type=float, default=0, help="part, or seconds")
    parser.add_argument("--held", type=float, help="seconds that the machine has been held, when this is sent")
    parser.add_argument("--plan", default="tools/gpu/plan.json")
    options = parser.parse_args()
    KIT.mkdir(exist_ok=True)
    if options.what == "take":
        take(int(options.number), options.plan, options.held)
    elif options.held is not None:
        began(options.held)
    if options.what == "wait":
        wait(options.number)
    if options.what == "end":
        (KIT / "stop").touch()
        wait(options.number or 100)
    show()


if __name__ == "__main__":
    main()
