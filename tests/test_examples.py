"""The scripts of examples/ as they stand, and `ncodec play` with a stand-in for the player."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import av
import pytest
from conftest import ENVIRONMENT, scene, write_clip

EXAMPLES = Path(__file__).parent.parent / "examples"
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def script(name: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example in `folder`."""
    command = [str(EXAMPLES / name), *map(str, arguments)]
    environment = {**ENVIRONMENT, "PATH": PATH}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A folder with a short clip."""
    (tmp_path / "clips").mkdir()
    return write_clip(tmp_path / "clips" / "a.mkv", scene(12)).parent


def test_batch(short: Path, tiny_model: Path, tmp_path: Path) -> None:
    run = script("batch.sh", short, "out", "--model", tiny_model, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "out/coded/a.nvc: whole; 12 frames" in run.stdout
    assert "coded: " in run.stdout


def test_fit(short: Path, tiny_model: Path, tmp_path: Path) -> None:
    run = script("fit.sh", short / "a.mkv", 900, "out/a.nvc", "--model", tiny_model, "--gop", 0.2, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "12 frames" in run.stdout
    assert (tmp_path / "out" / "a.nvc").stat().st_size <= 909


@pytest.mark.slow
def test_curve(short: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = ("--model", tiny_model, "--cache", tmp_path / "cache", "--metrics", "psnr", "--peers", "none")
    run = script("curve.sh", short / "a.mkv", "out", *options, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "report.md" in run.stdout


@pytest.mark.slow
def test_demo() -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    first, second, third, last = run.stdout.splitlines()
    assert re.fullmatch(r"1,[\d,]+ bytes of video became [\d,]+: \d\d+ times smaller, \d+\.\d kbps", first)
    assert second.startswith("PSNR ") and third.startswith("frames/s: encoded ")
    assert Path(last.partition(" shows ")[0]).is_file()


def play(file: Path, model: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run `ncodec play` with a search path."""
    command = [sys.executable, "-m", "neurcodec", "play", str(file), "--model", str(model), "--no-diffusion"]
    environment = {**ENVIRONMENT, "PATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_play(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    run = play(coded, tiny_model, str(tmp_path))
    assert (run.returncode, run.stderr.count("\n")) == (10, 1)
    assert "neither mpv nor ffplay is installed" in run.stderr
    player = tmp_path / "mpv"
    player.write_text(f"#!/bin/sh\nexec /bin/cat > {tmp_path}/shown.mkv\n")
    player.chmod(0o755)
    run = play(coded, tiny_model, str(tmp_path))
    assert (run.returncode, run.stderr) == (0, "")
    with av.open(str(tmp_path / "shown.mkv")) as container:
        assert len(list(container.decode(video=0))) == 30
    run = play(tmp_path / "none.nvc", tiny_model, str(tmp_path))
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    player.write_text("#!/bin/sh\nexec /bin/true\n")  # closed at once
    assert play(coded, tiny_model, str(tmp_path)).returncode == 0
