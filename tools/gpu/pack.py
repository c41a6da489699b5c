#!/usr/bin/env python3
"""Packs what the lent machine lacks into folders that each travel with one `run` (docs/gpu.md).

    python tools/gpu/pack.py --shared ../shared

In this order: the wheels of wheels.txt, the weights that training needs, the trainer's state, the clips of the checks;
then the clips and photographs of training, the held-out ones first. Each of `.gpu/1`, `.gpu/2` and so on holds at most
what a transfer of --limit MiB leaves beside the working tree. Without --runs the trainer's state is the newest that was
kept in the history of the checkout, as training-state/generator.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

from tools.gpu.lists import package_names, state_files

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MIB = 1 << 20
MARGIN = MIB
"""Bytes of a transfer that are left free."""
FILE_COST = 1024
"""Bytes that a file costs beside its own: an estimate, on the safe side of tar's."""
STATE = "training-state/generator"
WEIGHTS = (
    "lpips/squeezenet1_1_features.pth", "lpips/lpips_v0.1_squeeze_lin.pth", "priors/lsdir_compact_c3_x4.safetensors",
)  # fmt: skip
VIDEOS = {".mp4", ".mkv", ".webm", ".mov"}
MEDIA = VIDEOS | {".jpg", ".jpeg", ".png", ".webp"}
GLIBC = ("2_28", "2_27", "2_17")
"""Versions of manylinux whose wheels run there."""


def git(*arguments: str) -> bytes:
    """What a git command says of the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def code_bytes() -> int:
    """Bytes of the working tree that travel with every call: tracked files, and others that git does not ignore."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0")
    return sum(FILE_COST + (ROOT / name).stat().st_size for name in listed if name and (ROOT / name).is_file())


def fetch_wheels(folder: Path, python: str) -> list[Path]:
    """Wheels of wheels.txt in this environment's versions, for a Python such as 3.12 on x86-64 Linux."""
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    target = ["--python-version", python, "--implementation", "cp"]
    for glibc in GLIBC:
        target += ["--platform", f"manylinux_{glibc}_x86_64"]
    for name in package_names(HERE / "wheels.txt"):
        wanted = [f"{name}=={version(name)}", "--no-deps"]
        asked = [*pip, "download", "--only-binary=:all:", *target, "--dest", str(folder), *wanted]
        if subprocess.run(asked, check=False).returncode:  # only a source archive: built here, if it is pure Python
            subprocess.run([*pip, "wheel", "--wheel-dir", str(folder), *wanted], check=True)
    return sorted(folder.iterdir())


def kept_state(folder: Path) -> Path:
    """The trainer's state that was kept last in the history, unpacked into a folder."""
    note = f"{STATE}/checkpoint.json"
    commit = git("log", "-1", "--full-history", "--diff-filter=AM", "--format=%H", "--", note).decode().strip()
    if not commit:
        raise SystemExit(f"no {note} in the history: give --runs")
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit, STATE))) as archive:
        archive.extractall(folder, filter="data")
    return folder / STATE


def media(data: Path) -> list[Path]:
    """Clips and photographs of the folders of training: held-out ones, then clips, then photographs."""
    held_out = set((ROOT / "neurcodec/training/held_out.txt").read_text(encoding="utf-8").split())
    folders = [*data.glob("train*"), *data.glob("images*")]
    found = sorted(path for folder in folders for path in folder.iterdir() if path.suffix.lower() in MEDIA)
    first = {path: f"{path.parent.name}-{path.stem}" in held_out for path in found}
    return sorted(found, key=lambda path: (not first[path], path.suffix.lower() not in VIDEOS))


def fill(out: Path, files: list[tuple[Path, str]], room: int) -> list[int]:
    """Copy files (source, place) into the folders out/1, out/2 and so on, `room` bytes each; returns each file's."""
    numbers, taken = [], 0
    number = 1
    for source, place in files:
        cost = FILE_COST + source.stat().st_size
        if cost > room:
            raise SystemExit(f"{source}: {cost / MIB:.1f} MiB do not fit into one transfer of {room / MIB:.1f} MiB")
        if taken + cost > room:
            number, taken = number + 1, 0
        taken += cost
        target = out / str(number) / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        numbers.append(number)
    return numbers


def pack(options: argparse.Namespace) -> None:
    """All the folders."""
    shutil.rmtree(options.out, ignore_errors=True)
    spare = options.out / "spare"
    state = options.runs / "generator" if options.runs else kept_state(spare)
    needed = [(wheel, f"wheels/{wheel.name}") for wheel in fetch_wheels(spare / "wheels", options.python)]
    needed += [(options.shared / "weights" / name, f"weights/{name}") for name in WEIGHTS]
    needed += [(file, f"runs/generator/{file.name}") for file in state_files(state)]
    data = options.shared / "data"
    needed += [(path, f"eval/{path.name}") for path in sorted((data / "eval").glob("*.m[pk][4v]"))]
    clips = [(path, f"data/{path.parent.name}/{path.name}") for path in media(data)]
    numbers = fill(options.out, needed + clips, options.limit * MIB - MARGIN - code_bytes())
    about = {
        "parts": numbers[-1],
        "set_up_after": numbers[len(needed) - 1],
        "commit": git("rev-parse", "--short", "HEAD").decode().strip(),
    }
    (options.out / "1" / "parts.json").write_text(json.dumps(about))
    shutil.rmtree(spare)


def main() -> None:
    """Pack and say what travels in which transfer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="folder with weights/ and data/")
    parser.add_argument("--runs", type=Path, help="folder in which generator/ has the newest checkpoint")
    parser.add_argument("--out", type=Path, default=ROOT / ".gpu")
    parser.add_argument("--python", default="3.12", help="the machine's Python")
    parser.add_argument("--limit", type=int, default=64, help="MiB of a transfer")
    options = parser.parse_args()
    pack(options)
    code = code_bytes()
    for part in sorted(options.out.iterdir(), key=lambda folder: int(folder.name)):
        sizes = [FILE_COST + path.stat().st_size for path in part.rglob("*") if path.is_file()]
        own, whole = sum(sizes) / MIB, (sum(sizes) + code) / MIB
        sys.stdout.write(f".gpu/{part.name}: {len(sizes)} files, {own:.1f} MiB, with the tree {whole:.1f} MiB\n")


if __name__ == "__main__":
    main()
