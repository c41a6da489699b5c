"""Worker processes: they share one import of torch, the main process has none, and all end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, scene, write_clip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

SIDE_BY_SIDE = """
import sys
import neurcodec

if __name__ == "__main__":
    source, coded, back, model = sys.argv[1:]
    neurcodec.encode(source, coded, gop_seconds=0.2, model=model, workers=2, threads=1)
    neurcodec.decode(coded, back, model=model, workers=2, threads=1)
    print(*sys.modules)
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be interrupted."""
    return write_clip(tmp_path_factory.mktemp("workers") / "clip.mp4", scene(300, (160, 96)))


def test_a_process_that_feeds_workers_does_not_load_torch(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    program = tmp_path / "side_by_side.py"
    program.write_text(SIDE_BY_SIDE)
    places = [tmp_path / "short.mp4", tmp_path / "a.nvc", tmp_path / "a.mkv", tiny_model]
    write_clip(places[0], scene(10, (96, 64)))
    run = subprocess.run(
        [sys.executable, program, *places], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert "neurcodec.jobs.decode" in run.stdout.split()
    assert not {"torch", "diffusers"} & set(run.stdout.split())


def group(leader: int) -> dict[int, bool]:
    """The processes of a group that are still there; do they have torch's library mapped?"""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == leader and (folder / "stat").read_text().split(")")[1].split()[0] != "Z":
                found[int(folder.name)] = "libtorch" in (folder / "maps").read_text()
        except OSError:
            continue  # it has just ended
    return found


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loaded", [0, 3], ids=["importing", "working"])
def test_all_end_with_the_main_process(loaded: int, kind: int, clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = ["--model", tiny_model, "--workers", "2", "--gop", "0.4"]
    command = [sys.executable, "-m", "neurcodec", "encode", clip, tmp_path / "out.nvc", *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 60
        while len(there := group(process.pid)) < 3 or sum(there.values()) < loaded:
            assert process.poll() is None, "it ended before it could be interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert not there.get(process.pid)
        if kind == signal.SIGINT:
            os.killpg(process.pid, kind)  # as a terminal does
        else:
            process.send_signal(kind)
        deadline = time.monotonic() + 30
        while left := group(process.pid):
            assert time.monotonic() < deadline, f"still running: {left}"
            time.sleep(0.05)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == (-kind if kind == signal.SIGKILL else 130)
    assert "Traceback" not in stderr
    if kind != signal.SIGKILL:
        assert "ncodec: error: interrupted" in stderr.splitlines()
        assert not list(tmp_path.iterdir())
