"""decode --start, --end and --frames: exactly the frames of a full decode, and only the chunks that hold them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import Picture, Run, scene, write_clip

from neurcodec.container import Reader, tables
from neurcodec.media import VideoReader

LOSSLESS = ("--video-codec", "ffv1", "--quiet")


def decoded(path: Path) -> tuple[list[Fraction], Picture]:
    """Times in seconds and pictures (T, H, W, 3) of a video."""
    with VideoReader(path) as reader:
        frames = list(reader)
        return [frame.pts * reader.info.time_base for frame in frames], np.stack([frame.rgb for frame in frames])


@pytest.fixture(scope="module")
def whole(coded: Path, ncodec: Run, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """The pictures of the whole file."""
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    assert ncodec("decode", coded, target, "--model", tiny_model, *LOSSLESS).returncode == 0
    return decoded(target)[1]


@pytest.mark.parametrize(
    ("options", "first", "end"),
    [
        (["--frames", "15:20"], 15, 20),
        (["--frames", ":3"], 0, 3),
        (["--frames", "29:"], 29, 30),
        (["--frames", "13:18"], 13, 18),  # one whole chunk
        (["--start", "0.5", "--end", "0:0.8"], 13, 20),
        (["--start", "0:00:01.12"], 28, 30),
    ],
)
def test_the_frames_are_those_of_a_full_decode(
    options: list[str],
    first: int,
    end: int,
    whole: Picture,
    coded: Path,
    ncodec: Run,
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    run = ncodec("decode", coded, tmp_path / "part.mkv", "--model", tiny_model, *options, *LOSSLESS)
    assert run.returncode == 0, run.stderr
    times, pictures = decoded(tmp_path / "part.mkv")
    assert np.array_equal(pictures, whole[first:end])
    assert times == [Fraction(i, 25) for i in range(end - first)]


@pytest.mark.parametrize(("start", "end", "count"), [(0.56, 0.96, 6), (0.08, 0.24, 2), (0.52, 0.72, 3)])
def test_the_sound_of_the_span_comes_along(
    start: float, end: float, count: int, coded: Path, ncodec: Run, tiny_model: Path, tmp_path: Path
) -> None:
    """Of spans that end in the last chunk, in the first, and with the second."""
    arguments = ("--start", start, "--end", end, "--model", tiny_model, *LOSSLESS)
    assert ncodec("decode", coded, tmp_path / "part.mkv", *arguments).returncode == 0
    with coded.open("rb") as file:
        reader = Reader(file)
        base = reader.streams[0].time_base
        expected = [p.data for p in reader.packets() if p.pts is not None and start <= p.pts * base < end]
    with av.open(str(tmp_path / "part.mkv")) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    assert len(expected) == count
    assert [bytes(packet) for packet in packets] == expected
    assert 0 <= float(packets[0].pts * packets[0].time_base) < 0.064


@pytest.fixture(scope="module")
def silent(ncodec: Run, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames in four chunks, no sound."""
    folder = tmp_path_factory.mktemp("silent")
    clip = write_clip(folder / "clip.mkv", scene(40))
    assert ncodec("encode", clip, folder / "clip.nvc", "--model", tiny_model, "--gop", "0.4").returncode == 0
    return folder / "clip.nvc"


@pytest.mark.parametrize("index", ["there", "missing"])
def test_only_the_chunks_that_are_needed_are_read(
    index: str, silent: Path, ncodec: Run, tiny_model: Path, tmp_path: Path
) -> None:
    data = bytearray(silent.read_bytes())
    with silent.open("rb") as file:
        entries = Reader(file).index
    assert [entry.frames for entry in entries] == [10, 10, 10, 10]
    for entry in (entries[1], entries[3]):  # opening a file reads its first chunk
        data[entry.offset + 40] ^= 1
    if index == "missing":
        data[data.rindex(tables.INDX) + 12] ^= 1
    broken = tmp_path / "broken.nvc"
    broken.write_bytes(data)
    common = ("--model", tiny_model, *LOSSLESS)
    run = ncodec("decode", broken, tmp_path / "part.mkv", "--frames", "22:28", *common)
    assert run.returncode == 0, run.stderr
    assert ncodec("decode", silent, tmp_path / "whole.mkv", *common).returncode == 0
    assert np.array_equal(decoded(tmp_path / "part.mkv")[1], decoded(tmp_path / "whole.mkv")[1][22:28])
    assert ncodec("decode", broken, tmp_path / "none.mkv", *common).returncode == 6


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--frames", "30:"], 3),
        (["--start", "1.2"], 3),
        (["--frames", "4:4"], 2),
        (["--frames", "4"], 2),
        (["--start", "2", "--end", "1"], 2),
        (["--start", "-1"], 2),
        (["--start", "1", "--frames", "1:2"], 2),
    ],
)
def test_spans_without_a_frame_are_refused(
    options: list[str], code: int, coded: Path, ncodec: Run, tiny_model: Path, tmp_path: Path
) -> None:
    run = ncodec("decode", coded, tmp_path / "part.mkv", "--model", tiny_model, *options)
    assert run.returncode == code, run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []
