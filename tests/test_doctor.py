"""`ncodec doctor`: all is well here, and each thing that can be wrong is found and answered with one line of advice."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import ENVIRONMENT

from neurcodec.cli import _checks as doctor
from neurcodec.cli.doctor import command
from neurcodec.entropy import selftest
from neurcodec.files import models
from neurcodec.files.models import Model


def wrong(checks: list[doctor.Check]) -> dict[str, str]:
    return {check.name: check.found for check in checks if not check.ok}


def test_the_machine_that_runs_the_tests_is_well(ncodec: Any) -> None:
    run = ncodec("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(run.stdout)}
    assert run.returncode == 0, run.stdout
    assert checks["torch"]["found"] == metadata.version("torch")
    default = models.find("default")
    assert default.weights_hash.hex() in checks["model default"]["found"]
    assert default.entropy_hash.hex() in checks["model default"]["found"]
    assert checks["exact prior, 1 thread"]["found"].startswith("passed")
    assert {"cpu", "FFmpeg", "av", "torchvision"} <= checks.keys()


def test_the_self_test_is_sensitive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert selftest.digest() == selftest.EXPECTED
    from neurcodec.entropy import prior

    monkeypatch.setattr(prior, "ACTIVATION_LIMIT", prior.ACTIVATION_LIMIT - 1)
    assert selftest.digest() != selftest.EXPECTED


def test_another_result_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho 0123456789abcdef0123; exit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    check = doctor._exactness(1)
    assert not check.ok
    assert check.found == "failed (another result, 0123456789abcdef)"
    (tmp_path / "python").write_text("#!/bin/sh\necho Traceback >&2; echo ImportError: no numpy >&2; exit 1\n")
    assert doctor._exactness(2).found == "failed (ImportError: no numpy)"


def test_packages_that_are_missing_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["av<18", "nowhere-to-be-found>=1", "click>=8", "pytest>=900; extra == 'dev'"]
    monkeypatch.setattr(metadata, "requires", lambda name: needs)
    found = {check.name: check for check in doctor._packages()}
    assert found.keys() == {"av", "nowhere-to-be-found", "click"}
    assert found["av"].advice == "another version is needed: pip install 'av<18'"
    assert found["nowhere-to-be-found"].advice == "install it: pip install 'nowhere-to-be-found>=1'"
    assert found["click"].ok


def test_torchvision_of_another_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    (tmp_path / "torchvision-0.1.dist-info").mkdir()
    (tmp_path / "torchvision-0.1.dist-info" / "METADATA").write_text("Name: torchvision\nVersion: 0.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    check = doctor._torchvision()
    assert "operator torchvision::nms does not exist" in check.found
    assert check.advice == "install torch and torchvision from the same index, or uninstall torchvision"


def test_models_that_are_missing_or_broken(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "available", list)
    assert [check.ok for check in doctor._models()] == [False]
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "entropy.safetensors").write_bytes(b"no weights")
    monkeypatch.setattr(models, "available", lambda: [Model("broken", broken), Model("tiny", tiny_model)])
    checks = list(doctor._models())
    assert wrong(checks).keys() == {"model broken"}
    assert Model("tiny", tiny_model).weights_hash.hex() in checks[1].found


def test_a_card_that_torch_cannot_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not wrong(list(doctor._devices()))
    (tmp_path / "version").touch()
    monkeypatch.setattr(doctor, "_DRIVER", tmp_path / "version")
    assert wrong(list(doctor._devices())).keys() == {"cuda"}


def test_advice_is_printed_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [doctor.Check("good", "1.0"), doctor.Check("bad", "none\x1b", "mend it")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(checks))
    result = CliRunner().invoke(command, standalone_mode=False)
    assert result.return_value == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["ok", "good", "1.0"]
    assert lines[1].startswith("WRONG  bad") and lines[1].endswith("none\ufffd")
    assert lines[2].strip() == "-> mend it"


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_self_test_as_a_program(threads: str) -> None:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    command = [sys.executable, "-m", "neurcodec.entropy.selftest"]
    run = subprocess.run(command, env={**ENVIRONMENT, **limits}, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, selftest.EXPECTED)
