"""Every exit code that docs/cli.md lists, from the real command."""

from __future__ import annotations

import fcntl
import re
import signal
import subprocess
import sys
import termios
import time
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, Run
from container_samples import HEADER, MODEL, gop

from neurcodec.container import Limits, Writer

COMMANDS = {
    0: "--version",
    1: "bench {clip} --out {tmp}/report --metrics no-such",
    2: "encode {clip}",
    3: "encode {text} {tmp}/out.nvc",
    4: "encode {clip} {text}",
    5: "info {text}",
    6: "verify --quick {cut}",
    7: "info {wide}",
    8: "models path no-such",
    9: "encode {clip} {tmp}/out.nvc --model {model} --device cuda:99",
    10: "play {coded}",
    11: "decode {damaged} {tmp}/out.mkv --model {model} --salvage --no-diffusion",
    12: "encode {clip} {tmp}/out.nvc --model {model} --profile native --target-size 10",
}


def test_all_codes_of_the_reference_are_tested() -> None:
    reference = (Path(__file__).parent.parent / "docs" / "cli.md").read_text()
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", reference, re.M)}
    assert listed == {*COMMANDS, 130}


@pytest.mark.parametrize("code", COMMANDS)
def test_exit_code(
    code: int, ncodec: Run, clip: Path, coded: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: tmp_path / f"{name}.nvc" for name in ("text", "cut", "wide", "damaged")}
    files["text"].write_text("no video")
    data = coded.read_bytes()
    files["cut"].write_bytes(data[:-40])
    files["damaged"].write_bytes(data.replace(data[900:904], b"\0\1\2\3", 1))
    with files["wide"].open("wb") as file:
        writer = Writer(file, replace(HEADER, width=32768), MODEL, Limits.none())
        writer.write_gop(gop(0, 5))
        writer.close()
    monkeypatch.setitem(ENVIRONMENT, "PATH", str(tmp_path))
    places = {**files, "tmp": tmp_path, "clip": clip, "coded": coded, "model": tiny_model}
    run = ncodec(*COMMANDS[code].format(**places).split())
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    if code:
        assert re.fullmatch(r"ncodec: error: .+", run.stderr.splitlines()[-1])
    assert (tmp_path / "out.mkv").exists() == (code == 11)
    assert not (tmp_path / "out.nvc").exists()


def test_an_interrupted_command_exits_with_130() -> None:
    command = [sys.executable, "-m", "neurcodec", "verify", "--quick", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT) as process:
        assert process.stdin is not None
        process.stdin.write("abc")  # shorter than the signature: it waits for more
        process.stdin.flush()
        deadline, waiting = time.monotonic() + 60, array("i", [1])
        while waiting[0] and time.monotonic() < deadline:
            fcntl.ioctl(process.stdin, termios.FIONREAD, waiting)
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr.strip()) == (130, "ncodec: error: interrupted")
