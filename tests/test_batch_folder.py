"""`ncodec batch` on a folder as people have it: kinds, names that meet, Ctrl-C, a rerun, sources that are deleted."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import Run, scene, write_clip

from neurcodec.errors import DamageError
from neurcodec.files.ffmpeg import video_suffixes
from neurcodec.jobs.batch_plan import Job
from neurcodec.jobs.batch_work import delete_source
from neurcodec.jobs.options import EncodeOptions
from tools.lab.batch_folder import BROKEN, KINDS, OTHERS, TREE, interrupted, write_folder


@pytest.fixture(scope="module")
def holiday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty videos of twelve kinds, two broken and two of one name, and four other files."""
    assert len(TREE) == 30 and len({Path(name).suffix.lower() for name in TREE}) == len(KINDS) == 12
    return write_folder(tmp_path_factory.mktemp("folder") / "holiday", 3, (48, 32))


def test_kinds_are_those_of_ffmpeg() -> None:
    assert {f".{kind}" for kind in KINDS} <= video_suffixes()
    assert {".mp4", ".mts", ".ogv", ".gif", ".y4m", ".mpeg", ".hevc"} <= video_suffixes()
    assert not {".mp3", ".m4a", ".flac", ".wma", ".jpg", ".png", ".heic", ".srt", ".txt", ".nvc"} & video_suffixes()


def test_a_folder_interrupted_and_done_again(holiday: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "coded"
    arguments = ["batch", "encode", str(holiday), "--output-dir", str(out), "--jobs", "2", "--model", str(tiny_model)]
    stopped = interrupted([sys.executable, "-m", "neurcodec", *arguments], tmp_path, 3)
    lines = stopped.stdout.splitlines()
    assert stopped.returncode == 130, stopped.stdout
    assert lines[-1] == "ncodec: error: interrupted"
    assert (
        sum(re.match(r"interrupted: \d+ done, 0 skipped, [012] failed, \d+ to do", line) is not None for line in lines)
        == 1
    )
    assert "the same command goes on from here" in lines
    assert not [line for line in lines if "semaphore" in line or "Traceback" in line]
    assert all(any(folder.iterdir()) for folder in out.rglob("*") if folder.is_dir())
    before = len(list(out.rglob("*.nvc")))
    assert 3 <= before < 28

    run = ncodec(*arguments)
    assert run.returncode == 3
    said = Counter(line.split()[0] for line in run.stdout.splitlines())
    assert (said["done"], said["skipped"], said["error"]) == (28 - before, before, 2)
    summary, *failures = run.stderr.splitlines()
    assert summary.startswith(f"{28 - before} done, {before} skipped, 2 failed, 4 passed over (2 .jpg, 1 .ifo, 1 .txt)")
    assert sorted(failure.removeprefix("error    ").split(": ")[0] for failure in failures) == sorted(
        str(holiday / name) for name in BROKEN
    )
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {
        name + ".nvc" if "tape" in name else str(Path(name).with_suffix(".nvc")) for name in {*TREE} - {*BROKEN}
    }

    run = ncodec(*arguments, "-q", "3")
    assert run.stdout.count("is done, but with quality 15, not 3") == 28
    assert "28 of the skipped were made with other settings; -f does them again" in run.stderr.splitlines()


def test_nothing_to_do_is_an_error(ncodec: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in OTHERS:
        (tmp_path / "in" / Path(name).name).write_bytes(b"something else")
    run = ncodec("batch", "encode", tmp_path / "in", "--output-dir", tmp_path / "out")
    assert run.returncode == 3
    assert run.stderr == f"ncodec: error: no video among 4 files (2 .jpg, 1 .ifo, 1 .txt) in {tmp_path / 'in'}\n"
    assert not (tmp_path / "out").exists()


def test_an_output_folder_inside_is_not_searched(ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mkv", scene(3, (32, 32)))
    (tmp_path / "out").mkdir()
    shutil.copyfile(tmp_path / "clip.mkv", tmp_path / "out" / "other.mkv")
    run = ncodec("batch", "encode", tmp_path, "--output-dir", tmp_path / "out", "--model", tiny_model)
    assert run.returncode == 0, run.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip.nvc", "other.mkv"]


def test_a_source_goes_when_its_output_is_verified(ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("done", "ok"):
        write_clip(tmp_path / "in" / f"{name}.mkv", scene(3, (32, 32)))
    (tmp_path / "in" / "broken.mkv").write_bytes(b"no video")
    options = ("--output-dir", tmp_path / "out", "--model", tiny_model)
    assert ncodec("batch", "encode", tmp_path / "in" / "done.mkv", *options).returncode == 0
    run = ncodec("batch", "encode", tmp_path / "in", *options, "--delete-source")
    assert run.returncode == 3
    assert "ok.mkv: 3 frames" in run.stdout and "source deleted" in run.stdout
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [
        "broken.mkv",
        "done.mkv",
    ]  # what is skipped stays
    assert ncodec("verify", tmp_path / "out" / "ok.nvc", "--model", tiny_model).returncode == 0


def test_an_output_that_does_not_verify_costs_no_source(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    source, target = write_clip(tmp_path / "in.mkv", scene(3, (32, 32))), tmp_path / "out.nvc"
    options = EncodeOptions(model=str(tiny_model))
    for data, frames in ((coded.read_bytes()[:-9], 30), (coded.read_bytes(), 31)):  # damaged; a frame is missing
        target.write_bytes(data)
        with pytest.raises(DamageError):
            delete_source(Job(0, source, target, options, delete_source=True), options, frames)
        assert source.exists() and not target.exists()
