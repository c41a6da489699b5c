"""`-` for standard input and output: the same bytes as with files, and nothing else on standard output."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest
from conftest import ENVIRONMENT, Run, scene, write_clip

BASE = [sys.executable, "-m", "neurcodec"]


def piped(*arguments: object, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command with `data` in a pipe and its output in another."""
    command = [*BASE, *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, timeout=120, env=ENVIRONMENT, check=False)


def test_encode_from_pipe_to_pipe(coded: Path, clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    fragmented = tmp_path / "clip.mkv"  # an .mp4 with its index at the end cannot be read from a pipe
    with av.open(str(clip)) as source, av.open(str(fragmented), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    options = ("--model", tiny_model, "--gop", "0.5", "--bitexact")
    run = piped("encode", "-", "-", *options, data=fragmented.read_bytes())
    assert run.returncode == 0, run.stderr
    assert b"30 frames" in run.stderr
    assert piped("encode", fragmented, tmp_path / "a.nvc", *options).returncode == 0
    assert run.stdout == (tmp_path / "a.nvc").read_bytes()


@pytest.mark.parametrize("format", ["y4m", "matroska"])
def test_decode_from_pipe_to_pipe(format: str, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = ("--model", tiny_model, "--frames", "10:16", "--no-diffusion")
    chosen = ("--format", "y4m") if format == "y4m" else ()
    run = piped("decode", "-", "-", *options, *chosen, data=coded.read_bytes())
    assert run.returncode == 0, run.stderr
    (tmp_path / "piped").write_bytes(run.stdout)
    target = tmp_path / f"file.{'y4m' if format == 'y4m' else 'mkv'}"
    assert piped("decode", coded, target, *options).returncode == 0
    if format == "y4m":
        assert run.stdout == target.read_bytes()
    with av.open(str(tmp_path / "piped")) as one, av.open(str(target)) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
        assert [(a.to_ndarray() == b.to_ndarray()).all() for a, b in pairs] == [True] * 6


def test_y4m_in(tiny_model: Path, tmp_path: Path, coded: Path) -> None:
    video = piped("decode", coded, "-", "--model", tiny_model, "--format", "y4m", "--no-diffusion", "--frames", ":5")
    run = piped("encode", "-", tmp_path / "a.nvc", "--model", tiny_model, data=video.stdout)
    assert run.returncode == 0, run.stderr
    assert b"5 frames" in run.stderr


def test_info_and_verify_read_a_pipe(coded: Path, tiny_model: Path, ncodec: Run) -> None:
    assert piped("info", "-", data=coded.read_bytes()).stdout.decode() == ncodec("info", coded).stdout
    run = piped("verify", "-", "--model", tiny_model, data=coded.read_bytes())
    assert run.stdout.startswith(b"standard input: whole; 30 frames"), run.stderr
    assert piped("verify", "--quick", "-", data=coded.read_bytes()[:-5]).returncode == 6
    run = piped("info", "-", data=b"no video")
    assert (run.returncode, run.stderr.count(b"\n")) == (5, 1)
    assert b"standard input: at byte 0" in run.stderr


def test_a_pipe_that_stalls_is_interrupted(tiny_model: Path, tmp_path: Path) -> None:
    clip, out = write_clip(tmp_path / "clip.mkv", scene(200, (320, 240))), tmp_path / "out"
    out.mkdir()
    command = [*BASE, "encode", "-", str(out / "out.nvc"), "--model", str(tiny_model)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT}
    with subprocess.Popen(command, **pipes) as process:
        data = clip.read_bytes()
        process.stdin.write(data[: len(data) * 9 // 10])
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not list(out.iterdir()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read().decode().splitlines()[-1] == "ncodec: error: interrupted"
    assert not list(out.iterdir())


def test_terminals_are_refused(coded: Path, clip: Path, tiny_model: Path) -> None:
    master, slave = pty.openpty()
    common = {"env": ENVIRONMENT, "timeout": 60, "check": False, "stderr": subprocess.PIPE}
    model = ["--model", str(tiny_model)]
    for job, source in (("encode", clip), ("decode", coded)):
        run = subprocess.run([*BASE, job, str(source), "-", *model], stdout=slave, **common)  # type: ignore[call-overload]
        assert (run.returncode, b"standard output is a terminal" in run.stderr) == (4, True)
    run = subprocess.run([*BASE, "info", "-"], stdin=slave, **common)  # type: ignore[call-overload]
    assert (run.returncode, b"standard input is a terminal" in run.stderr) == (3, True)
    os.close(slave)
    os.close(master)


def test_a_reader_that_goes_away_is_one_line(coded: Path, tiny_model: Path) -> None:
    command = [*BASE, "decode", str(coded), "-", "--model", str(tiny_model), "--format", "y4m", "--no-diffusion"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        message = process.stderr.read().decode()
    assert process.returncode == 4
    assert message == "ncodec: error: standard output: Broken pipe\n"


def test_named_pipes_are_as_standard_input(
    coded: Path, clip: Path, tiny_model: Path, tmp_path: Path, ncodec: Run
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    jobs = (
        (coded, ("info", pipe), 0),
        (coded, ("verify", pipe, "--model", tiny_model), 0),
        (coded, ("decode", pipe, tmp_path / "a.mkv", "--no-diffusion", "--frames", ":3", "--model", tiny_model), 0),
        (clip, ("encode", pipe, tmp_path / "a.nvc", "--target-kbps", "100", "--model", tiny_model), 3),
    )
    for source, job, code in jobs:
        with subprocess.Popen(["dd", f"if={source}", f"of={pipe}"], stderr=subprocess.DEVNULL) as writer:
            run = ncodec(*job, timeout=60)
            writer.kill()
        assert run.returncode == code, run.stderr
    assert "a target needs a file" in run.stderr
    shell = f"{sys.executable} -m neurcodec verify --quick <(cat {coded})"
    run = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False
    )
    assert (run.returncode, ": whole" in run.stdout) == (0, True), run.stderr
