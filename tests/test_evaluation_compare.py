"""`ncodec compare`: pictures and videos of two videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torchmetrics")

from click.testing import CliRunner
from conftest import Run, scene, write_clip
from page_samples import data_of, pixels

from neurcodec.cli import group
from neurcodec.errors import InputError, NcodecError, OutputError
from neurcodec.evaluation import clips
from neurcodec.evaluation.side_by_side import LABEL_HEIGHT

COUNT, WIDTH, HEIGHT = 4, 128, 96


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two clips, the second inverted."""
    frames = np.stack(scene(COUNT, (WIDTH, HEIGHT)))
    first, second = tmp_path / "a.nut", tmp_path / "b.nut"
    clips.write_lossless(first, frames, Fraction(25))
    clips.write_lossless(second, 255 - frames, Fraction(25))
    return first, second


def compare(*arguments: object) -> str:
    done = CliRunner().invoke(group, ["compare", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def picture(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_side_by_side_picture(pair: tuple[Path, Path], tmp_path: Path) -> None:
    output = compare(*pair, "--out", tmp_path / "o.png", "--frame", 2, "--weights", tmp_path)
    frame = scene(COUNT, (WIDTH, HEIGHT))[2]
    shown = picture(tmp_path / "o.png")
    assert shown.shape == (HEIGHT + LABEL_HEIGHT, 2 * WIDTH, 3)
    assert np.array_equal(shown[LABEL_HEIGHT:], np.hstack([frame, 255 - frame]))
    assert f"a.nut: {pair[0].stat().st_size} bytes" in output and "PSNR" in output


def test_split_picture(pair: tuple[Path, Path], tmp_path: Path) -> None:
    compare(*pair, "--out", tmp_path / "o.png", "--split", "--frame", 0, "--weights", tmp_path)
    shown = picture(tmp_path / "o.png")[LABEL_HEIGHT:]
    frame, middle = scene(COUNT, (WIDTH, HEIGHT))[0], WIDTH // 2
    assert np.array_equal(shown, np.hstack([frame[:, :middle], 255 - frame[:, middle:]]))


def test_video(pair: tuple[Path, Path], tmp_path: Path) -> None:
    compare(*pair, "--out", tmp_path / "o.mp4", "--weights", tmp_path)
    made = clips.load(tmp_path / "o.mp4")
    assert made.frames.shape == (COUNT, HEIGHT + LABEL_HEIGHT, 2 * WIDTH, 3)
    assert made.rate == 25


def test_page(pair: tuple[Path, Path], tmp_path: Path) -> None:
    output = compare(*pair, "--out", tmp_path / "o.html", "--weights", tmp_path)
    data = data_of((tmp_path / "o.html").read_text())
    assert data["title"] == "a.nut and b.nut" and len(data["wipes"]) == 1
    wipe = data["wipes"][0]
    assert wipe["frames"] == list(range(COUNT)) and wipe["pair"] == [0, 1]
    for version, path, invert in zip(wipe["versions"], pair, (False, True), strict=True):
        assert (version["name"], version["bytes"]) == (path.name, path.stat().st_size)
        for uri, frame in zip(version["images"], scene(COUNT, (WIDTH, HEIGHT)), strict=True):
            assert np.array_equal(pixels(uri), 255 - frame if invert else frame)
    first, second = (version["caption"] for version in wipe["versions"])
    assert first == "" and second.startswith("PSNR") and second in output


def test_page_of_some_frames(tmp_path: Path) -> None:
    source = tmp_path / "long.nut"
    clips.write_lossless(source, scene(20, (64, 48)), Fraction(25))
    for options, frames in (((), [0, 4, 8, 11, 15, 19]), (("--frame", 7), [7]), (("--frames", 3), [0, 1, 2])):
        compare(source, source, "--out", tmp_path / "o.html", "-f", "--weights", tmp_path, *options)
        wipe = data_of((tmp_path / "o.html").read_text())["wipes"][0]
        assert wipe["frames"] == frames and all(len(v["images"]) == len(frames) for v in wipe["versions"])


def test_mistakes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    small = write_clip(tmp_path / "small.mkv", scene(2, (64, 48)))
    here = tmp_path / "here.png"
    here.write_bytes(b"old")
    cases: list[tuple[tuple[object, ...], type[NcodecError], str]] = [
        ((small, pair[1], "--out", small, "-f"), OutputError, "same file"),
        ((pair[0], small, "--out", small, "-f"), OutputError, "same file"),
        ((*pair, "--out", here), OutputError, "-f"),
        ((*pair, "--out", tmp_path / "o.gif"), OutputError, "unknown format"),
        ((pair[0], small, "--out", tmp_path / "o.png"), InputError, "differ in size"),
        ((pair[0], tmp_path / "none.mp4", "--out", tmp_path / "o.png"), InputError, "no such file"),
        ((*pair, "--out", tmp_path / "o.png", "--frame", 9), InputError, "frame 9"),
        ((*pair, "--out", tmp_path / "o.html", "--frame", 9), InputError, "frame 9"),
        ((*pair, "--out", tmp_path / "o.html", "--split"), OutputError, "leave out --split"),
    ]
    for arguments, error, text in cases:
        with pytest.raises(error, match=text):
            compare(*arguments, "--weights", tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([here, small, *pair])


@pytest.mark.slow
def test_nvc_file_is_decoded(tmp_path: Path, tiny_model: Path, ncodec: Run) -> None:
    source = write_clip(tmp_path / "clip.mkv", scene(3, (64, 48)))
    coded = tmp_path / "clip.nvc"
    assert ncodec("encode", source, coded, "--model", tiny_model).returncode == 0
    done = ncodec("compare", source, coded, "--out", tmp_path / "o.png", "--model", tiny_model, "--weights", tmp_path)
    assert done.returncode == 0, done.stderr
    assert picture(tmp_path / "o.png").shape == (48 + LABEL_HEIGHT, 128, 3)
    assert f"clip.nvc: {coded.stat().st_size} bytes" in done.stdout
