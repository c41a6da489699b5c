"""import neurcodec: encode, decode, open."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import Picture, scene

import neurcodec
from neurcodec.container import Profile
from neurcodec.errors import ArgumentError, DamageError, FormatError, InputError


def test_the_names_are_pinned() -> None:
    functions = "decode decode_batch decode_chunk encode encode_batch encode_chunk info open probe verify"
    types = "BatchReport Cluster DecodeReport EncodeReport ProbeReport Progress VerifyReport Video VideoFrame"
    assert set(neurcodec.__all__) == {"__version__", "errors", *functions.split(), *types.split()}
    assert all(getattr(neurcodec, name).__doc__ for name in neurcodec.__all__)
    assert (Path(neurcodec.__file__).parent / "py.typed").is_file()


def test_importing_it_is_light() -> None:
    program = "import sys, neurcodec; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "av", "cv2", "click", "tqdm"} & set(loaded)


def test_encode_and_decode(clip: Path, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    model = str(tiny_model)
    report = neurcodec.encode(clip, str(tmp_path / "a.nvc"), model=model, gop_seconds=Fraction(1, 2), bitexact=True)
    assert report.bytes == (tmp_path / "a.nvc").stat().st_size
    assert (tmp_path / "a.nvc").read_bytes() == coded.read_bytes()
    assert neurcodec.decode(coded, tmp_path / "a.mkv", model=model, diffusion=False, video_codec="ffv1").frames == 30
    with pytest.raises(TypeError, match="qualty"):
        neurcodec.encode(clip, tmp_path / "b.nvc", qualty=3)


def picture(path: Path) -> Picture:
    """The pixels of a PNG."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")  # type: ignore[no-any-return]


def test_open_gives_the_frames_of_a_decode(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    neurcodec.decode(coded, tmp_path / "%02d.png", model=str(tiny_model))
    expected = [picture(path) for path in sorted(tmp_path.glob("*.png"))]
    with neurcodec.open(coded, model=str(tiny_model)) as video:
        assert (len(video), video.info.width, video.info.height) == (30, 64, 48)
        frames = list(video)
        assert [frame.time for frame in frames] == [Fraction(i, 25) for i in range(30)]
        assert {frame.duration for frame in frames} == {Fraction(1, 25)}
        assert all(np.array_equal(frame.rgb, rgb) for frame, rgb in zip(frames, expected, strict=True))
        assert video.duration == Fraction(30, 25)
        again, other = iter(video), iter(video)
        for rgb in expected[:12]:  # two at once
            assert np.array_equal(next(again).rgb, rgb) and np.array_equal(next(other).rgb, rgb)
        assert np.array_equal(video[22].rgb, expected[22]) and np.array_equal(video[-1].rgb, expected[29])
        assert np.array_equal(next(again).rgb, expected[12])
        with pytest.raises(IndexError, match="no frame 30 in a video of 30"):
            video[30]
        video.seek(22)
        assert np.array_equal(next(iter(video)).rgb, expected[22])
        video.seek(time=0.5)
        frame = next(iter(video))
        assert (frame.time, np.array_equal(frame.rgb, expected[13])) == (Fraction(13, 25), True)
        video.seek(30)
        with pytest.raises(InputError):
            next(iter(video))
        with pytest.raises(ValueError, match="either"):
            video.seek()


def test_open_refuses_other_files(clip: Path) -> None:
    with pytest.raises(FormatError, match=r"clip\.mp4: at byte 0"):
        neurcodec.open(clip)


@pytest.mark.parametrize("profile", list(Profile))
def test_one_chunk_in_memory(profile: Profile, tiny_model: Path, tmp_path: Path) -> None:
    frames, model = np.stack(scene(9, (80, 66))), str(tiny_model)
    data = neurcodec.encode_chunk(frames, 30000 / 1001, profile=profile, quality=40, model=model)
    (tmp_path / "a.nvc").write_bytes(data)
    with neurcodec.open(tmp_path / "a.nvc", model=model) as video:
        assert video.info.frame_rate == Fraction(30000, 1001)
        expected = np.stack([frame.rgb for frame in video])
    decoded = neurcodec.decode_chunk(data, model=model)
    assert np.array_equal(decoded, expected)
    assert np.abs(decoded.astype(int) - frames).mean() < 40
    with pytest.raises(DamageError):
        neurcodec.decode_chunk(data[:-40], model=model)
    for wrong in (frames[0], frames.astype(np.float32), frames[:0]):
        with pytest.raises(InputError, match="a chunk is uint8"):
            neurcodec.encode_chunk(wrong, model=model)
    with pytest.raises(InputError):
        neurcodec.encode_chunk(frames, 0, model=model)
    with pytest.raises(ValueError, match="quality 64 is outside"):
        neurcodec.encode_chunk(frames, model=model, quality=64)


def test_several_chunks_are_a_file(coded: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match="there are 3 chunks"):
        neurcodec.decode_chunk(coded.read_bytes(), model=str(tiny_model))


def test_open_files_do_as_well_as_paths(clip: Path, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    model = str(tiny_model)
    out, rated, back = BytesIO(), BytesIO(), BytesIO()
    with clip.open("rb") as source:
        neurcodec.encode(source, out, model=model, gop_seconds=0.5, bitexact=True)
        assert out.getvalue() == coded.read_bytes()
        report = neurcodec.encode(source, rated, model=model, gop_seconds=0.5, target_size=len(out.getvalue()))
        assert report.bytes == len(rated.getvalue()) <= 1.01 * len(out.getvalue())
    out.seek(0)
    assert neurcodec.decode(out, back, model=model, frames=(3, 9), video_codec="ffv1").frames == 6
    assert back.getvalue()[:4] == b"\x1aE\xdf\xa3"  # Matroska
    assert neurcodec.info(BytesIO(out.getvalue()))["frames"] == neurcodec.info(coded)["frames"] == 30
    assert neurcodec.verify(BytesIO(out.getvalue()), model=model).chunks == 3
    with neurcodec.open(BytesIO(out.getvalue()), model=model) as video, neurcodec.open(coded, model=model) as wanted:
        assert np.array_equal(video[20].rgb, wanted[20].rgb)
        assert len(list(video)) == len(list(video)) == 30
    with pytest.raises(DamageError, match=r"^input: "):
        neurcodec.verify(BytesIO(out.getvalue()[:-3]), quick=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quality": 64}, {"quality": 3, "target_size": 9}, {"target_lpips": 2}, {"preset": "turbo"},
        {"profile": "other"},
        {"gop_seconds": 0}, {"gop_seconds": "soon"}, {"gop_seconds": float("nan")}, {"mini_gop": 5},
        {"detail": -1}, {"threads": 0}, {"workers": -2}, {"quality": "high"}, {"target_kbps": -1}, {"target_size": 0},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_before_anything_is_read(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError):
        neurcodec.encode(tmp_path / "nothing.mp4", tmp_path / "a.nvc", **wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"start": -1}, {"start": 2, "end": 1}, {"frames": (3, 3)}, {"frames": (0, 4), "end": 1}, {"crf": "low"},
     {"end": "late"}, {"frames": (0,)}, {"threads": 0}],
)  # fmt: skip
def test_wrong_arguments_of_decode(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError):
        neurcodec.decode(tmp_path / "nothing.nvc", tmp_path / "a.mp4", **wrong)


def test_threads_may_share_a_video(coded: Path, tiny_model: Path) -> None:
    with neurcodec.open(coded, model=str(tiny_model), threads=1) as video:
        expected = [frame.rgb for frame in video]
        places = [3, 29, 14, 0, 22, 13]
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda place: video[place].rgb, places))
    assert all(np.array_equal(rgb, expected[place]) for place, rgb in zip(places, found, strict=True))


def test_the_length_of_an_open_video_and_its_end(coded: Path, tiny_model: Path) -> None:
    video = neurcodec.open(coded, model=str(tiny_model), diffusion=False)
    assert (video.info.duration, video.info.frames) == (Fraction(30, 25), 30)
    frames = iter(video)
    next(frames)
    video.close()
    with pytest.raises(ArgumentError, match="nvc: the video is closed"):
        next(frames)
    with pytest.raises(ArgumentError, match="the video is closed"):
        video[0]


@pytest.mark.parametrize("frames", [[[1, 2]], [float("nan")], np.full((1, 64, 64, 3), np.nan), "frames"])
def test_a_chunk_of_something_else_is_one_line(frames: Any, tiny_model: Path) -> None:
    with pytest.raises(InputError, match=r"a chunk is .*uint8"):
        neurcodec.encode_chunk(frames, model=str(tiny_model))
    with pytest.raises(ArgumentError, match="frame_rate"):
        neurcodec.encode_chunk(np.zeros((1, 64, 64, 3), np.uint8), float("nan"), model=str(tiny_model))
