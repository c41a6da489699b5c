"""What `encode` makes of broken, odd and hostile inputs: the table of docs/reliability.md, each line a test."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import make_clip, picture, rewrite
from test_media_faults import damage_packets, png, raw

from neurcodec.container import Gop, Reader
from neurcodec.errors import InputError, LimitError, NcodecError
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import EncodeOptions

TABLE = (Path(__file__).parent.parent / "docs" / "reliability.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """An input and what becomes of it: an error with this text, or so many frames and a warning with this text."""

    make: Callable[[Path], Path]
    frames: range | None = None
    error: type[NcodecError] | None = None
    says: str = ""


def cut(folder: Path) -> Path:
    options = {"options": {"g": "10", "bf": "0"}, "muxing": {"movflags": "faststart"}}
    return rewrite(make_clip(folder / "in.mp4", count=50, **options), lambda data: data[: len(data) * 6 // 10])


def without_moov(folder: Path) -> Path:
    return rewrite(make_clip(folder / "in.mp4"), lambda data: data[: data.rindex(b"moov") - 4])


def resized(folder: Path) -> Path:
    path = folder / "in.h264"
    path.write_bytes(raw(path, 64, 48, 10) + raw(path, 96, 80, 10))
    return path


def no_frame(folder: Path) -> Path:
    with av.open(str(folder / "in.mkv"), "w") as out:
        stream: Any = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()
    return folder / "in.mkv"


def still(width: int, height: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        encoder: Any = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "rgb24", Fraction(1, 25)
        rgb = np.broadcast_to(picture(min(width, 64), 1, 0)[:, :1], (height, width, 3))
        packets = encoder.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"))
        (folder / "in.png").write_bytes(b"".join(map(bytes, packets + encoder.encode(None))))
        return folder / "in.png"

    return make


def sound(folder: Path) -> Path:
    with av.open(str(folder / "in.m4a"), "w", format="mp4") as out:
        stream: Any = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame) + stream.encode(None))
    return folder / "in.m4a"


def corrupt(folder: Path) -> Path:
    path = make_clip(folder / "in.mp4", width=96, height=80, count=40, options={"g": "8"})
    damage_packets(path, {9, 10, 17})
    return path


def all_corrupt(folder: Path) -> Path:
    path = make_clip(folder / "in.mp4", codec="png", pix_fmt="rgb24", count=3)
    with av.open(str(path)) as file:
        packets = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]

    def blank(data: bytes) -> bytes:
        for position, size in packets:
            data = data[:position] + bytes(size) + data[position + size :]
        return data

    return rewrite(path, blank)


def jumping(folder: Path) -> Path:
    return rewrite(make_clip(folder / "in.ts", count=20, options={"bf": "0"}), lambda data: data + data)


def without_times(folder: Path) -> Path:
    path = folder / "in.h264"
    path.write_bytes(raw(path, 64, 48, 30))
    return path


def empty(folder: Path) -> Path:
    (folder / "in.mp4").write_bytes(b"")
    return folder / "in.mp4"


def noise(folder: Path) -> Path:
    (folder / "in.mkv").write_bytes(np.random.default_rng(1).bytes(5000))
    return folder / "in.mkv"


def declared(folder: Path) -> Path:
    (folder / "in.png").write_bytes(png(30000, 30000))
    return folder / "in.png"


CASES = {
    "truncated MP4, index in front": Case(cut, frames=range(5, 50), says="of 50 pictures are there"),
    "MP4 without its index (moov)": Case(without_moov, error=InputError, says="cannot be read as media"),
    "resolution changes in mid-stream": Case(resized, error=InputError, says="changes from 64x48 to 96x80"),
    "video stream without frames": Case(no_frame, error=InputError, says="nothing to encode|cannot be read as media"),
    "one frame": Case(lambda folder: make_clip(folder / "in.mp4", count=1), frames=range(1, 2)),
    "still picture": Case(still(64, 48), frames=range(1, 2)),
    "sound only": Case(sound, error=InputError, says="holds no video stream"),
    "damaged packets": Case(corrupt, frames=range(8, 41), says="damaged"),
    "every packet damaged": Case(all_corrupt, error=InputError, says="no frame of its video stream can be decoded"),
    "timestamps that jump back": Case(jumping, frames=range(39, 41), says="jumps once"),
    "timestamps missing": Case(without_times, frames=range(30, 31), says="timestamps were missing"),
    "a million by one pixels": Case(still(1_000_000, 1), error=LimitError, says="side"),
    "one by a million pixels": Case(still(1, 1_000_000), error=LimitError, says="side"),
    "30000 x 30000 declared in 100 bytes": Case(declared, error=InputError, says="in.png"),
    "8K (7680 x 4320)": Case(still(7680, 4320), frames=range(1, 2)),
    "an empty file": Case(empty, error=InputError, says="cannot be read as media"),
    "noise": Case(noise, error=InputError, says="cannot be read as media"),
    "no file": Case(lambda folder: folder / "in.mp4", error=InputError, says="No such file"),
    "a folder": Case(lambda folder: folder, error=InputError, says="ncodec batch encode"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if "8K" in name else ()) for name in CASES])
def test_input(name: str, tmp_path: Path, tiny_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    case, target = CASES[name], tmp_path / "out.nvc"
    (tmp_path / "in").mkdir()
    options = EncodeOptions(model=str(tiny_model), device="cpu", threads=1)
    source = case.make(tmp_path / "in")
    if case.error is not None:
        with pytest.raises(case.error, match=case.says) as caught:
            encode_file(source, target, options)
        assert "\n" not in str(caught.value)
        assert not target.exists()
        return
    with caplog.at_level(logging.WARNING, logger="neurcodec"):
        report = encode_file(source, target, options)
    assert case.frames is not None
    assert report.frames in case.frames
    assert verify_file(target, model=str(tiny_model)).frames == report.frames
    assert case.says in caplog.text
    with target.open("rb") as file:
        times = [time for item in Reader(file) if isinstance(item, Gop) for time in item.pts]
    assert times == sorted(set(times))


def test_the_table_lists_these_inputs() -> None:
    block = TABLE.split("<!-- inputs -->\n")[1].split("<!-- end -->")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", block, re.MULTILINE)[1:]
    assert [name for name, _ in rows] == list(CASES)
    for name, result in rows:
        case = CASES[name]
        assert result.startswith("refused" if case.error else "coded"), name
