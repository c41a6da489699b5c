"""Idle OpenMP threads of the command sleep, unless the user says otherwise (docs/decisions/0025-no-spinning.md)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ENVIRONMENT


@pytest.mark.parametrize(("given", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_command_waits_passively(given: str | None, policy: str) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "OMP_WAIT_POLICY"}
    if given is not None:
        environment["OMP_WAIT_POLICY"] = given
    environment["OMP_DISPLAY_ENV"] = "TRUE"  # the library prints its settings when torch loads it
    command = [sys.executable, "-m", "neurcodec", "doctor"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if "OMP_WAIT_POLICY" not in run.stderr:
        pytest.skip("this torch has an OpenMP library that does not print its settings")
    assert f"OMP_WAIT_POLICY = '{policy}'" in run.stderr
