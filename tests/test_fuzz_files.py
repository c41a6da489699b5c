"""A few mutated files through `verify` and `decode`; docs/reliability.md has the counts of many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ENVIRONMENT

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform != "linux", reason="each batch is a forked process with a timer")
@pytest.mark.parametrize(
    ("target", "count"), [("quick", 1000), ("verify", 1000), pytest.param("decode", 200, marks=pytest.mark.slow)]
)
def test_mutated_files_end_in_documented_errors(target: str, count: int, tmp_path: Path) -> None:
    options = ["--count", str(count), "--findings", str(tmp_path / "found")]
    command = [sys.executable, "-m", "fuzz.fuzz_files", target, *options]
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["inputs"] == count
    assert report["outcomes"]["DamageError"] > count / 3
