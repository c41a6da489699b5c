"""What `--engine ray` gains on this machine, as docs/ray.md quotes it: python -m tools.lab.ray_speed CLIP --gop 0.5."""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds(command: list[str]) -> float:
    """How long a command takes; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Encode a clip and, in one batch, two copies of it: in this process and on a local cluster; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--gop", default="1")
    parser.add_argument("--profile", default="native")
    arguments = parser.parse_args()
    ncodec = [sys.executable, "-m", "neurcodec"]
    options = ["--gop", arguments.gop, "--profile", arguments.profile, "-f", "--threads", "1"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copies = [folder / f"{number}{arguments.clip.suffix}" for number in (1, 2)]
        for copy in copies:
            shutil.copyfile(arguments.clip, copy)  # a batch takes links to one file for one input
        lines = [f"{os.cpu_count()} cores, {arguments.profile}, --gop {arguments.gop}", ""]
        lines += ["| job | here | Ray | |", "|---|---|---|---|"]
        for job in ("one file", "two files, --jobs 2"):
            times = []
            for engine in ("local", "ray"):
                out = folder / engine
                if job == "one file":
                    out.mkdir()
                    command = [*ncodec, "encode", str(copies[0]), str(out / "1.nvc"), *options]
                else:
                    inputs = [str(copy) for copy in copies]
                    jobs = ["--jobs", "1" if engine == "local" else "2", "--output-dir", str(out)]
                    command = [*ncodec, "batch", "encode", *inputs, *jobs, *options]
                times.append(seconds([*command, *(["--engine", "ray"] if engine == "ray" else [])]))
            assert filecmp.cmp(folder / "local" / "1.nvc", folder / "ray" / "1.nvc", shallow=False)
            here, ray = times
            lines.append(f"| {job} | {here:.1f} s | {ray:.1f} s | {here / ray:.2f} times as fast |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
