"""What a video track says beside its pictures is kept: language, title, flags, order of fields, light."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from conftest import Run
from media_clips import encoded_frames, make_clip, picture

from neurcodec.container import VideoTrack
from neurcodec.media import Reading, VideoInfo, VideoReader, VideoWriter

DISPLAY = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10000000, 50)
LEVELS = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"


def read(path: Path) -> VideoInfo:
    with VideoReader(path) as reader:
        return reader.info


def named(folder: Path) -> Path:
    """Three frames of a forced Japanese track with a title and a timecode."""
    path = folder / "a.mkv"
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("mpeg4", rate=25, width=80, height=64)
        video.codec_context.time_base = Fraction(1, 25)
        video.metadata.update({"language": "jpn", "title": "Director's cut", "timecode": "01:00:00:00"})
        video.disposition = 1 | 64
        for packet in encoded_frames(video, [picture(80, 64, k) for k in range(3)], range(3)):
            out.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov"])
def test_names_and_flags_come_back(tmp_path: Path, tiny_model: Path, ncodec: Run, suffix: str) -> None:
    source, coded, target = named(tmp_path), tmp_path / "o.nvc", tmp_path / f"o.{suffix}"
    assert read(source).track.metadata["title"] == "Director's cut"
    run = ncodec("encode", source, coded, "--model", tiny_model, "--preset", "fast")
    assert run.returncode == 0 and "not kept" not in run.stderr
    assert json.loads(ncodec("info", coded, "--json").stdout)["track"]["metadata"]["language"] == "jpn"
    assert ncodec("decode", coded, target, "--no-diffusion").returncode == 0
    with av.open(str(target)) as container:
        (video,) = container.streams.video
        tags = {key.lower(): value for key, value in video.metadata.items()}
        assert tags["language"] == "jpn" and tags["timecode"] == "01:00:00:00"
        assert "Director's cut" in (tags.get("title"), tags.get("name"), tags.get("handler_name"))
        assert int(video.disposition) & 64 or suffix == "mov"  # QuickTime has no forced tracks


def test_light_is_kept_and_what_the_output_lacks_is_said(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", codec="libx265", pix_fmt="yuv420p10le", count=3, colour=(9, 16, 9, 1),
        options={"x265-params": f"log-level=none:hdr10=1:{LEVELS}"},
    )  # fmt: skip
    info = read(path)
    assert (info.track.mastering_display, info.track.light_level) == (DISPLAY, (1000, 400))
    with VideoWriter(tmp_path / "b.mp4", info) as writer:
        for number in range(3):
            frame = next(iter(VideoReader(path)))
            writer.write(type(frame)(frame.rgb, number * 512, 512))
    assert any("light levels are not written" in line for line in writer.warnings())


@pytest.mark.parametrize(("mode", "order"), [("auto", 0), ("off", 2)])
def test_the_order_of_fields_is_that_of_the_coded_pictures(tmp_path: Path, mode: str, order: int) -> None:
    path = make_clip(tmp_path / "a.mkv", count=3, options={"x264-params": "interlaced=1:tff=1"})
    with VideoReader(path, Reading(deinterlace=mode)) as reader:
        assert reader.info.track.field_order == order


def test_an_ordinary_track_takes_no_bytes(tmp_path: Path) -> None:
    assert read(make_clip(tmp_path / "a.mp4", count=3)).track == VideoTrack()
