#!/usr/bin/env python3
"""Packs what the lent machine lacks into folders that each travel with one `run` (docs/gpu.md).

    python tools/gpu/pack.py --weights WEIGHTS --runs runs --eval DATA/eval --data DATA/train --data DATA/images

In this order: the wheels of wheels.txt, the weights that training needs, the newest checkpoint with its logs, the clips
of the checks; then the clips and photographs of training, the held-out ones first. Each of `.gpu/1`, `.gpu/2` and so on
holds at most what a transfer of --limit MiB leaves beside the working tree.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MIB = 1 << 20
MARGIN = MIB
"""Bytes of a transfer that are left free."""
FILE_COST = 1024
"""Bytes that a file costs beside its own."""
WEIGHTS = (
    "lpips/squeezenet1_1_features.pth", "lpips/lpips_v0.1_squeeze_lin.pth", "priors/lsdir_compact_c3_x4.safetensors",
)  # fmt: skip
MEDIA = {".mp4", ".mkv", ".webm", ".mov", ".jpg", ".jpeg", ".png", ".webp"}
VIDEOS = {".mp4", ".mkv", ".webm", ".mov"}
PLATFORMS = ("2_28", "2_27", "2_17")


def names(file: Path) -> list[str]:
    """The lines of a list of packages, without remarks."""
    lines = (line.split("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def code_bytes() -> int:
    """Bytes of the working tree that travel with every call: tracked files, and others that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sum(FILE_COST + (ROOT / name).stat().st_size for name in listed if name and (ROOT / name).is_file())


def fetch_wheels(folder: Path, python: str) -> None:
    """Wheels of wheels.txt in this environment's versions, for a Python such as 3.12 on x86-64 Linux."""
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    target = ["--python-version", python, "--implementation", "cp"]
    for glibc in PLATFORMS:
        target += ["--platform", f"manylinux_{glibc}_x86_64"]
    for name in names(HERE / "wheels.txt"):
        wanted = [f"{name}=={version(name)}", "--no-deps"]
        asked = [*pip, "download", "--only-binary=:all:", *target, "--dest", str(folder), *wanted]
        if subprocess.run(asked, check=False).returncode:  # only a source archive: built here, if it is pure Python
            subprocess.run([*pip, "wheel", "--wheel-dir", str(folder), *wanted], check=True)


def put(source: Path, target: Path) -> int:
    """Copy a file; returns what it costs in a transfer."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return FILE_COST + source.stat().st_size


def checkpoint_files(run: Path) -> Iterator[Path]:
    """The newest checkpoint of a trainer's folder and its logs."""
    note = json.loads((run / "checkpoint.json").read_text())
    for name in ("checkpoint.json", f"checkpoint-{note['step']}.safetensors", "log.jsonl", "checks.jsonl"):
        if (run / name).exists():
            yield run / name


def clips(folders: list[Path]) -> list[Path]:
    """Clips and photographs to send: held-out ones, then clips, then photographs."""
    held_out = set((ROOT / "neurcodec" / "training" / "held_out.txt").read_text(encoding="utf-8").split())
    found = sorted(path for folder in folders for path in folder.iterdir() if path.suffix.lower() in MEDIA)
    return sorted(found, key=lambda path: (
        f"{path.parent.name}-{path.stem}" not in held_out, path.suffix.lower() not in VIDEOS))  # fmt: skip


def fill(out: Path, files: list[tuple[Path, str]], room: int) -> list[int]:
    """Put files (source, place) into the folders out/1, out/2 and so on, `room` bytes each; returns bytes of each."""
    sizes = [0]
    for source, place in files:
        cost = FILE_COST + source.stat().st_size
        if cost > room:
            raise SystemExit(f"{source}: {cost / MIB:.1f} MiB do not fit into one transfer of {room / MIB:.1f} MiB")
        if sizes[-1] + cost > room:
            sizes.append(0)
        sizes[-1] += put(source, out / str(len(sizes)) / place)
    return sizes


def pack(options: argparse.Namespace) -> list[int]:
    """All the folders; returns their bytes."""
    shutil.rmtree(options.out, ignore_errors=True)
    fetch_wheels(options.out / "wheels", options.python)
    needed = [(wheel, f"wheels/{wheel.name}") for wheel in sorted((options.out / "wheels").iterdir())]
    needed += [(options.weights / name, f"weights/{name}") for name in WEIGHTS]
    needed += [(file, f"runs/generator/{file.name}") for file in checkpoint_files(options.runs / "generator")]
    if (options.runs / "captions.json").exists():
        needed.append((options.runs / "captions.json", "runs/captions.json"))
    needed += [(path, f"eval/{path.name}") for path in sorted(options.eval.glob("*.mp4"))] if options.eval else []
    room = options.limit * MIB - MARGIN - code_bytes()
    before = len(fill(options.out, needed, room))
    media = [(path, f"data/{path.parent.name}/{path.name}") for path in clips(options.data)]
    sizes = fill(options.out, needed + media, room)
    (options.out / "1" / "parts.json").write_text(json.dumps({"parts": len(sizes), "set_up_after": before}))
    shutil.rmtree(options.out / "wheels")
    return sizes


def main() -> None:
    """Pack and say what travels in which transfer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of clips or photographs")
    parser.add_argument("--weights", type=Path, required=True, help="folder with lpips/ and priors/")
    parser.add_argument("--runs", type=Path, required=True, help="folder in which generator/ has the newest checkpoint")
    parser.add_argument("--eval", type=Path, help="folder of .mp4 clips for the checks")
    parser.add_argument("--out", type=Path, default=ROOT / ".gpu")
    parser.add_argument("--python", default="3.12", help="the machine's Python")
    parser.add_argument("--limit", type=int, default=64, help="MiB of a transfer")
    options = parser.parse_args()
    code = code_bytes()
    for number, size in enumerate(pack(options), 1):
        files = sum(path.is_file() for path in (options.out / str(number)).rglob("*"))
        line = f".gpu/{number}: {files} files, {size / MIB:.1f} MiB, with the tree {(size + code) / MIB:.1f} MiB"
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
