"""Fixtures that several test files share: a seeded tiny model, small clips with everything in them, the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.clips import Picture, scene, write_clip  # noqa: F401 - tests take them from here

Run = Callable[..., "subprocess.CompletedProcess[str]"]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job; the commands would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with small random networks: the same code path as the real model's."""
    from neurcodec.training.tiny import write_tiny_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder, seed=1)
    return folder


@pytest.fixture(scope="session")
def ncodec() -> Run:
    """Run the real command in a process of its own."""

    def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "neurcodec", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT, check=False)

    return run


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames with a cut after the 18th, and sound."""
    folder = tmp_path_factory.mktemp("clips")
    return write_clip(folder / "clip.mp4", [*scene(18), *scene(12, seed=5)], sound=True)


@pytest.fixture(scope="session")
def coded(clip: Path, tiny_model: Path, ncodec: Run) -> Path:
    """That clip as an .nvc file."""
    target = clip.with_name("clip.nvc")
    run = ncodec("encode", clip, target, "--model", tiny_model, "--gop", "0.5")
    assert run.returncode == 0, run.stderr
    return target
