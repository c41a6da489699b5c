"""What is shown while something is done: bars on terminals of any width, lines in logs, nothing when quiet."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, Run, scene, write_clip

import neurcodec
from neurcodec.cli._progress import Bar, Pace
from neurcodec.jobs.options import Progress


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three chunks of a second, large enough for MS-SSIM."""
    return write_clip(tmp_path_factory.mktemp("progress") / "clip.mkv", scene(75, (192, 176)))


def shown(columns: int, *arguments: object) -> list[str]:
    """What a command that ends well draws on a terminal, one string for each time that it draws."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    command = [sys.executable, "-m", "neurcodec", *map(str, arguments)]
    drawn = b""
    with subprocess.Popen(command, stdout=slave, stderr=slave, env=ENVIRONMENT) as process:
        os.close(slave)
        while piece := _read(master):
            drawn += piece
    os.close(master)
    assert process.returncode == 0, drawn
    return [line.strip() for line in re.split(r"[\r\n]+", drawn.decode()) if line.strip()]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # Linux ends a pseudo-terminal with an error
        return b""


def test_a_bar_from_the_first_frame_on(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    lines = shown(120, "encode", clip, tmp_path / "out.nvc", "--gop", 1, "--model", tiny_model)
    assert re.fullmatch(r"encode: +0%\| +\| 0/75 \[00:00<\?, \? frames/s\]", lines[0])
    assert any(
        re.fullmatch(r"encode: +\d+%\|.*\| \d+/75 \[\d\d:\d\d<\S+, .*\d frames/s, \d+\.\d kbps\]", line)
        for line in lines
    )
    assert not [line for line in lines if " 0.0 kbps" in line]
    narrow = shown(40, "decode", tmp_path / "out.nvc", tmp_path / "out.mkv", "--model", tiny_model, "--start", 1)
    assert narrow[0] == "0% ? frames/s ? left, decode"
    assert any(re.fullmatch(r"\d+% *\d+\.\d\d frames/s (\d\d:\d\d|\?) left, decode", line) for line in narrow)


def test_passes_and_measurements_are_named(
    clip: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "NEURCODEC_CACHE", str(tmp_path))
    arguments = ("encode", clip, tmp_path / "out.nvc", "-f", "--gop", 1, "--model", tiny_model, "--profile", "native")
    stages = {line.split(":")[0] for line in shown(150, *arguments, "--target-size", 12_000)}
    assert {"encode, probes of all chunks", "encode, pass 1 of about 3"} <= stages
    pytest.importorskip("torchmetrics")
    lines = shown(150, *arguments, "--target-ms-ssim", 0.5)
    assert {"encode, taking samples", "encode, trying quality 32"} <= {line.split(":")[0] for line in lines}
    assert any(re.match(r"encode, trying quality 0 \(quality 32: MS-SSIM 0\.\d+\): ", line) for line in lines)


def test_a_batch_says_how_far_all_files_are(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.mkv").write_bytes(clip.read_bytes())
    lines = shown(100, "batch", "encode", tmp_path / "in", "--output-dir", tmp_path / "out", "--model", tiny_model)
    assert any(re.match(r"file 1 of 3: +0%\| +\| 00:0\d<\?", line) for line in lines)
    assert any(
        re.match(r"file 3 of 3: +\d\d%\|.*\| \d\d:\d\d<\d\d:\d\d, .*B became .*B \(.*% saved\)", line) for line in lines
    )
    assert sum(line.startswith("done     ") for line in lines) == 3


def test_a_log_gets_lines(clip: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("encode", quiet=False, pause=0) as bar:
        neurcodec.encode(clip, tmp_path / "out.nvc", gop_seconds=1, model=tiny_model, progress=bar)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ncodec: encode: 0 of 75 frames"
    assert all(re.match(r"ncodec: encode: \d+ of 75 frames", line) for line in lines)
    assert re.fullmatch(r"ncodec: encode: 75 of 75 frames, \d+\.\d frames/s, 00:00 left", lines[-1])


def test_short_jobs_and_quiet_ones_leave_no_lines(clip: Path, tiny_model: Path, ncodec: Run, tmp_path: Path) -> None:
    assert (
        ncodec("encode", clip, tmp_path / "a.nvc", "--model", tiny_model).stderr.count("\n") == 2
    )  # a warning, figures
    quiet = ncodec("decode", tmp_path / "a.nvc", tmp_path / "a.mkv", "--model", tiny_model, "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    commands = ("encode", "decode", "batch encode", "batch decode", "verify", "compare", "play", "bench")
    assert all("--quiet" in ncodec(*command.split(), "--help").stdout for command in commands)


def test_the_time_left_does_not_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty frames at once, then nothing for a while: what is left is counted down."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace = Pace(100)
    pace.move(0)
    now[0] += 30  # loading
    pace.move(0)
    assert pace.left == "?"
    now[0] += 10
    pace.move(20)
    assert pace.left == "00:40"
    now[0] += 7
    pace.move(20)
    assert pace.left == "00:33"
    now[0] += 3
    pace.move(40)
    assert (pace.rate, pace.left) == (2, "00:30")


def test_stages_have_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("encode", quiet=False, pause=0) as bar:
        for stage in ("pass 1", "pass 2"):
            bar(Progress(0, 10, 0, 0.0, 0, stage))
            bar(Progress(10, 10, 0, 0.0, 1, stage))
    assert [line.split(" frames")[0] for line in capsys.readouterr().err.splitlines()] == [
        "ncodec: encode, pass 1: 0 of 10",
        "ncodec: encode, pass 1: 10 of 10",
        "ncodec: encode, pass 2: 0 of 10",
        "ncodec: encode, pass 2: 10 of 10",
    ]
