"""The commands of README, one after the other, as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, scene, write_clip

ROOT = Path(__file__).parent.parent
USE = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Use\n")[1].split("\n\n")[0]
COMMANDS = [line.partition("#")[0].strip() for line in USE.splitlines()]
NOT_HERE = ("--device cuda", "--compile")
INSTEAD = {"mpv -": "cat > /dev/null", "5MB": "20kB"}
"""Nobody looks, and the video is small."""


@pytest.mark.slow
def test_every_command_works(tmp_path: Path) -> None:
    """In a folder with a video and a folder of videos."""
    pictures = [*scene(40, (192, 176)), *scene(20, (192, 176), seed=3)]
    write_clip(tmp_path / "in.mp4", pictures, sound=True)
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "a.mkv", scene(3, (96, 80)))
    (tmp_path / "ncodec").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m neurcodec "$@"\n')
    (tmp_path / "ncodec").chmod(0o755)
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    assert len(COMMANDS) > 12
    for command in COMMANDS:
        if any(part in command for part in NOT_HERE):
            continue
        line = reduce(lambda text, pair: text.replace(*pair), INSTEAD.items(), command)
        shell = ["bash", "-o", "pipefail", "-c", line]
        run = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{command}: {run.stderr}"
    assert {"rec.mp4", "small.nvc", "part.mp4", "coded", "page.html"} <= {path.name for path in tmp_path.iterdir()}
