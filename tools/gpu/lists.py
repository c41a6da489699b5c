"""The kit's lists: of packages, and of the files that are a trainer's state."""

from __future__ import annotations

import json
from pathlib import Path


def package_names(file: Path) -> list[str]:
    """The packages of a list such as machine.txt, without remarks and versions."""
    lines = (line.split("#")[0].split("==")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def state_files(run: Path) -> list[Path]:
    """The newest checkpoint of a trainer's folder, the note that names it, and its logs."""
    step = json.loads((run / "checkpoint.json").read_text())["step"]
    names = (f"checkpoint-{step}.safetensors", "checkpoint.json", "log.jsonl", "checks.jsonl")
    return [run / name for name in names if (run / name).exists()]
