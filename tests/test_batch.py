"""ncodec batch: trees and globs, errors that do not stop the rest, going on after a kill, events."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ENVIRONMENT, Run, scene, write_clip

import neurcodec
from neurcodec.codec import networks
from neurcodec.jobs import batch
from neurcodec.jobs.batch_plan import plan
from neurcodec.jobs.options import EncodeOptions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty files in a tree, two of them broken, and one that is no video."""
    root = tmp_path_factory.mktemp("batch") / "clips"
    (root / "deep" / "er").mkdir(parents=True)
    first = write_clip(root / "clip00.mkv", scene(4, (32, 32)))
    for number in range(1, 40):
        place = root if number < 20 else root / "deep" / "er"
        shutil.copyfile(first, place / f"clip{number:02d}.mkv")
    for broken in ("clip07.mkv", "deep/er/clip31.mkv"):
        (root / broken).write_bytes(b"no video" * 9)
    (root / "notes.txt").write_text("not a video")
    return root


def events(run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON lines of standard output."""
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_forty_files_two_broken(folder: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = (
        "batch",
        "encode",
        folder,
        "--output-dir",
        out,
        "--jobs",
        2,
        "--model",
        tiny_model,
        "--json",
        "--bitexact",
    )
    run = ncodec(*arguments, timeout=280)
    assert run.returncode == 3, run.stderr  # the highest code: InputError's
    seen = events(run)
    errors = [event for event in seen if event["event"] == "error"]
    assert sorted(Path(event["file"]).name for event in errors) == ["clip07.mkv", "clip31.mkv"]
    assert all("cannot be read as media" in event["error"] for event in errors)
    assert {key: seen[-1][key] for key in ("event", "jobs", "done", "skipped", "error", "exit_code")} == {
        "event": "end",
        "jobs": 40,
        "done": 38,
        "skipped": 0,
        "error": 2,
        "exit_code": 3,
    }
    done = [event for event in seen if event["event"] == "done"]
    assert all((event["frames"], event["chunks"]) == (4, 1) for event in done)
    results = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert len(results) == 38
    assert Path("deep/er/clip25.nvc") in results
    single = tmp_path / "single.nvc"
    assert ncodec("encode", folder / "clip00.mkv", single, "--model", tiny_model, "--bitexact").returncode == 0
    assert {(out / path).read_bytes() for path in results} == {single.read_bytes()}

    (out / "clip00.nvc").write_bytes(single.read_bytes()[:-9])  # not whole: done again
    again = events(ncodec(*arguments, timeout=280))
    assert {key: again[-1][key] for key in ("done", "skipped", "error")} == {"done": 1, "skipped": 37, "error": 2}
    assert (out / "clip00.nvc").read_bytes() == single.read_bytes()


def test_from_a_program(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    inputs = (folder / "clip00.mkv", str(folder / "clip07.mkv"))
    report = neurcodec.encode_batch(inputs, tmp_path / "a", report=told.append, model=tiny_model, profile="native")
    sizes = (inputs[0].stat().st_size, (tmp_path / "a" / "clip00.nvc").stat().st_size)
    assert report == neurcodec.BatchReport(2, 1, 0, 1, exit_code=3, source_bytes=sizes[0], bytes=sizes[1])
    assert {event["event"] for event in told} >= {"plan", "start", "done", "error"}
    report = neurcodec.decode_batch(tmp_path / "a", tmp_path / "b", suffix=".mkv", model=tiny_model, frames=(1, 3))
    assert (report.jobs, report.done, report.exit_code) == (1, 1, 0)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["clip00.mkv"]
    with pytest.raises(TypeError, match="qualty"):
        neurcodec.encode_batch(inputs, tmp_path / "c", qualty=3)


def test_a_worker_loads_the_model_once(
    folder: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[batch.Event] = []
    monkeypatch.setattr(batch, "_events", SimpleNamespace(put=told.append))
    inputs = [str(folder / f"clip0{number}.mkv") for number in range(4)]
    networks._loaded.cache_clear()
    for job in plan(inputs, tmp_path / "out", ".nvc", EncodeOptions(model=str(tiny_model))).jobs:
        batch._work(job)
    assert [event["event"] for event in told if event["event"] != "progress"] == ["start", "done"] * 4
    assert networks._loaded.cache_info().misses == 1


def _children(parent: int) -> list[int]:
    """Process numbers of the processes that `parent` and its children started."""
    lists = Path(f"/proc/{parent}/task").glob("*/children")
    found = [int(number) for path in lists for number in path.read_text().split()]
    return found + [number for child in found for number in _children(child)]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_killed_and_started_again(folder: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pattern = folder / "deep" / "**" / "clip2*.mkv"
    arguments = ["batch", "encode", str(pattern), "--output-dir", str(out), "--model", str(tiny_model)]
    command = [sys.executable, "-m", "neurcodec", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT) as process:
        deadline = time.monotonic() + 120
        while len(list(out.rglob("clip*.nvc"))) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = _children(process.pid)
        assert children
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while workers := [child for child in children if Path(f"/proc/{child}").exists()]:
        assert time.monotonic() < deadline, f"still running: {workers}"
        time.sleep(0.1)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("clip*.nvc")}
    assert 3 <= len(before) < 10
    run = ncodec(*arguments, "--json")
    assert run.returncode == 0, run.stderr
    end = events(run)[-1]
    assert (end["done"], end["skipped"]) == (10 - len(before), len(before))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == [f"clip{i}.nvc" for i in range(20, 30)]


def test_decode_and_table(coded: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--output-dir", out, "--model", tiny_model, "--no-diffusion", "--suffix", "mkv")
    run = ncodec("batch", "decode", coded, *options)
    assert run.returncode == 0, run.stderr
    assert re.fullmatch(rf"done     1/1  {coded}: 30 frames, .*B became .*B, [\d.]+ frames/s\n", run.stdout)
    assert run.stderr.startswith("1 done, 0 skipped, 0 failed; ")
    assert [path.name for path in out.iterdir()] == ["clip.mkv"]
    quiet = ncodec("batch", "decode", coded, *options, "-f", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert ncodec("batch", "decode", coded, *options).stdout.startswith("skipped")


def test_inputs_that_do_not_fit(folder: Path, ncodec: Run, tmp_path: Path) -> None:
    run = ncodec("batch", "encode", folder / "none*.mkv", "--output-dir", tmp_path / "out")
    assert (run.returncode, "no such file, folder or match" in run.stderr) == (3, True)
    (tmp_path / "b").mkdir()
    for name in ("clip00.mkv", "clip01.mkv"):
        shutil.copyfile(folder / name, tmp_path / "b" / name)
    run = ncodec("batch", "encode", folder, tmp_path / "b", "--output-dir", tmp_path / "out")
    assert run.returncode == 4
    assert all(f"{tmp_path}/b/clip0{i}.mkv would become {tmp_path}/out/clip0{i}.mkv.nvc" in run.stderr for i in (0, 1))
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in (tmp_path / "broken", "/dev/null"):
        run = ncodec("batch", "encode", name, "--output-dir", tmp_path / "out")
        assert (run.returncode, "no such file, folder or match" in run.stderr) == (3, True), run.stderr
    assert not (tmp_path / "out").exists()


def test_warnings_are_events(ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    """And what a file's name does to a terminal is taken out of lines."""
    (tmp_path / "in").mkdir()
    write_clip(tmp_path / "in" / "\x1b[31mred.mkv", scene(3, (96, 80)))
    options = ("--output-dir", tmp_path / "out", "--model", tiny_model)
    run = ncodec("batch", "encode", tmp_path / "in", *options, "--json")
    assert (run.returncode, run.stderr) == (0, "")
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        "plan",
        "start",
        "warning",
        "done",
        "end",
    ]
    assert "colour matrix is not tagged" in events[2]["warning"]
    run = ncodec("batch", "encode", tmp_path / "in", *options, "-f")
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["warning", "done"]
    assert "\x1b" not in run.stdout
