"""A few trials of tools/lab/faults.py; docs/reliability.md has the results of many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENVIRONMENT

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="the faults are injected by means of Linux")
@pytest.mark.parametrize("trials", [6, pytest.param(76, marks=pytest.mark.slow)])
def test_faults_leave_whole_files_or_none(trials: int, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.lab.faults",
        "--trials",
        str(trials),
        "--json",
        str(tmp_path / "table.json"),
    ]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    table: dict[str, dict[str, int]] = json.loads((tmp_path / "table.json").read_text())
    assert sum(sum(outcomes.values()) for outcomes in table.values()) == trials
