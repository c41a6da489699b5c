"""A few mutated video files through `encode` and `decode`; docs/reliability.md has the counts of many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENVIRONMENT

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="each input is a forked process")
@pytest.mark.parametrize("count", [12, pytest.param(2000, marks=pytest.mark.slow)])
def test_mutated_videos_end_in_a_file_or_in_one_line(count: int, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.lab.media_fuzz",
        "--count",
        str(count),
        "--findings",
        str(tmp_path / "found"),
    ]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert (report["inputs"], report["wrong"]) == (count, 0)
    assert report["outcomes"]["coded and decoded"] > count / 4
