"""Facts of a source that have no place in a file are said when encoding."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from media_clips import encoded_frames, make_clip, picture

from neurcodec.media import VideoInfo, VideoReader


def read(path: Path) -> tuple[VideoInfo, list[str]]:
    with VideoReader(path) as reader:
        assert len(list(reader)) > 0
        return reader.info, reader.warnings()


def stereo(folder: Path) -> Path:
    return make_clip(folder / "a.mp4", count=3, options={"x264-params": "frame-packing=3"})


def transparent(folder: Path) -> Path:
    path = folder / "a.webm"
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libvpx-vp9", rate=25, width=64, height=48)
        video.pix_fmt, video.codec_context.time_base = "yuva420p", Fraction(1, 25)
        video.metadata["alpha_mode"] = "1"
        for packet in encoded_frames(video, [picture(64, 48, k) for k in range(3)], range(3)):
            out.mux(packet)
    return path


def captioned(folder: Path) -> Path:
    """An H.264 stream with a caption packet (ATSC A/53) in a SEI message before every picture."""
    path = folder / "a.h264"
    with av.open(str(path), "w", format="h264") as out:
        video: Any = out.add_stream("libx264", rate=25, options={"bf": "0"}, width=64, height=48)
        video.codec_context.time_base = Fraction(1, 25)
        packets = encoded_frames(video, [picture(64, 48, k) for k in range(3)], range(3))
    message = b"\xb5\x00\x31GA94\x03" + bytes([0x40 | 2, 0xFF]) + b"\xfc\x94\x20" + b"\xfc\x48\x49" + b"\xff"
    sei = b"\x00\x00\x00\x01\x06\x04" + bytes([len(message)]) + message + b"\x80"
    path.write_bytes(
        b"".join(sei + bytes(packet) if number else bytes(packet) for number, packet in enumerate(packets))
    )
    return path


def sphere(folder: Path) -> Path:
    """An MP4 whose sample description says that it shows all directions (sv3d)."""

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + kind + data

    path = make_clip(folder / "a.mp4", count=3)
    projection = box(b"prhd", bytes(16)) + box(b"equi", bytes(20))
    added = box(b"sv3d", box(b"svhd", b"\x00\x00\x00\x00tests\x00") + box(b"proj", projection))
    data = bytearray(path.read_bytes())
    end = 0
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        start = data.index(kind, end) - 4
        size = struct.unpack_from(">I", data, start)[0]
        struct.pack_into(">I", data, start, size + len(added))
        end = start + 8 if kind != b"avc1" else start + size
    path.write_bytes(data[:end] + added + data[end:])
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (stereo, "the 3D mode is not kept"),
        (transparent, "transparency is not kept"),
        (captioned, "captions inside the video stream are not kept"),
        (sphere, "the projection of a 360 degree video is not kept"),
    ],
)
def test_it_is_said(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    assert said in read(make(tmp_path))[1]


def test_an_ordinary_file_needs_no_words(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "a.mp4", audio=("aac",), subtitles=False, colour=(1, 1, 1, 1), metadata={"title": "x"}
    )
    assert read(source)[1] == []


@pytest.mark.parametrize(
    ("orientation", "matrix"), [(1, None), (6, (0, 65536, 0, -65536, 0)), (3, (-65536, 0, 0, 0, -65536))]
)
def test_a_picture_with_exif_is_read_and_turned(
    tmp_path: Path, orientation: int, matrix: tuple[int, ...] | None
) -> None:
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture(64, 48, 1), format="rgb24").reformat(format="yuvj420p")
    plain = b"".join(bytes(packet) for packet in encoder.encode(frame) + encoder.encode(None))
    tags = b"MM\x00*\x00\x00\x00\x08\x00\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    exif = b"Exif\x00\x00" + tags
    (tmp_path / "a.jpg").write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])
    info, _ = read(tmp_path / "a.jpg")
    assert (info.width, info.height) == (64, 48)
    assert (info.display_matrix and info.display_matrix[:5]) == matrix
