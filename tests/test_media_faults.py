"""Inputs that are broken, odd or hostile: one clear line, or a right read with a warning."""

from __future__ import annotations

import io
import itertools
import os
import struct
import threading
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import make_clip, picture, rewrite

from neurcodec.container import Packet, StreamInfo, StreamKind
from neurcodec.errors import InputError, LimitError, OutputError
from neurcodec.media import Frame, Reading, VideoInfo, VideoReader, VideoWriter


def frames_of(path: Path) -> tuple[list[Frame], list[str]]:
    """Read a file; return its frames and the warnings."""
    with VideoReader(path) as reader:
        return list(reader), reader.warnings()


def refused(path: Path) -> str:
    """Return the one line with which a file is refused."""
    with pytest.raises((InputError, LimitError)) as caught:
        frames_of(path)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    return text


def png(width: int, height: int) -> bytes:
    """Return a PNG header that declares a size, with next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_not_media(tmp_path: Path) -> None:
    for name, data in (("a.mp4", b""), ("b.mp4", b"no video at all " * 100), ("c.mkv", bytes(5000))):
        (tmp_path / name).write_bytes(data)
        assert "cannot be read as media" in refused(tmp_path / name)
    assert "No such file" in refused(tmp_path / "missing.mp4")
    assert "cannot be read" in refused(tmp_path)


def test_truncated_mp4_gives_what_is_there(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", count=50, options={"g": "10", "bf": "0"}, muxing={"movflags": "faststart"}, audio=("aac",)
    )
    whole = frames_of(path)[0]
    rewrite(path, lambda data: data[: len(data) * 6 // 10])
    part, warnings = frames_of(path)
    assert any("of 50 pictures are there" in line for line in warnings)
    assert 5 < len(part) < 50
    assert [frame.pts for frame in part] == [frame.pts for frame in whole[: len(part)]]
    assert all(np.array_equal(one.rgb, two.rgb) for one, two in zip(part[:-1], whole, strict=False))


def test_truncated_matroska_is_said(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", count=50, audio=("aac",))
    assert not any("ends early" in line for line in frames_of(path)[1])
    rewrite(path, lambda data: data[: len(data) * 6 // 10])
    part, warnings = frames_of(path)
    assert any("of 2.0" in line and "seconds are there" in line for line in warnings), warnings
    assert 5 < len(part) < 50


def test_mp4_without_its_index(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", count=50)
    rewrite(path, lambda data: data[: data.rindex(b"moov") - 4])
    assert "cannot be read as media" in refused(path)


def raw(path: Path, width: int, height: int, count: int) -> bytes:
    """Return an H.264 elementary stream."""
    with av.open(str(path), "w", format="h264") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(width, height, number), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def test_change_of_resolution(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    path.write_bytes(raw(path, 64, 48, 10) + raw(path, 96, 80, 10))
    assert "changes from 64x48 to 96x80" in refused(path)


def test_missing_timestamps_are_filled_in_at_the_frame_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    path.write_bytes(raw(path, 64, 48, 30))
    with VideoReader(path) as reader:
        frames = list(reader)
        step = 1 / (reader.info.frame_rate * reader.info.time_base)
        assert any("timestamps were missing" in line for line in reader.warnings())
    assert [frame.pts - frames[0].pts for frame in frames] == [k * step for k in range(30)]
    assert all(frame.duration == step for frame in frames)


def test_avi_with_reordered_frames_has_a_constant_rate(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.avi", count=25, options={"bf": "3"}, audio=("libmp3lame",))
    frames, warnings = frames_of(path)
    assert [(frame.pts, frame.duration) for frame in frames] == [(k, 1) for k in range(25)]
    assert not any("timestamps" in line for line in warnings)


def test_timestamps_that_jump_back(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.ts", count=20, options={"bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data + data)
    frames, warnings = frames_of(path)
    assert len(frames) >= 39
    gaps = [two.pts - one.pts for one, two in itertools.pairwise(frames)]
    assert min(gaps) > 0
    assert gaps[:19] == [3600] * 19
    assert any("jumps once" in line for line in warnings)
    assert frames_of(path)[0][-1].pts == frames[-1].pts


def test_no_frame_one_frame_still_picture(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "none.mkv"), "w") as out:
        stream: Any = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()
    refused(tmp_path / "none.mkv")
    frames, _ = frames_of(make_clip(tmp_path / "one.mp4", count=1))
    assert [(frame.pts, frame.duration > 0) for frame in frames] == [(0, True)]
    for suffix, codec, pixels in (("png", "png", "rgb24"), ("jpg", "mjpeg", "yuvj420p"), ("bmp", "bmp", "bgr24")):
        encoder: Any = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, pixels, Fraction(1, 25)
        frame = av.VideoFrame.from_ndarray(picture(64, 48, 1), format="rgb24").reformat(format=pixels)
        still = tmp_path / f"still.{suffix}"
        still.write_bytes(b"".join(bytes(packet) for packet in encoder.encode(frame) + encoder.encode(None)))
        frames, _ = frames_of(still)
        assert len(frames) == 1
        assert frames[0].duration > 0
        assert np.abs(frames[0].rgb.astype(int) - picture(64, 48, 1)).mean() < (4 if suffix == "jpg" else 0.01)


def test_audio_only_and_audio_with_a_cover(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as out:
        stream: Any = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame) + stream.encode(None))
    assert "holds no video stream" in refused(tmp_path / "a.m4a")
    with av.open(str(tmp_path / "b.mp4"), "w") as out:
        sound: Any = out.add_stream("aac", rate=48000)
        cover: Any = out.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 48, "rgb24", 1 << 10
        frame.pts = 0
        out.mux(sound.encode(frame) + sound.encode(None))
        out.mux(cover.encode(av.VideoFrame.from_ndarray(picture(64, 48, 0), format="rgb24")) + cover.encode(None))
    assert "holds no video stream" in refused(tmp_path / "b.mp4")


def damage_packets(path: Path, numbers: set[int]) -> None:
    """Overwrite the middle of some video packets in place."""
    with av.open(str(path)) as file:
        packets = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        position, size = packets[number]
        data[position + size // 4 : position + size * 3 // 4] = b"\xff" * (size * 3 // 4 - size // 4)
    path.write_bytes(data)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libsvtav1", "libx265"])
def test_damaged_packets_are_said(tmp_path: Path, codec: str) -> None:
    options = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"preset": "12"}}.get(codec, {})
    path = make_clip(tmp_path / "a.mp4", width=96, height=80, count=40, codec=codec, options={**options, "g": "8"})
    damage_packets(path, {9, 10, 17})
    frames, warnings = frames_of(path)
    assert 8 <= len(frames) <= 40
    assert any("damaged" in line for line in warnings), warnings
    assert all(two.pts > one.pts for one, two in itertools.pairwise(frames))


def test_all_packets_damaged(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", width=96, height=80, codec="png", pix_fmt="rgb24", count=5)
    with av.open(str(path)) as file:
        packets = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in packets:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    assert "no frame of its video stream can be decoded" in refused(path)


@pytest.mark.parametrize("size", [(100_000, 1), (1, 100_000), (16384, 16)])
def test_extreme_shapes_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "rgb24", Fraction(1, 25)
    rgb = np.arange(size[0] * size[1] * 3, dtype=np.uint64).reshape(size[1], size[0], 3).astype(np.uint8)
    packets = encoder.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")) + encoder.encode(None)
    (tmp_path / "a.png").write_bytes(b"".join(map(bytes, packets)))
    frames, _ = frames_of(tmp_path / "a.png")
    assert np.array_equal(frames[0].rgb, rgb)


@pytest.mark.parametrize("size", [(1 << 30, 1 << 30), (30000, 30000), (1 << 28, 2)])
def test_hostile_sizes_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png(*size))
    refused(tmp_path / "a.png")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "a.mkv", audio=("aac",), count=30).read_bytes()
    read_end, write_end = os.pipe()

    def feed() -> None:
        with open(write_end, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    with open(read_end, "rb") as pipe, VideoReader(pipe) as reader:
        items = list(reader.items())
    thread.join()
    assert sum(isinstance(item, Frame) for item in items) == 30
    assert sum(isinstance(item, Packet) for item in items) > 40


class Counting(io.FileIO):
    """A file that counts the bytes read from it."""

    total = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


def test_reading_streams(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(150)]
    path = make_clip(
        tmp_path / "a.mp4", width=128, height=96, frames=frames, pts=list(range(150)), options={"preset": "ultrafast"}
    )
    with Counting(str(path)) as file, VideoReader(file) as reader:
        before, halfway = file.total, 0
        for number, _ in enumerate(reader):
            if number == 40:
                halfway = file.total
        size = path.stat().st_size
        assert size > 1_000_000
        assert before < size / 4
        assert halfway < size / 2
        assert file.total > size * 0.9


def test_one_video_stream_is_kept_and_alpha_is_left_out(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        streams: list[Any] = [out.add_stream("mpeg4", rate=25) for _ in range(2)]
        for k, stream in enumerate(streams):
            stream.width, stream.height, stream.pix_fmt = 64 + 32 * k, 48, "yuv420p"
        for k, stream in enumerate(streams):
            frame = av.VideoFrame.from_ndarray(picture(64 + 32 * k, 48, 0), format="rgb24")
            out.mux(stream.encode(frame) + stream.encode(None))
    frames, warnings = frames_of(tmp_path / "a.mkv")
    assert frames[0].rgb.shape == (48, 96, 3)  # the larger one
    assert "stream 0 (further video stream; --video-stream chooses another) is not kept" in warnings
    with VideoReader(tmp_path / "a.mkv", Reading(video_stream=0)) as reader:
        assert reader.info.width == 64
    with pytest.raises(InputError, match="stream 5 is no video stream; there is 0, 1"):
        VideoReader(tmp_path / "a.mkv", Reading(video_stream=5))
    encoder: Any = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "rgba", Fraction(1, 25)
    rgba = np.concatenate([picture(64, 48, 0), np.full((48, 64, 1), 128, np.uint8)], axis=2)
    packets = encoder.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")) + encoder.encode(None)
    (tmp_path / "a.png").write_bytes(b"".join(map(bytes, packets)))
    pictures, said = frames_of(tmp_path / "a.png")
    assert np.array_equal(pictures[0].rgb, rgba[..., :3])
    assert "transparency is not kept" in said


class Failing(io.FileIO):
    """A file that fails to read after some bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 30_000:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_read_error_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noisy = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(40)]
    path = make_clip(tmp_path / "a.mkv", width=128, height=96, frames=noisy, pts=list(range(40)))
    assert path.stat().st_size > 200_000
    with Failing(str(path)) as file, VideoReader(file) as reader:
        frames = list(reader)
        assert 0 < len(frames) < 40
        assert any("reading stopped early" in line for line in reader.warnings())


@pytest.mark.parametrize(
    "change",
    [
        {"disposition": 0xFFFFFFFF}, {"kind": StreamKind.DATA}, {"kind": StreamKind.SUBTITLE}, {"codec": "h264"},
        {"codec": "nonsense"}, {"codec": ""}, {"channel_layout": "9999 channels"}, {"channel_layout": "\x00"},
        {"sample_format": "?"}, {"sample_rate": 2**31 - 1}, {"sample_rate": 0}, {"bit_rate": 2**62},
        {"frame_size": 2**31 - 1}, {"codec_tag": 2**32 - 1}, {"extradata": b"\xff" * 5000}, {"extradata": b""},
        {"time_base": Fraction(2**31 - 1)}, {"time_base": Fraction(1, 2**31 - 1)}, {"metadata": {"\x01": "\x02" * 999}},
        {"kind": StreamKind.ATTACHMENT}, {"kind": StreamKind.ATTACHMENT, "extradata": b""},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov"])
def test_hostile_stream_descriptions(tmp_path: Path, change: dict[str, Any], suffix: str) -> None:
    """What a forged .nvc file says of a copied stream ends in a video or in one OutputError."""
    audio = StreamInfo(
        StreamKind.AUDIO, "aac", Fraction(1, 48000), sample_rate=48000, channel_layout="stereo", sample_format="fltp",
        frame_size=1024, extradata=b"\x11\x90",
    )  # fmt: skip
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25), streams=(replace(audio, **change),))
    times = (0, -(2**62) + 1, 2**62 - 1)
    try:
        with VideoWriter(tmp_path / f"out.{suffix}", info, "mpeg4" if suffix != "webm" else None) as writer:
            writer.write(Frame(picture(64, 48, 0), 0, 1))
            for time in times:
                writer.write_packet(Packet(0, b"sound" * 9, time, time, 2**62 - 1))
    except OutputError as error:
        assert "\n" not in str(error)
