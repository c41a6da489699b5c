"""Fixtures that several test files share: a seeded tiny model, small clips with everything in them, the command."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
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
    run = ncodec("encode", clip, target, "--model", tiny_model, "--gop", "0.5", "--bitexact")
    assert run.returncode == 0, run.stderr
    return target


@pytest.fixture(scope="session")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven small frames, moving."""
    return write_clip(tmp_path_factory.mktemp("layered") / "clip.mkv", scene(11, (80, 64)), pixel_format="bgr0")


@pytest.fixture(scope="session")
def layered(moving: Path, tiny_model: Path) -> Callable[..., Path]:
    """Code the moving clip with some options; the file is kept for the tests that ask for the same."""
    from neurcodec.container import Profile
    from neurcodec.jobs.encode import encode_file
    from neurcodec.jobs.options import EncodeOptions

    def run(extensions: tuple[tuple[str, object], ...] = (), **options: int | Fraction | str) -> Path:
        name = "-".join(f"{name}{value}" for name, value in (*options.items(), *extensions)).replace("/", "_")
        target = moving.with_name(f"{name}.nvc")
        if not target.exists():
            given = {"quality": 40, "preset": "fast", "extensions": extensions, **options}
            encode_file(moving, target, EncodeOptions(Profile.LAYERED, model=str(tiny_model), device="cpu", **given))
        return target

    return run


def refusals(decode: Callable[[bytes], np.ndarray], good: bytes) -> int:
    """How many of 200 changed substreams are refused; the others must decode to 12x20 values that are allowed."""
    from neurcodec.errors import DamageError

    rng = random.Random(2)
    refused = 0
    for _ in range(200):
        data = bytearray(good[: rng.randint(1, len(good))])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            found = decode(bytes(data))
            assert found.shape == (12, 20) and found.min() >= 0 and found.max() <= 15
        except DamageError:
            refused += 1
    with pytest.raises(DamageError):
        decode(good + b"\x55" * 64)
    return refused
