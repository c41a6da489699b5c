"""`encode --resume`: the bytes of an uninterrupted run, whatever is left of the interrupted one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from conftest import scene, write_clip

from neurcodec.codec.layered import LayeredCodec
from neurcodec.codec.native import NativeCodec
from neurcodec.errors import DeviceError, InputError, OutputError
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.options import EncodeOptions, Progress
from neurcodec.jobs.store import SIGNATURE


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames with sound: five chunks at 0.16 s."""
    return write_clip(tmp_path_factory.mktemp("resume") / "clip.mp4", scene(20, (48, 32)), sound=True)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames that AV1 can code: three chunks."""
    return write_clip(tmp_path_factory.mktemp("resume") / "larger.mkv", scene(12, (80, 64)))


@pytest.fixture(scope="module")
def options(tiny_model: Path) -> EncodeOptions:
    return EncodeOptions(
        model=str(tiny_model), gop_seconds=Fraction(4, 25), device="cpu", threads=1, resume=True, bitexact=True
    )


@pytest.fixture(scope="module")
def whole(short: Path, options: EncodeOptions) -> bytes:
    return plain(short, short.with_name("whole.nvc"), options)


def plain(source: Path, target: Path, options: EncodeOptions) -> bytes:
    """What a job writes that nothing interrupts."""
    encode_file(source, target, replace(options, resume=False))
    return target.read_bytes()


def interrupt(source: Path, target: Path, options: EncodeOptions, frames: int = 10) -> Path:
    """Stop a job after some frames; returns what it leaves."""

    def stop(progress: Progress) -> None:
        if progress.frames >= frames:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_file(source, target, options, stop)
    part = target.with_name(f"{target.name}.part")
    assert list(target.parent.iterdir()) == [part]
    return part


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The frames of every chunk that is really coded."""
    calls: list[int] = []
    for kind in (NativeCodec, LayeredCodec):

        def counting(self: Any, pictures: Any, *rest: Any, encode: Any = kind.encode) -> Any:
            calls.append(len(pictures.pts))
            return encode(self, pictures, *rest)

        monkeypatch.setattr(kind, "encode", counting)
    return calls


def test_an_interrupted_job_goes_on(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, coded: list[int]
) -> None:
    target = tmp_path / "out.nvc"
    interrupt(short, target, options)
    before = sum(coded)
    coded.clear()
    report = encode_file(short, target, options)
    assert target.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [target]
    assert report.frames == 20
    assert report.bytes == len(whole)
    assert 0 < sum(coded) <= 20 - before + 4  # at most the chunk that was being coded is coded again


def test_any_part_of_it_will_do(short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    part = interrupt(short, target, options, 20)
    data = part.read_bytes()
    for place in (0, 5, len(SIGNATURE), len(SIGNATURE) + 9, len(data) // 2, len(data) - 1, len(data)):
        part.write_bytes(data[:place])
        encode_file(short, target, replace(options, overwrite=True))
        assert target.read_bytes() == whole, place
        assert not part.exists()
    part.write_bytes(data + b"left by something else")
    encode_file(short, target, replace(options, overwrite=True))
    assert target.read_bytes() == whole


def test_damage_costs_what_is_behind_it(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, coded: list[int]
) -> None:
    target = tmp_path / "out.nvc"
    part = interrupt(short, target, options, 20)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 255
    part.write_bytes(data)
    coded.clear()
    encode_file(short, target, options)
    assert target.read_bytes() == whole
    assert 4 <= sum(coded) < 20


@pytest.mark.parametrize(
    "change",
    [
        {"quality": 3},
        {"mini_gop": 1},
        {"gop_seconds": Fraction(1, 5)},
        {"audio": False},
        {"extensions": (("sketch", True),)},
    ],
)
def test_other_settings_write_what_they_always_write(
    short: Path, options: EncodeOptions, tmp_path: Path, change: dict[str, Any]
) -> None:
    wanted = plain(short, tmp_path / "wanted.nvc", replace(options, **change))
    (tmp_path / "wanted.nvc").unlink()
    interrupt(short, tmp_path / "out.nvc", options)
    encode_file(short, tmp_path / "out.nvc", replace(options, **change))
    assert (tmp_path / "out.nvc").read_bytes() == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"preset": "fast"}),
        ({"extensions": (("detail", 1),)}, {"extensions": (("detail", 2),)}),
        ({"mini_gop": 2}, {"mini_gop": None}),
    ],
)
def test_settings_of_the_layered_profile_count(
    larger: Path, options: EncodeOptions, tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    wanted = plain(larger, tmp_path / "wanted.nvc", replace(options, **after))
    (tmp_path / "wanted.nvc").unlink()
    interrupt(larger, tmp_path / "out.nvc", replace(options, **before), 5)
    encode_file(larger, tmp_path / "out.nvc", replace(options, **after))
    assert (tmp_path / "out.nvc").read_bytes() == wanted


def test_another_input_takes_nothing(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, coded: list[int]
) -> None:
    other = write_clip(short.with_name("other.mp4"), scene(20, (48, 32), seed=3), sound=True)
    interrupt(other, tmp_path / "out.nvc", options, 20)
    coded.clear()
    encode_file(short, tmp_path / "out.nvc", options)
    assert (tmp_path / "out.nvc").read_bytes() == whole
    assert sum(coded) == 20


def test_a_job_with_a_rate_target_goes_on(
    short: Path, options: EncodeOptions, whole: bytes, tmp_path: Path, coded: list[int]
) -> None:
    rated = replace(options, target_size=len(whole))
    wanted = plain(short, tmp_path / "wanted.nvc", rated)
    (tmp_path / "wanted.nvc").unlink()
    whole_job = sum(coded)
    coded.clear()
    interrupt(short, tmp_path / "out.nvc", rated, 20)
    coded.clear()
    encode_file(short, tmp_path / "out.nvc", rated)
    assert (tmp_path / "out.nvc").read_bytes() == wanted
    assert sum(coded) < whole_job / 2


def test_a_file_of_another_kind_is_left_alone(short: Path, options: EncodeOptions, tmp_path: Path) -> None:
    part = tmp_path / "out.nvc.part"
    part.write_bytes(b"somebody's notes")
    with pytest.raises(OutputError, match="holds no chunks of an earlier job; delete or rename it"):
        encode_file(short, tmp_path / "out.nvc", options)
    assert part.read_bytes() == b"somebody's notes"


def test_a_job_that_cannot_begin_leaves_nothing(short: Path, options: EncodeOptions, tmp_path: Path) -> None:
    with pytest.raises(DeviceError):
        encode_file(short, tmp_path / "out.nvc", replace(options, device="cuda:99"))
    assert not list(tmp_path.iterdir())


def test_the_chunks_go_when_the_target_is_there(
    short: Path, options: EncodeOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, there = tmp_path / "out.nvc.part", []
    monkeypatch.setattr("neurcodec.files.output._sync", lambda _: there.append(part.exists()))
    encode_file(short, tmp_path / "out.nvc", options)
    assert there == [True, True] and not part.exists()


def test_a_wrong_input_leaves_nothing(options: EncodeOptions, tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"no video")
    with pytest.raises(InputError):
        encode_file(tmp_path / "in.mp4", tmp_path / "out.nvc", options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
