"""Files whose timestamps people complain about: what comes out starts near 0, rises, and keeps sound with picture."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from media_clips import encoded_frames, encoded_tone, make_clip, packet_facts, picture, rewrite

from neurcodec.container import Packet
from neurcodec.media import Frame, VideoInfo, VideoReader, VideoWriter

MS = Fraction(1, 1000)


def read(path: Path) -> tuple[VideoInfo, list[Fraction], list[Fraction], list[str]]:
    """Return info, times of pictures (with the end of the last one) and of sound in seconds, and warnings."""
    with VideoReader(path) as reader:
        items = list(reader.items())
        base = reader.info.time_base
        frames = [item for item in items if isinstance(item, Frame)]
        shown = [frame.pts * base for frame in frames] + [(frames[-1].pts + frames[-1].duration) * base]
        streams = reader.info.streams
        heard = [item.pts * streams[item.stream].time_base for item in items if isinstance(item, Packet)]
        return reader.info, shown, heard, reader.warnings()


def remux(source: Path, target: Path, change: Callable[[Any], Any], **muxing: str) -> Path:
    """Copy a file's packets, as `change` leaves them; None leaves one out."""
    with av.open(str(source)) as old, av.open(str(target), "w", container_options=muxing) as new:
        streams = [new.add_stream_from_template(stream, opaque=True) for stream in old.streams]
        for packet in old.demux():
            if packet.size and change(packet) is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return target


@pytest.mark.parametrize(
    ("late", "said"), [(50000, "starts at 4999"), (2**33 / 90000 - 3, "starts at -3"), (95443, "starts at -0")]
)
def test_a_late_clock_and_one_that_wraps_start_at_zero(tmp_path: Path, late: float, said: str) -> None:
    source = make_clip(tmp_path / "a.ts", audio=("aac",), count=25)
    plain = read(source)
    moved = make_clip(tmp_path / "b.ts", audio=("aac",), count=25, muxing={"output_ts_offset": str(late)})
    _, shown, heard, warnings = read(moved)
    assert min(shown[0], heard[0]) == 0
    assert [time - shown[0] for time in shown] == [time - plain[1][0] for time in plain[1]]
    assert abs((heard[0] - shown[0]) - (plain[2][0] - plain[1][0])) < MS
    assert any(said in line for line in warnings), warnings


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_goes_on_with_the_picture_in_joined_recordings(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / "a.ts", audio=("aac",), count=25)
    rewrite(source, lambda data: data * 3)
    target = tmp_path / f"b.{suffix}"
    with VideoReader(source) as reader, VideoWriter(target, reader.info) as writer:
        for item in reader.items():
            writer.write(item) if isinstance(item, Frame) else writer.write_packet(item)
        assert any("jumps 2 times" in line for line in reader.warnings())
    _, shown, heard, _ = read(target)
    assert len(shown) == 76
    assert max(two - one for one, two in itertools.pairwise(shown)) < Fraction(1, 10)
    steps = [two - one for one, two in itertools.pairwise(heard)]
    assert min(steps) > 0
    assert max(steps) < Fraction(1, 25)
    assert abs((heard[-1] - shown[-2]) - (heard[len(heard) // 3 - 1] - shown[24])) < Fraction(1, 50)


def live(folder: Path) -> Path:
    return make_clip(folder / "a.webm", codec="libvpx-vp9", count=20, time_base=MS, pts=range(0, 800, 40),
                     muxing={"live": "1"})  # fmt: skip


def raw(folder: Path) -> Path:
    with av.open(str(folder / "a.h264"), "w", format="h264") as out:
        stream: Any = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        for packet in encoded_frames(stream, [picture(64, 48, k) for k in range(20)], range(20)):
            out.mux(packet)
    return folder / "a.h264"


def tape(folder: Path) -> Path:
    path = folder / "a.dv"
    with av.open(str(path), "w", format="dv") as out:
        video: Any = out.add_stream("dvvideo", rate=25)
        video.width, video.height, video.pix_fmt = 720, 576, "yuv420p"
        video.codec_context.time_base = Fraction(1, 25)
        for packet in encoded_frames(video, [picture(720, 576, 0)], [0]):
            out.mux(packet)
    return path


@pytest.mark.parametrize(("make", "rate"), [(live, 25), (raw, 30), (tape, 25)])
def test_the_rate_is_that_of_the_pictures(tmp_path: Path, make: Callable[[Path], Path], rate: int) -> None:
    info, shown, _, _ = read(make(tmp_path))
    assert info.frame_rate == rate
    assert shown == [Fraction(k, rate) for k in range(len(shown))]


def test_avi_with_reordered_frames_begins_at_once(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.avi", codec="mpeg4", options={"bf": "2"}, count=25, audio=("libmp3lame",))
    _, shown, heard, warnings = read(source)
    assert shown == [Fraction(k, 25) for k in range(26)]
    assert heard[0] == 0
    assert not any("timestamps" in line for line in warnings)


def test_a_picture_that_avi_repeats_by_an_empty_chunk_stays_longer(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.avi", codec="mjpeg", pix_fmt="yuvj420p", pts=[0, 1, 2, 5, 6])
    _, shown, _, _ = read(source)
    assert shown == [Fraction(k, 25) for k in (0, 1, 2, 5, 6, 7)]


def test_repeated_times_make_no_drift(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", codec="ffv1", count=50, audio=("aac",))
    repeats = itertools.count()

    def repeat(packet: Any) -> Any:  # every tenth picture is there twice, at one time
        if packet.stream.type == "video":
            number = next(repeats)
            packet.pts = packet.dts = 40 * (number - (number + 5) // 10)
        return packet

    _, shown, _, warnings = read(remux(source, tmp_path / "b.mkv", repeat))
    right = [Fraction(k - (k + 5) // 10, 25) for k in range(50)]
    assert [k for k in range(50) if shown[k] != right[k]] == [5, 15, 25, 35, 45]
    assert all(shown[k] == right[k] + Fraction(1, 50) for k in (5, 15, 25, 35, 45))
    assert any("5 frame timestamps did not advance" in line for line in warnings)


def test_a_last_picture_that_is_held(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", time_base=MS, pts=[0, 100, 200, 300, 320, 820], count=6)
    for target in (tmp_path / "b.mp4", tmp_path / "b.mkv"):
        with VideoReader(source) as reader, VideoWriter(target, reader.info) as writer:
            frames = list(reader)
            for frame in frames[:-1]:
                writer.write(frame)
            writer.write(Frame(frames[-1].rgb, frames[-1].pts, 1000))
        (packets,) = packet_facts(target, "video")
        ends = [pts + duration for _, pts, _, duration in packets if pts is not None]
        assert max(ends) <= Fraction(182, 100)
        with av.open(str(target)) as file:
            assert file.duration == 1_820_000


def test_sound_that_was_trimmed_away_is_left_out(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", count=25, audio=("aac",), options={"bf": "0"})

    def early(packet: Any) -> Any:
        move = int(Fraction(6, 10) / packet.time_base)
        packet.pts, packet.dts = packet.pts - move, packet.dts - move
        return packet

    cut = remux(source, tmp_path / "b.mp4", early, avoid_negative_ts="disabled")
    _, shown, heard, warnings = read(cut)
    assert shown == [Fraction(k, 25) for k in range(11)]
    assert -Fraction(1, 20) < heard[0] < 0 < heard[2]
    assert any("marks as cut away are left out" in line for line in warnings)
    assert len(packet_facts(cut, "audio")[0]) - len(heard) > 20


def test_a_long_pause_stays_where_clocks_do_not_jump(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", time_base=MS, pts=[0, 100, 200, 46_800_000, 46_800_100])
    _, shown, _, warnings = read(source)
    assert shown[3] == 46_800
    assert not any("clock" in line for line in warnings)


def test_sound_without_channels_is_said(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.ts"), "w") as out:
        video: Any = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 25)
        sound: Any = out.add_stream("aac", rate=48000)
        encoded_tone(sound, 0.1)
        for packet in encoded_frames(video, [picture(64, 48, k) for k in range(25)], range(25)):
            out.mux(packet)
    info, shown, _, warnings = read(tmp_path / "a.ts")
    assert not info.streams
    assert len(shown) == 26
    assert any("stream 1 (audio) is not kept: it says no sample rate or channels" in line for line in warnings)
