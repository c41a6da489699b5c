"""import neurcodec: encode, decode, open."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import Picture, scene

import neurcodec
from neurcodec.container import Profile
from neurcodec.errors import DamageError, FormatError, InputError


def test_the_names_are_pinned() -> None:
    assert neurcodec.__all__ == ["__version__", "decode", "decode_chunk", "encode", "encode_chunk", "open"]
    assert all(getattr(neurcodec, name).__doc__ for name in neurcodec.__all__)
    assert (Path(neurcodec.__file__).parent / "py.typed").is_file()


def test_importing_it_is_light() -> None:
    program = "import sys, neurcodec; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "av", "cv2", "click", "tqdm"} & set(loaded)


def test_encode_and_decode(clip: Path, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    model = str(tiny_model)
    report = neurcodec.encode(clip, str(tmp_path / "a.nvc"), model=model, gop_seconds=Fraction(1, 2))
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
        video.seek(22)
        assert np.array_equal(next(video).rgb, expected[22])
        video.seek(time=0.5)
        frame = next(video)
        assert (frame.time, np.array_equal(frame.rgb, expected[13])) == (Fraction(13, 25), True)
        video.seek(30)
        with pytest.raises(InputError):
            next(video)
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
    for rate, options in ((0, {}), (25, {"target_size": 5000})):
        with pytest.raises(InputError):
            neurcodec.encode_chunk(frames, rate, model=model, **options)
    with pytest.raises(ValueError, match="quality 64 is outside"):
        neurcodec.encode_chunk(frames, model=model, quality=64)


def test_several_chunks_are_a_file(coded: Path, tiny_model: Path) -> None:
    with pytest.raises(InputError, match="there are 3 chunks"):
        neurcodec.decode_chunk(coded.read_bytes(), model=str(tiny_model))
