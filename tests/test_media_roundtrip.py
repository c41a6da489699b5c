"""What is read is written again: times, sizes, tags, copied streams."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import SUBTITLES, make_clip, packet_facts, picture

from neurcodec.container import ColorRange, Packet, StreamKind
from neurcodec.errors import OutputError
from neurcodec.media import Frame, VideoInfo, VideoReader, VideoWriter

NTSC = Fraction(30000, 1001)
TURNED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


def copy(source: Path, target: Path, **options: Any) -> tuple[VideoInfo, list[str]]:
    """Read `source` and write all of it to `target`; return the source's info and the writer's warnings."""
    with VideoReader(source) as reader, VideoWriter(target, reader.info, **options) as writer:
        for item in reader.items():
            if isinstance(item, Packet):
                writer.write_packet(item)
            else:
                writer.write(item)
    return reader.info, writer.warnings()


def read(path: Path) -> tuple[VideoInfo, list[Frame], list[str]]:
    """Return a file's info, frames and warnings."""
    with VideoReader(path) as reader:
        frames = list(reader)
        return reader.info, frames, reader.warnings()


def times(frames: list[Frame], info: VideoInfo) -> list[tuple[Fraction, Fraction]]:
    """Return (time, duration) in seconds of each frame."""
    return [(frame.pts * info.time_base, frame.duration * info.time_base) for frame in frames]


VFR = [0, 3003, 4500, 12000, 12091, 30000, 90000, 90750, 180000, 180333]


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(
    ("time_base", "pts"),
    [
        (Fraction(1001, 30000), list(range(15))),
        (Fraction(1, 24), list(range(9))),
        (Fraction(1, 90000), VFR),
        (Fraction(1, 1000), [0, 33, 67, 100, 400, 401, 1000]),
        (Fraction(1, 30000), [5005 + 1001 * k for k in range(8)]),
    ],
)
def test_times_are_exact(tmp_path: Path, suffix: str, time_base: Fraction, pts: list[int]) -> None:
    source = make_clip(
        tmp_path / f"a.{suffix}", rate=NTSC, time_base=time_base, pts=pts, muxing={"movie_timescale": "30000"}
    )
    copy(source, tmp_path / f"b.{suffix}")
    (before, first, _), (after, second, _) = read(source), read(tmp_path / f"b.{suffix}")
    assert [frame.pts * before.time_base for frame in first] == [value * time_base for value in pts]
    assert times(first, before) == times(second, after)


def test_matroska_rounds_times_to_a_millisecond(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", rate=NTSC, time_base=Fraction(1, 90000), pts=VFR, audio=("aac",))
    copy(source, tmp_path / "b.mkv")
    info, frames, _ = read(tmp_path / "b.mkv")
    assert info.time_base == Fraction(1, 1000)
    assert [frame.pts for frame in frames] == [round(Fraction(value, 90)) for value in VFR]


def test_the_writer_keeps_the_duration_of_the_last_frame(tmp_path: Path) -> None:
    info = VideoInfo(64, 48, Fraction(1, 1000), Fraction(25))
    with VideoWriter(tmp_path / "a.mp4", info) as writer:
        for number, duration in enumerate((40, 40, 777)):
            writer.write(Frame(picture(64, 48, number), 40 * number, duration))
    after, frames, _ = read(tmp_path / "a.mp4")
    assert times(frames, after)[-1] == (Fraction(80, 1000), Fraction(777, 1000))


@pytest.mark.parametrize(("width", "height"), [(65, 48), (64, 47), (33, 35), (1, 64), (64, 1), (2, 2)])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_odd_and_thin_sizes(tmp_path: Path, width: int, height: int, suffix: str) -> None:
    source = make_clip(tmp_path / "a.mov", width=width, height=height, codec="png", pix_fmt="rgb24", count=3)
    copy(source, tmp_path / f"b.{suffix}")
    info, frames, _ = read(tmp_path / f"b.{suffix}")
    assert (info.width, info.height) == (width, height)
    before = read(source)[1]
    for one, two in zip(before, frames, strict=True):
        assert np.abs(one.rgb.astype(int) - two.rgb).mean() < 4


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_sample_aspect_ratio_and_rotation_are_kept_not_baked(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / f"a.{suffix}", sar=Fraction(12, 11), matrix=TURNED)
    copy(source, tmp_path / f"b.{suffix}")
    for name in "ab":
        info = read(tmp_path / f"{name}.{suffix}")[0]
        assert (info.width, info.height) == (64, 48)
        assert info.sample_aspect_ratio == Fraction(12, 11)
        assert info.display_matrix is not None
        assert info.display_matrix[:5] == TURNED[:5]


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    "colour", [(1, 1, 1, 1), (5, 6, 5, 1), (6, 6, 6, 2), (9, 16, 9, 1), (9, 18, 9, 1), (12, 13, 1, 2)]
)
def test_colour_tags_are_kept(tmp_path: Path, suffix: str, colour: tuple[int, int, int, int]) -> None:
    source = make_clip(tmp_path / f"a.{suffix}", colour=colour, count=3)
    copy(source, tmp_path / f"b.{suffix}")
    for name in "ab":
        info = read(tmp_path / f"{name}.{suffix}")[0]
        assert (info.color_primaries, info.color_transfer, info.color_matrix, info.color_range) == colour


@pytest.mark.parametrize(
    ("suffix", "audio"),
    [("mp4", ("aac", "aac")), ("mkv", ("libopus", "flac")), ("mp4", ("libopus", "ac3")), ("mkv", ("pcm_s16le", "aac")),
     ("mov", ("alac", "aac")), ("mkv", ("alac", "libmp3lame"))],
)  # fmt: skip
def test_audio_is_copied_packet_for_packet(tmp_path: Path, suffix: str, audio: tuple[str, ...]) -> None:
    source = make_clip(tmp_path / f"a.{suffix}", audio=audio, count=25)
    info, warnings = copy(source, tmp_path / f"b.{suffix}")
    before, after = (packet_facts(tmp_path / f"{name}.{suffix}", "audio") for name in "ab")
    assert not warnings
    assert len(before) == len(after) == 2
    for one, two in zip(before, after, strict=True):
        assert [packet[0] for packet in one] == [packet[0] for packet in two]
        assert len(one) > 8
        slack = Fraction(1, 1000) if suffix == "mkv" else Fraction(0)  # Opus starts between two milliseconds
        for first, second in zip(one, two, strict=True):
            assert all(abs(first[k] - second[k]) <= slack for k in (1, 2, 3))
    again = read(tmp_path / f"b.{suffix}")[0]
    for one, two in zip(info.streams, again.streams, strict=True):
        assert one.kind == two.kind == StreamKind.AUDIO
        for field in ("codec", "extradata", "sample_rate", "channel_layout", "sample_format", "disposition"):
            assert getattr(one, field) == getattr(two, field), field
        assert one.metadata["language"] == two.metadata["language"]


def test_pcm_in_mov_is_the_same_samples_in_other_pieces(tmp_path: Path) -> None:
    copy(make_clip(tmp_path / "a.mov", audio=("pcm_s16le",), count=25), tmp_path / "b.mov")
    sounds = []
    for name in "ab":
        with av.open(str(tmp_path / f"{name}.mov")) as file:
            sounds.append(b"".join(bytes(packet) for packet in file.demux(file.streams.audio[0]) if packet.size))
    assert sounds[0] == sounds[1]
    assert len(sounds[0]) == 48000 * 4


def test_copied_audio_still_decodes(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", audio=("aac", "libopus"), count=25)
    copy(source, tmp_path / "b.mp4")
    sounds = []
    for name in "ab":
        with av.open(str(tmp_path / f"{name}.mp4")) as file:
            sounds.append([frame.to_ndarray() for frame in file.decode(file.streams.audio[1])])
    assert len(sounds[0]) == len(sounds[1]) > 40
    assert all(np.array_equal(one, two) for one, two in zip(*sounds, strict=True))


def test_audio_survives_a_change_of_container(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", audio=("aac",), count=25)
    copy(source, tmp_path / "b.mkv")
    copy(tmp_path / "b.mkv", tmp_path / "c.mp4")
    (first,), (second,) = (packet_facts(tmp_path / name, "audio") for name in ("a.mp4", "c.mp4"))
    assert [one[0] for one in first] == [two[0] for two in second]
    assert max(abs(one[1] - two[1]) for one, two in zip(first, second, strict=True)) <= Fraction(1, 1000)


def test_subtitles_attachments_and_chapters_in_matroska(tmp_path: Path) -> None:
    chapters = [
        {
            "id": k + 1,
            "start": 500 * k,
            "end": 500 * k + 500,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": name},
        }
        for k, name in enumerate(("Start", "End"))
    ]
    font = bytes(range(256)) * 3
    source = make_clip(
        tmp_path / "a.mkv", subtitles=True, chapters=chapters, attachment=font, count=25, metadata={"title": "A film"}
    )
    _, warnings = copy(source, tmp_path / "b.mkv")
    assert not warnings
    before, after = (packet_facts(tmp_path / f"{name}.mkv", "subtitle") for name in "ab")
    assert before == after
    assert len(before[0]) == 2
    info = read(tmp_path / "b.mkv")[0]
    assert info.metadata["title"] == "A film"
    subtitle, attachment = info.streams
    assert (subtitle.kind, subtitle.codec, subtitle.metadata["language"]) == (StreamKind.SUBTITLE, "subrip", "eng")
    assert (attachment.kind, attachment.extradata) == (StreamKind.ATTACHMENT, font)
    assert attachment.metadata["filename"] == "font.ttf"
    assert [(one.start * one.time_base, one.metadata["title"]) for one in info.chapters] == [
        (Fraction(0), "Start"), (Fraction(1, 2), "End"),
    ]  # fmt: skip
    assert b"First line" in SUBTITLES


def test_what_the_format_cannot_hold_is_said(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", subtitles=True, attachment=b"font", audio=("aac",))
    _, warnings = copy(source, tmp_path / "b.mp4")
    assert warnings == ["1 attachment is not kept: mp4 has no attachments; mkv has"]
    assert len(packet_facts(tmp_path / "b.mp4", "audio")[0]) > 20


def test_metadata_is_kept(tmp_path: Path) -> None:
    tags = {"title": "A film", "comment": "Grüße", "artist": "Somebody"}
    source = make_clip(tmp_path / "a.mp4", metadata=tags, count=3)
    copy(source, tmp_path / "b.mp4")
    assert read(tmp_path / "b.mp4")[0].metadata == tags
    own = {**tags, "camera_serial": "123"}
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25), metadata=own)
    with VideoWriter(tmp_path / "c.mp4", info) as writer:
        writer.write(Frame(picture(64, 48, 0), 0, 1))
    assert read(tmp_path / "c.mp4")[0].metadata == tags  # with atoms, as players know them
    assert writer.warnings() == ["metadata camera_serial is not kept: mp4 has no place for it; mkv keeps all"]
    own = {"com.apple.quicktime.make": "A maker", "camera_serial": "123"}
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25), metadata=own)
    with VideoWriter(tmp_path / "d.mp4", info) as writer:
        writer.write(Frame(picture(64, 48, 0), 0, 1))
    assert read(tmp_path / "d.mp4")[0].metadata == own
    assert not writer.warnings()


def test_packets_are_interleaved_with_the_frames(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", audio=("aac",), count=50)
    copy(source, tmp_path / "b.mp4")
    with VideoReader(tmp_path / "b.mp4") as reader:
        ahead, video = [], Fraction(0)
        for item in reader.items():
            if isinstance(item, Frame):
                video = item.pts * reader.info.time_base
            elif item.pts is not None:
                ahead.append(item.pts * reader.info.streams[item.stream].time_base - video)
    assert len(ahead) > 40
    assert max(abs(gap) for gap in ahead[:20]) < 2


def test_ten_bits_are_accepted_and_said(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), 30 * k + 20, np.uint8) for k in range(6)]
    source = make_clip(
        tmp_path / "a.mp4", codec="libx265", pix_fmt="yuv420p10le", frames=frames, pts=list(range(6)),
        options={"x265-params": "log-level=none", "crf": "5"}, colour=(1, 1, 1, 1),
    )  # fmt: skip
    info, out, warnings = read(source)
    assert (info.bit_depth, info.pixel_format, info.codec) == (10, "yuv420p10le", "hevc")
    assert any("10 bits" in line for line in warnings)
    assert [int(np.rint(frame.rgb.mean())) for frame in out] == pytest.approx([30 * k + 20 for k in range(6)], abs=1)
    copy(source, tmp_path / "b.mp4")
    assert read(tmp_path / "b.mp4")[0].bit_depth == 8


def test_png_pictures_and_y4m(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", count=5, colour=(1, 1, 1, 1), audio=("aac",))
    before = read(source)[1]
    copy(source, tmp_path / "x%03d.png")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"x{k:03d}.png" for k in range(1, 6)]
    pictures = read(tmp_path / "x%03d.png")[1]
    assert all(np.array_equal(one.rgb, two.rgb) for one, two in zip(before, pictures, strict=True))
    _, warnings = copy(source, tmp_path / "a.y4m")
    info, frames, _ = read(tmp_path / "a.y4m")
    assert info.frame_rate == 25
    assert any("audio stream 0 (aac) is not kept" in line for line in warnings)
    assert max(np.abs(one.rgb.astype(int) - two.rgb).mean() for one, two in zip(before, frames, strict=True)) < 1.5


def test_a_variable_rate_is_lost_in_y4m_and_said(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", time_base=Fraction(1, 90000), pts=VFR)
    _, warnings = copy(source, tmp_path / "b.bin", format="y4m")
    assert warnings == ["y4m has no timestamps; the variable frame rate is lost"]
    assert len(read(tmp_path / "b.bin")[1]) == len(VFR)


def test_webm_holds_opus_beside_av1(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", audio=("libopus",), width=96, height=80)
    _, warnings = copy(source, tmp_path / "b.webm")
    assert not warnings
    info = read(tmp_path / "b.webm")[0]
    assert (info.codec, info.streams[0].codec) == ("av1", "opus")


def test_mov_goes_without_what_ffmpeg_does_not_write(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", audio=("libopus", "aac"))
    _, warnings = copy(source, tmp_path / "b.mov")
    assert len(warnings) == 1
    assert "audio stream 0 (opus) is not kept: mov cannot hold opus" in warnings[0]
    assert warnings[0].endswith("; mp4 and mkv and webm can")
    assert [stream.codec for stream in read(tmp_path / "b.mov")[0].streams] == ["aac"]


def test_an_rgb_picture_becomes_a_tagged_video(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "p%d.png", VideoInfo(64, 48, Fraction(1, 25))) as writer:
        writer.write(Frame(picture(64, 48, 3), 0, 1))
    info, _ = copy(tmp_path / "p1.png", tmp_path / "b.mp4")
    assert info.color_matrix == 0
    after, frames, _ = read(tmp_path / "b.mp4")
    assert (after.color_matrix, after.color_range) == (6, ColorRange.LIMITED)
    assert np.abs(frames[0].rgb.astype(int) - picture(64, 48, 3)).mean() < 2


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels", "audio"),
    [("ts", "libx264", "yuv420p", "aac"), ("webm", "libvpx-vp9", "yuv420p", "libopus"), ("gif", "gif", "rgb8", ""),
     ("avi", "mpeg4", "yuv420p", "libmp3lame"), ("mpg", "mpeg2video", "yuv420p", "mp2"),
     ("mkv", "ffv1", "yuv422p10le", "pcm_s16le"), ("mov", "prores_ks", "yuv422p10le", "pcm_s16le")],
)  # fmt: skip
def test_other_formats_become_mp4(tmp_path: Path, suffix: str, codec: str, pixels: str, audio: str) -> None:
    source = make_clip(tmp_path / f"a.{suffix}", codec=codec, pix_fmt=pixels, audio=(audio,) if audio else (), count=25)
    copy(source, tmp_path / "b.mp4")
    (before, first, _), (after, second, _) = read(source), read(tmp_path / "b.mp4")
    assert times(first, before) == times(second, after)
    assert len(first) == 25
    for one, two in zip(first[::6], second[::6], strict=True):
        assert np.abs(one.rgb.astype(int) - two.rgb).mean() < (20 if codec == "gif" else 5)  # GIF's dither is lost
    if audio:
        lengths = []
        for path in (source, tmp_path / "b.mp4"):
            with av.open(str(path)) as file:
                lengths.append(sum(frame.samples for frame in file.decode(audio=0)))
        assert abs(lengths[0] - lengths[1]) < 960  # WebM's trim of the last Opus packet is not kept
        assert lengths[0] > 47000


def test_file_objects_work_as_well_as_paths(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", audio=("aac",))
    with (
        source.open("rb") as inside,
        (tmp_path / "b.tmp").open("wb") as outside,
        VideoReader(inside) as reader,
        VideoWriter(outside, reader.info, format="mkv") as writer,
    ):
        for frame in reader:
            writer.write(frame)
    assert len(read(tmp_path / "b.tmp")[1]) == 12


def test_writer_errors_are_one_line(tmp_path: Path) -> None:
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25))
    for target, options, text in (
        (tmp_path / "no" / "a.mp4", {}, "cannot be written"),
        (tmp_path / "a.mp4", {"codec": "nothing"}, "no encoder named nothing"),
        (tmp_path / "a.mp4", {"codec": "libx264", "options": {"preset": "none"}}, "cannot be written"),
        (tmp_path / "a.xyz", {}, "unknown output format"),
        (tmp_path / "a.png", {}, "number pattern"),
        (tmp_path / "a.mp4", {"codec": "prores"}, "cannot be written"),
    ):
        with pytest.raises(OutputError, match=text) as caught, VideoWriter(target, info, **options) as writer:
            writer.write(Frame(picture(64, 48, 0), 0, 1))
        assert "\n" not in str(caught.value)


def test_the_writer_refuses_wrong_frames(tmp_path: Path) -> None:
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25))
    with VideoWriter(tmp_path / "a.mp4", info) as writer:
        writer.write(Frame(picture(64, 48, 0), 5, 1))
        with pytest.raises(ValueError, match="not above"):
            writer.write(Frame(picture(64, 48, 0), 5, 1))
        with pytest.raises(ValueError, match="shape"):
            writer.write(Frame(picture(60, 48, 0), 6, 1))


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    info = VideoInfo(128, 96, Fraction(1, 25), Fraction(25))
    with (
        pytest.raises(OutputError, match="No space left") as caught,
        VideoWriter("/dev/full", info, "libx264", {"preset": "ultrafast", "crf": "0"}, "mkv") as writer,
    ):
        for number in range(60):
            writer.write(Frame(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), number, 1))
    assert "\n" not in str(caught.value)


def test_an_aborted_file_is_closed_and_the_first_error_stays(tmp_path: Path) -> None:
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25))
    with pytest.raises(KeyError, match="mine"), VideoWriter(tmp_path / "a.mp4", info) as writer:
        writer.write(Frame(picture(64, 48, 0), 0, 1))
        raise KeyError("mine")
    (tmp_path / "a.mp4").unlink()
    writer.close()
    assert not (tmp_path / "a.mp4").exists()
