"""`encode --resume`: the bytes of an uninterrupted run, whatever is left of the interrupted one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import scene, write_clip

from neurcodec.codec.native import NativeCodec
from neurcodec.container import Reader
from neurcodec.errors import InputError, OutputError
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.options import EncodeOptions, Progress


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames with sound: five chunks at 0.16 s."""
    return write_clip(tmp_path_factory.mktemp("resume") / "clip.mp4", scene(20, (48, 32)), sound=True)


@pytest.fixture(scope="module")
def options(tiny_model: Path) -> EncodeOptions:
    return EncodeOptions(model=str(tiny_model), gop_seconds=Fraction(4, 25), device="cpu", threads=1, resume=True)


@pytest.fixture(scope="module")
def whole(short: Path, options: EncodeOptions) -> bytes:
    target = short.with_name("whole.nvc")
    encode_file(short, target, EncodeOptions(**{**vars(options), "resume": False}))
    return target.read_bytes()


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The frames of every chunk that is really coded."""
    calls: list[int] = []
    encode = NativeCodec.encode

    def counting(self: NativeCodec, rgb: Any, *rest: Any) -> Any:
        calls.append(len(rgb))
        return encode(self, rgb, *rest)

    monkeypatch.setattr(NativeCodec, "encode", counting)
    return calls


def chunk_offsets(path: Path) -> list[int]:
    with path.open("rb") as file:
        return [entry.offset for entry in Reader(file).index]


def test_an_interrupted_job_goes_on(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, coded: list[int]
) -> None:
    target = tmp_path / "out.nvc"

    def stop(progress: Progress) -> None:
        if progress.frames >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_file(short, target, options, stop)
    part = tmp_path / "out.nvc.part"
    assert list(tmp_path.iterdir()) == [part]
    assert whole.startswith(part.read_bytes())
    before = sum(coded)
    coded.clear()
    report = encode_file(short, target, options)
    assert target.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [target]
    assert report.frames == 20
    assert report.bytes == len(whole)
    assert 0 < sum(coded) <= 20 - before + 4  # at most the chunk that was being coded is coded again


def test_any_part_of_the_file_will_do(short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path) -> None:
    target, part = tmp_path / "out.nvc", tmp_path / "out.nvc.part"
    places = [0, 5, 12, 100, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1, len(whole)]
    for place in places:
        part.write_bytes(whole[:place])
        encode_file(short, target, EncodeOptions(**{**vars(options), "overwrite": True}))
        assert target.read_bytes() == whole, place
        assert not part.exists()
    part.write_bytes(whole + b"left by something else")
    encode_file(short, target, EncodeOptions(**{**vars(options), "overwrite": True}))
    assert target.read_bytes() == whole


def test_damage_in_the_part_costs_what_is_behind_it(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, coded: list[int]
) -> None:
    target, part = tmp_path / "out.nvc", tmp_path / "out.nvc.part"
    part.write_bytes(whole)
    third = chunk_offsets(part)[2]
    part.write_bytes(whole[: third + 20] + bytes([whole[third + 20] ^ 255]) + whole[third + 21 :])
    encode_file(short, target, options)
    assert target.read_bytes() == whole
    assert sum(coded) == 20 - 8


@pytest.mark.parametrize("change", [{"quality": 3}, {"backbone_interval": 1}, {"gop_seconds": Fraction(1, 5)},
                                    {"audio": False}])  # fmt: skip
def test_other_settings_are_refused(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, change: dict[str, Any]
) -> None:
    part = tmp_path / "out.nvc.part"
    part.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(OutputError, match=r"out\.nvc\.part: is from another input, model or setting; delete it"):
        encode_file(short, tmp_path / "out.nvc", EncodeOptions(**{**vars(options), **change}))
    assert part.read_bytes() == whole[: len(whole) * 3 // 4]


def test_detail_that_is_not_there_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    clip, target = write_clip(tmp_path / "clip.mkv", scene(8, (80, 64))), tmp_path / "out.nvc"
    options = EncodeOptions(model=str(tiny_model), gop_seconds=Fraction(4, 25), device="cpu", threads=1)
    encode_file(clip, target, options)
    target.rename(tmp_path / "out.nvc.part")
    with pytest.raises(OutputError, match="another input, model or setting"):
        encode_file(clip, target, replace(options, resume=True, detail=2))


def test_another_input_is_refused(options: EncodeOptions, whole: bytes, tmp_path: Path) -> None:
    other = write_clip(tmp_path / "other.mp4", scene(20, (48, 48)), sound=True)
    (tmp_path / "out.nvc.part").write_bytes(whole)
    with pytest.raises(OutputError, match="another input"):
        encode_file(other, tmp_path / "out.nvc", options)


def test_a_file_of_another_kind_is_left_alone(short: Path, options: EncodeOptions, tmp_path: Path) -> None:
    part = tmp_path / "out.nvc.part"
    part.write_bytes(b"somebody's notes")
    with pytest.raises(OutputError, match=r"no partial \.nvc file"):
        encode_file(short, tmp_path / "out.nvc", options)
    assert part.read_bytes() == b"somebody's notes"


def test_a_wrong_input_leaves_nothing(options: EncodeOptions, tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(InputError):
        encode_file(tmp_path / "in.mp4", tmp_path / "out.nvc", options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
