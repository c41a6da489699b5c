"""`ncodec probe` and `--target-vmaf`: sizes against those of real files, VMAF, what is recommended, and bad input."""

from __future__ import annotations

import json
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from conftest import ENVIRONMENT, Run, scene, write_clip

import neurcodec
from neurcodec.errors import ArgumentError
from neurcodec.jobs.options import EncodeOptions
from neurcodec.jobs.probe import FRAMES, PLACES, Trial, _samples, recommend
from neurcodec.media import VideoReader

pytest.importorskip("psutil")
pytest.importorskip("imageio_ffmpeg")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with sound; every second frame is the one before, so that it costs little."""
    pictures = [picture for picture in scene(50, (96, 80)) for _ in range(2)]
    return write_clip(tmp_path_factory.mktemp("probe") / "film.mp4", pictures, sound=True)


def test_sizes_are_near_those_of_files(film: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    options = ("--model", tiny_model, "--preset", "fast")
    run = ncodec("probe", film, *options, "--qualities", "9,40", "--json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert (report["width"], report["height"], report["frames"], report["samples"]) == (96, 80, 100, 2)
    assert report["source_bytes"] == film.stat().st_size
    assert [trial["quality"] for trial in report["trials"]] == [9, 40]
    for trial in report["trials"]:
        target = tmp_path / f"{trial['quality']}.nvc"
        neurcodec.encode(film, target, quality=trial["quality"], model=tiny_model, preset="fast", threads=1)
        assert trial["bytes"] == pytest.approx(target.stat().st_size, rel=0.15)
        assert 0 <= trial["vmaf"] <= 100
    assert report["trials"][0]["vmaf"] < report["trials"][1]["vmaf"]
    assert list(tmp_path.glob("*probe*")) == []


def test_the_table_and_what_is_recommended(
    film: Path, ncodec: Run, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("probe", film, "--model", tiny_model, "--preset", "fast", "--seconds", 0.01, "--qualities", 40)
    lines = ncodec(*arguments, "--vmaf", 0).stdout.splitlines()
    assert lines[0].endswith(f"{film.stat().st_size:,} bytes; samples: 1")
    assert lines[1].split() == ["quality", "bytes", "of", "source", "kbps", "VMAF", "encoding"]
    assert lines[2].split()[0] == "40"
    assert lines[3].startswith(("recommended: -q 40, for VMAF 0; at most ", "it would not pay: VMAF 0 takes -q 40"))
    monkeypatch.setitem(ENVIRONMENT, "NEURCODEC_FFMPEG", str(tmp_path / "none"))
    lines = ncodec(*arguments).stdout.splitlines()
    assert lines[2].split()[4] == "-"
    assert lines[3].startswith("no VMAF, so nothing is recommended but the default, -q 15: ")


def test_samples_are_the_frames_at_their_places() -> None:
    """Also behind later key frames: the clip has one a second."""
    source = Path(__file__).parent.parent / "examples" / "flight.mp4"
    with VideoReader(source) as reader:
        frames = list(reader)
        rate = reader.info.frame_rate
    samples = [pictures for pictures, _ in _samples(source, EncodeOptions(), len(frames), rate)]
    assert len(samples) == 2
    for place, sample in zip(PLACES, samples, strict=False):
        first = ceil(Fraction(place) * (len(frames) - FRAMES))
        wanted = np.stack([frame.rgb for frame in frames[first : first + FRAMES]])
        assert np.array_equal(sample.rgb, wanted)


def test_recommending() -> None:
    trials = [Trial(9, 1000, 1.0, 40.0), Trial(15, 2000, 1.0, 70.0), Trial(21, 3000, 1.0, 82.0)]
    assert [recommend(trials, goal) for goal in (0, 40, 45, 70, 76, 82, 83)] == [9, 9, 10, 15, 18, 21, None]
    assert recommend([Trial(9, 1000, 1.0, None)], 0) is None


def test_a_target_of_vmaf(film: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchmetrics")
    monkeypatch.setenv("NEURCODEC_CACHE", str(tmp_path))
    options = {"preset": "fast", "model": tiny_model, "threads": 1}
    report = neurcodec.encode(film, tmp_path / "out.nvc", target_vmaf=60, **options)
    assert report.found is not None and report.found.metric == "vmaf"
    assert 60 <= report.found.value <= 100
    known = json.loads(next((tmp_path / "targets").iterdir()).read_text())
    assert known[str(report.found.quality - 1)] < 60 <= known[str(report.found.quality)]
    with pytest.raises(ArgumentError, match=r"vmaf 101 is no target: it is outside 0\.\.100"):
        neurcodec.encode(film, tmp_path / "out.nvc", target_vmaf=101)


def test_bad_input(ncodec: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no video")
    run = ncodec("probe", tmp_path / "text.txt")
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
    for options in (("--qualities", "9,x"), ("--qualities", "64"), ("--seconds", "0"), ("--vmaf", "101")):
        assert ncodec("probe", tmp_path / "text.txt", *options).returncode == 2
