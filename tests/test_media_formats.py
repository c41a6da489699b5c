"""What output formats hold: a stream of every codec that can be made here is muxed and read again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import encoded_frames, encoded_tone, make_clip, picture, tone

from neurcodec.container import Packet, StreamInfo, StreamKind
from neurcodec.errors import OutputError
from neurcodec.media import Frame, VideoInfo, VideoReader, VideoWriter, copied, formats
from neurcodec.media.subtitles import TextConverter

INFO = VideoInfo(64, 48, Fraction(1, 25), Fraction(25))
DTYPES = {"u8": np.uint8, "s1": np.int16, "s3": np.int32, "fl": np.float32, "db": np.float64}


KNOWN = {
    "mp4": {"aac", "ac3", "mp3", "opus", "flac", "alac"},
    "mov": {"aac", "pcm_mulaw", "pcm_s24le"},
    "mkv": {"aac", "opus", "vorbis", "pcm_mulaw", "amr_nb"},
    "webm": {"opus", "vorbis"},
}


def encoders() -> Iterator[str]:
    for name in sorted(av.codec.codecs_available):
        try:
            if av.Codec(name, "w").type == "audio":
                yield name
        except av.codec.codec.UnknownCodecError:
            continue


@cache
def sound(name: str) -> tuple[StreamInfo, tuple[Packet, ...]] | None:
    """A quarter of a second of a tone by an encoder; None where it is none that can be used or decoded here."""
    for rate, layout in ((48000, "stereo"), (8000, "mono"), (16000, "mono"), (44100, "stereo")):
        encoder: Any = av.CodecContext.create(name, "w")
        encoder.sample_rate, encoder.layout, encoder.time_base = rate, layout, Fraction(1, rate)
        encoder.options = {"strict": "experimental"}
        encoder.format = (encoder.codec.audio_formats or [av.AudioFormat("s16")])[0].name
        packets = []
        try:
            encoder.open()
            av.Codec(encoder.codec.canonical_name, "r")
            samples, kind = tone(rate, 0.25, layout), encoder.format.name
            scale = {"u8": 100, "s1": 2**15, "s3": 2**31}.get(kind[:2], 1)
            samples = (samples * scale + (128 if kind[:2] == "u8" else 0)).astype(DTYPES[kind[:2]])
            block = encoder.frame_size or 960
            for start in range(0, samples.shape[1] - block + 1, block):
                part = samples[:, start : start + block]
                data = part if kind.endswith("p") else part.T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), kind, layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                packets += encoder.encode(frame)
            packets += encoder.encode(None)
        except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, ValueError, KeyError):
            continue
        if packets:
            info = StreamInfo(
                StreamKind.AUDIO, encoder.codec.canonical_name, Fraction(1, rate), sample_rate=rate,
                channel_layout=layout, sample_format=kind, frame_size=encoder.frame_size,
                bit_rate=encoder.bit_rate or 0, extradata=encoder.extradata or b"",
            )  # fmt: skip
            return info, tuple(Packet(0, bytes(one), one.pts, one.pts, one.duration or 0) for one in packets)
    return None


def written(format: str, info: StreamInfo, packets: tuple[Packet, ...]) -> tuple[bytes, list[str]]:
    """A file of one picture and a copied stream, and the writer's warnings."""
    file = io.BytesIO()
    video = VideoInfo(64, 48, Fraction(1, 25), Fraction(25), streams=(info,))
    codec = "libvpx-vp9" if format == "webm" else "mpeg4"
    with VideoWriter(file, video, codec, {}, format) as writer:
        writer.write(Frame(picture(64, 48, 0), 0, 1))
        for packet in packets:
            writer.write_packet(packet)
    return file.getvalue(), writer.warnings()


@pytest.mark.parametrize("format", formats.FORMATS)
def test_sound_that_a_format_holds_comes_back_and_other_is_said(format: str) -> None:
    held, refused = set(), set()
    for name in encoders():
        made = sound(name)
        if made is None:
            continue
        info, packets = made
        data, warnings = written(format, info, packets)
        if formats.refusal(format, info) is not None:
            refused.add(info.codec)
            assert len(warnings) == 1, name
            assert f"audio stream 0 ({info.codec}) is not kept: {format} cannot hold {info.codec}" in warnings[0]
            continue
        assert not warnings, name
        held.add(info.codec)
        with av.open(io.BytesIO(data)) as file:
            assert file.streams.audio[0].codec_context.codec.canonical_name in (info.codec, "mp3"), name  # MP4: mp2
            read = b"".join(bytes(packet) for packet in file.demux(audio=0) if packet.size)
            assert read == b"".join(packet.data for packet in packets), name
        with av.open(io.BytesIO(data)) as file:
            assert sum(frame.samples for frame in file.decode(audio=0)) >= info.sample_rate // 10, name
    assert held >= KNOWN[format]
    assert refused >= {"wmav2", "adpcm_ms"}


@pytest.mark.parametrize("codec", ["wmav2", "adpcm_ms", "wmav1", "adpcm_ima_wav"])
def test_what_the_table_calls_unreadable_is_written_by_ffmpeg_and_not_read(codec: str) -> None:
    made = sound(codec)
    assert made is not None
    info, packets = made
    assert not formats.holders(info)
    with av.open(file := io.BytesIO(), "w", format="matroska") as out:
        stream = copied.add(out, info)
        out.start_encoding()
        for packet in packets:
            out.mux(copied.to_av(packet, info, stream))
        out.close()
    with pytest.raises(av.error.FFmpegError), av.open(io.BytesIO(file.getvalue())) as again:
        assert list(again.decode(audio=0))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("form", ["mov_text", "subrip", "ass", "webvtt"])
def test_text_subtitles_come_back_in_every_format(tmp_path: Path, form: str, suffix: str) -> None:
    plain = make_clip(tmp_path / "a.mkv", subtitles=True, count=25)
    with VideoReader(plain) as reader:
        (info,), items = reader.info.streams, list(reader.items())
    converter = TextConverter(info, form)
    packets = tuple(converter.convert(item) for item in items if isinstance(item, Packet))
    data, warnings = written(suffix, converter.info, packets)
    assert not warnings
    with av.open(io.BytesIO(data)) as file:
        (stream,) = file.streams.subtitles
        context: Any = stream.codec_context
        assert (stream.metadata.get("language") == "eng") or suffix == "mov"
        shown = [
            (float(packet.pts * packet.time_base), context.decode2(packet))
            for packet in file.demux(stream)
            if packet.size
        ]
    texts = [(time, text[0].ass.decode().rpartition(",")[2]) for time, text in shown if text]
    assert texts == [(pytest.approx(0.1), "First line"), (pytest.approx(0.6), "Second line")]


def test_packets_that_are_refused_do_not_cost_the_output() -> None:
    info = StreamInfo(
        StreamKind.AUDIO, "aac", Fraction(1, 48000), sample_rate=48000, channel_layout="stereo", sample_format="fltp"
    )
    bad = Packet(0, b"\xff\xf1\x00", 0, 0, 1024)
    for format in ("mp4", "mov", "mkv"):
        data, warnings = written(format, info, (bad,) * 3)
        assert len(warnings) == 1
        assert f"audio stream 0 (aac) is not kept: {format} cannot hold aac (Invalid data" in warnings[0]
        with av.open(io.BytesIO(data)) as file:
            assert len(list(file.decode(video=0))) == 1
    made = sound("aac")
    assert made is not None
    for packets, why in (((bad, *made[1]), "mp4 cannot hold aac"), ((*made[1], bad), "mp4 cannot hold them")):
        _, warnings = written("mp4", replace(made[0], extradata=b""), tuple(map(adts, packets)))
        assert warnings == [
            f"1 packets of audio stream 0 (aac) are not kept: {why} (Invalid data found when processing input)"
        ]
    odd = sound("pcm_s16le")
    assert odd is not None
    short = [(one, replace(one, data=b"\0", pts=one.pts + 1, dts=one.pts + 1)) for one in odd[1] if one.pts is not None]
    data, warnings = written("mov", odd[0], tuple(packet for pair in short for packet in pair))
    assert sum(int(line.split()[0]) for line in warnings) == len(odd[1])
    with av.open(io.BytesIO(data)) as file:
        assert len(list(file.decode(video=0))) == 1


def adts(packet: Packet) -> Packet:
    """The packet of AAC, 48 kHz stereo, with the header that it has in MPEG-TS."""
    if packet.data.startswith(b"\xff\xf1"):
        return packet
    size = len(packet.data) + 7
    header = bytes([0xFF, 0xF1, 0x4C, 0x80 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 0x1F, 0xFC])
    return replace(packet, data=header + packet.data)


def test_streams_that_some_formats_hold_are_said_when_reading(tmp_path: Path) -> None:
    for source, streams, said in (
        (make_clip(tmp_path / "a.mkv", attachment=b"font", subtitles=True), 2, "1 attachment is kept in mkv only"),
        (make_clip(tmp_path / "a.mov", audio=("pcm_alaw",)), 1, "stream 1 (pcm_alaw) is kept in mov and mkv only"),
    ):
        with VideoReader(source) as reader:
            assert [line for line in reader.warnings() if "kept" in line] == [said]
            assert len(reader.info.streams) == streams
    with av.open(str(tmp_path / "b.asf"), "w") as out:
        video: Any = out.add_stream("mpeg4", rate=25, width=64, height=48)
        video.codec_context.time_base = Fraction(1, 25)
        track: Any = out.add_stream("wmav2", rate=44100, bit_rate=128_000)
        for packet in encoded_frames(video, [picture(64, 48, 0)], [0]) + encoded_tone(track, 0.3):
            out.mux(packet)
    with VideoReader(tmp_path / "b.asf") as reader:
        assert not reader.info.streams
        said = "stream 1 (wmav2) is not kept: none of mp4, mov, mkv, webm can hold it as it is"
        assert said in reader.warnings()


@pytest.mark.parametrize("format", ["mp4", "mov"])
def test_metadata_has_its_usual_atoms(tmp_path: Path, format: str) -> None:
    values = dict.fromkeys(formats.ATOMS[format], "1")
    values |= {"creation_time": "2024-05-06T07:08:09.000000Z", "location": "+48.2082+016.3738/", "date": "2024"}
    with VideoWriter(tmp_path / f"a.{format}", VideoInfo(64, 48, Fraction(1, 25), metadata=values)) as writer:
        writer.write(Frame(picture(64, 48, 0), 0, 1))
    assert not writer.warnings()
    with av.open(str(tmp_path / f"a.{format}")) as file:
        assert {key: file.metadata.get(key) for key in values} == values
    data = (tmp_path / f"a.{format}").read_bytes()
    assert b"mdta" not in data
    assert b"\xa9nam" in data


@pytest.mark.parametrize(
    ("codec", "suffix", "pixels"),
    [("prores_ks", "mov", "yuv422p10le"), ("dnxhd", "mov", "yuv422p"), ("mjpeg", "mov", "yuvj420p"),
     ("ffv1", "mkv", "yuv420p"), ("png", "mov", "rgb24"),
     ("libx265", "mp4", "yuv420p"), ("libx264rgb", "mkv", "rgb24")],
)  # fmt: skip
def test_encoders_get_pixels_that_they_take(tmp_path: Path, codec: str, suffix: str, pixels: str) -> None:
    size = (1920, 1080) if codec == "dnxhd" else (64, 48)
    options = {"b": "120M"} if codec == "dnxhd" else {"x265-params": "log-level=none"} if codec == "libx265" else {}
    target = tmp_path / f"a.{suffix}"
    with VideoWriter(target, VideoInfo(*size, Fraction(1, 25), Fraction(25)), codec, options) as writer:
        writer.write(Frame(picture(*size, 0), 0, 1))
    assert formats.pixel_format(codec, *size) == pixels
    with av.open(str(target)) as file:
        tag = file.streams.video[0].codec_context.codec_tag
        (frame,) = file.decode(video=0)
    assert tag == "hvc1" or codec != "libx265"
    assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - picture(*size, 0)).mean() < 6


def test_an_encoder_without_colours_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        VideoWriter(tmp_path / "a.mkv", INFO, "gif")
    with pytest.raises(ValueError, match="takes none of the pixel formats"):
        formats.pixel_format("gif", 64, 48)


MATRICES = {
    (1, 0, 0, 1): lambda rgb: rgb, (0, 1, -1, 0): lambda rgb: np.rot90(rgb, 3),
    (-1, 0, 0, -1): lambda rgb: np.rot90(rgb, 2),
    (0, -1, 1, 0): np.rot90, (-1, 0, 0, 1): np.fliplr, (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda rgb: rgb.swapaxes(0, 1), (0, -1, -1, 0): lambda rgb: np.rot90(rgb, 2).swapaxes(0, 1),
}  # fmt: skip


@pytest.mark.parametrize("signs", MATRICES, ids=str)
def test_pictures_without_tags_are_turned_as_they_are_shown(tmp_path: Path, signs: tuple[int, ...]) -> None:
    a, b, c, d = (sign << 16 for sign in signs)
    info = VideoInfo(64, 48, Fraction(1, 25), Fraction(25), Fraction(4, 3), (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    expected = MATRICES[signs](picture(64, 48, 1))
    for name in ("a.y4m", "p%d.png"):
        with VideoWriter(tmp_path / name, info) as writer:
            writer.write(Frame(picture(64, 48, 1), 0, 1))
        assert not writer.warnings()
        with VideoReader(tmp_path / name) as reader:
            (frame,) = list(reader)
            assert reader.info.sample_aspect_ratio == (Fraction(4, 3) if signs[0] else Fraction(3, 4))
        assert frame.rgb.shape == expected.shape
        assert np.abs(frame.rgb.astype(int) - expected).mean() < 3


def test_a_turn_by_other_angles_is_said(tmp_path: Path) -> None:
    matrix = (46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)
    with VideoWriter(tmp_path / "a.y4m", VideoInfo(64, 48, Fraction(1, 25), display_matrix=matrix)) as writer:
        writer.write(Frame(picture(64, 48, 1), 0, 1))
    assert writer.warnings() == ["the rotation is not by quarters of a turn and is not kept"]


def test_subtitle_pictures_and_attachments_only_in_matroska() -> None:
    info = StreamInfo(StreamKind.SUBTITLE, "hdmv_pgs_subtitle", Fraction(1, 1000))
    assert formats.holders(info) == ("mkv",)
    assert formats.holders(StreamInfo(StreamKind.ATTACHMENT, "none", Fraction(1), extradata=b"x")) == ("mkv",)
    assert formats.where_kept([("stream 2", info), ("stream 3", info)]) == ["stream 2, stream 3 are kept in mkv only"]
