"""tools/lab/long_run.py on a minute of video; docs/reliability.md has what it found on two hours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENVIRONMENT

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("profile", ["native", "layered"])
def test_a_minute(profile: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.lab.long_run", "--seconds", "60", "--interrupts", "2", "--pause-after", "3",
               "--profile", profile, "--folder", tmp_path]  # fmt: skip
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["decoded"]["pictures"] == 600
    assert report["encode"]["paused"] and report["decode"]["paused"]
