"""What is too much for a file or its readers is said when encoding begins, and never costs the output."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from media_clips import encoded_frames, make_clip, picture

from neurcodec import encode_batch
from neurcodec.errors import LimitError
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import describe
from neurcodec.jobs.options import DecodeOptions, EncodeOptions


@pytest.fixture
def encode(tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Any:
    def run(source: Path) -> tuple[Path, str]:
        options = EncodeOptions(quality=4, preset="fast", model=str(tiny_model), device="cpu", threads=1)
        with caplog.at_level(logging.WARNING, logger="neurcodec"):
            encode_file(source, tmp_path / "out.nvc", options)
        return tmp_path / "out.nvc", caplog.text

    return run


def test_seventy_fonts(tmp_path: Path, encode: Any) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        video: Any = out.add_stream("mpeg4", rate=25, width=64, height=64)
        video.codec_context.time_base = Fraction(1, 25)
        for number in range(70):
            out.add_attachment(f"{number}.ttf", "font/ttf", b"font %d" % number)
        for packet in encoded_frames(video, [picture(64, 64, 0)], [0]):
            out.mux(packet)
    target, said = encode(tmp_path / "a.mkv")
    assert len(describe(target)["streams"]) == 64
    assert "6 streams are not kept: a file holds 64 streams" in said


def test_a_long_comment(tmp_path: Path, encode: Any) -> None:
    tags = {"comment": "node " * 20000, "title": "Kept"}
    target, said = encode(make_clip(tmp_path / "a.mkv", height=64, count=2, metadata=tags))
    assert "metadata COMMENT is not kept: it is too long" in said
    assert describe(target)["metadata"] == {"title": "Kept"}


def test_thirteen_hours(tmp_path: Path, encode: Any, tiny_model: Path) -> None:
    times = [0, 100, 46_800_000, 46_800_100]
    target, said = encode(make_clip(tmp_path / "a.mkv", height=64, time_base=Fraction(1, 1000), pts=times))
    assert said.count("longer than 12 hours: reading its file takes --no-limits") == 1
    with pytest.raises(LimitError):
        describe(target)
    options = DecodeOptions(diffusion=False, limits=False, model=str(tiny_model), threads=1)
    assert decode_file(target, tmp_path / "b.mkv", options).frames == 4
    coding = {"model": str(tiny_model), "device": "cpu", "threads": 1, "preset": "fast"}
    for done in (1, 0):  # what is there is whole, however long
        report = encode_batch([tmp_path / "a.mkv"], tmp_path / "coded", **coding)
        assert (report.done, report.skipped) == (done, 1 - done)
