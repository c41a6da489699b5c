"""What of a source is coded: a part, another video stream, whole pictures of interlaced ones."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import Run
from media_clips import encoded_frames, make_clip, picture

from neurcodec.errors import InputError
from neurcodec.files.frame_range import FrameRange
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import describe
from neurcodec.jobs.options import EncodeOptions
from neurcodec.media import Frame, Reading, VideoReader
from neurcodec.media.decoding import Decoder


def read(path: Path | io.BytesIO, **reading: Any) -> tuple[list[Frame], list[Fraction], VideoReader]:
    """Return frames, and the times of sound in seconds."""
    with VideoReader(path, Reading(**reading)) as reader:
        items = list(reader.items())
        base = {number: stream.time_base for number, stream in enumerate(reader.info.streams)}
    frames = [item for item in items if isinstance(item, Frame)]
    return frames, [item.pts * base[item.stream] for item in items if not isinstance(item, Frame)], reader


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mp4", {"g": "10", "bf": "2"}),
        ("mkv", {"g": "7"}),
        ("ts", {"g": "10"}),
        ("avi", {"g": "5"}),
        ("mp4", {"g": "250"}),
    ],
)
@pytest.mark.parametrize(("start", "end"), [("0.42", "0.8"), ("0", "0.5"), ("0.6", None), ("0.04", None)])
def test_a_part_has_the_frames_of_a_whole_reading(
    tmp_path: Path, suffix: str, options: dict[str, str], start: str, end: str | None
) -> None:
    sound = ("libmp3lame",) if suffix == "avi" else ("aac",)
    path = make_clip(tmp_path / f"a.{suffix}", count=25, options=options, audio=sound)
    whole, heard, reader = read(path)
    base, first = reader.info.time_base, whole[0].pts
    part, cut, cutter = read(path, start=Fraction(start), end=None if end is None else Fraction(end))
    begin, stop = Fraction(start), Fraction(100) if end is None else Fraction(end)
    wanted = [frame for frame in whole if begin <= (frame.pts - first) * base < stop]
    assert len(part) == len(wanted) > 5
    for one, two in zip(part, wanted, strict=True):
        assert np.array_equal(one.rgb, two.rgb)
        assert abs((one.pts - two.pts + first) * base + begin) <= base
    zero = first * base + begin
    inside = [time for time in heard if zero <= time < first * base + stop]
    assert abs(len(cut) - len(inside)) <= 1
    assert all(abs(one - (two - zero)) < Fraction(1, 20) for one, two in zip(cut, inside, strict=False))
    assert not any("ends early" in line for line in cutter.warnings())


def test_groups_before_a_part_are_not_decoded(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", count=200, options={"g": "20"})
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        decoder, start = Decoder(stream, by_order=False), 7 * 12800
        frames = [frame for packet in file.demux(stream) for frame in decoder.skip(packet, start)]
    assert decoder.packets < 60
    assert [frame.pts for frame in frames if frame.pts is not None and frame.pts >= start] == [
        512 * k for k in range(175, 200)
    ]
    assert len(read(io.BytesIO(path.read_bytes()), start=Fraction(7))[0]) == 25


def test_a_part_without_a_picture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no picture from second 5 to 6"):
        read(make_clip(tmp_path / "a.mp4", count=5), start=Fraction(5), end=Fraction(6))


def combed(path: Path) -> Path:
    """Ten interlaced frames of a bar that moves: the fields are half a frame apart."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=25, options={"x264-params": "tff=1", "crf": "5"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        video.codec_context.time_base = Fraction(1, 25)
        frames = []
        for number in range(10):
            rgb = np.full((96, 128, 3), 40, np.uint8)
            for field in range(2):
                left = 10 + 8 * number + 4 * field
                rgb[field::2, left : left + 20] = 220
            frames.append(rgb)
        for packet in encoded_frames(video, frames, range(10)):
            out.mux(packet)
    return path


def test_interlaced_pictures_become_whole_ones(tmp_path: Path) -> None:
    path = combed(tmp_path / "a.mp4")
    combs, times = {}, {}
    for mode in ("off", "auto", "on"):
        frames, _, reader = read(path, deinterlace=mode)
        rows = [frame.rgb[20:76].astype(int) for frame in frames[2:-2]]
        combs[mode] = float(np.mean([np.abs(one[1:-1] * 2 - one[:-2] - one[2:]).mean() for one in rows]))
        times[mode] = [(frame.pts, frame.duration) for frame in frames]
        said = [line for line in reader.warnings() if "interlaced" in line]
        assert len(said) == 1
        assert ("coded as it is; --deinterlace auto" in said[0]) == (mode == "off")
    assert times["off"] == times["auto"] == times["on"] == [(512 * k, 512) for k in range(10)]
    assert max(combs["auto"], combs["on"]) < combs["off"] / 5


def test_progressive_pictures_stay_as_they_are(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", count=5)
    one, two = read(path, deinterlace="auto")[0], read(path, deinterlace="off")[0]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(one, two, strict=True))
    assert len(read(path, deinterlace="on")[0]) == 5


def test_the_options_of_the_command(tmp_path: Path, tiny_model: Path, ncodec: Run) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as out:
        streams: list[Any] = [out.add_stream("mpeg4", rate=25, width=64 + 32 * k, height=64) for k in range(2)]
        for stream in streams:
            stream.codec_context.time_base = Fraction(1, 25)
        streams[0].disposition = 1
        packets = [
            packet
            for stream in streams
            for packet in encoded_frames(stream, [picture(stream.width, 64, k) for k in range(10)], range(10))
        ]
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            out.mux(packet)
    common = ("--model", tiny_model, "-q", "4", "--preset", "fast")
    part = ("--start", "0.1", "--end", "0.3", "--video-stream", "1", "--deinterlace", "on")
    run = ncodec("encode", source, tmp_path / "a.nvc", *common, *part)
    assert "a.nvc: 5 frames" in run.stderr, run.stderr
    assert describe(tmp_path / "a.nvc")["width"] == 96
    assert read(source)[0][0].rgb.shape == (64, 64, 3)  # the default one, not the larger
    run = ncodec("encode", source, tmp_path / "b.nvc", *common, "--start", "2", "--end", "1")
    assert (run.returncode, "hold no frame" in run.stderr) == (2, True)
    options = EncodeOptions(model=str(tiny_model), frame_range=FrameRange(Fraction(100), seconds=True), threads=1)
    with pytest.raises(InputError, match="there is no picture from second 100 to the end"):
        encode_file(source, tmp_path / "b.nvc", options)
    assert not (tmp_path / "b.nvc").exists()
