"""Codecs are values: threads share one, options are arguments, and what one job sets another does not see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Run, scene, write_clip

import neurcodec
from neurcodec.analysis import laplacian, mini_gop
from neurcodec.codec import symbols
from neurcodec.container import Gop, Header, Reader, Substream, Writer
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import temporal_units
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.errors import DamageError
from neurcodec.files.frame_range import FrameRange
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions

QUICK = {"gop_seconds": Fraction(1, 5), "device": "cpu", "bitexact": True}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen frames, with sound: three chunks at 0.2 s."""
    return write_clip(tmp_path_factory.mktemp("values") / "clip.mp4", scene(15, (96, 64)), sound=True)


@pytest.fixture(scope="module")
def options(tiny_model: Path) -> EncodeOptions:
    return EncodeOptions(model=str(tiny_model), threads=1, **QUICK)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def coded(source: Path, options: EncodeOptions) -> Path:
    target = source.with_name("coded.nvc")
    encode_file(source, target, options)
    return target


@pytest.fixture(scope="module")
def broken(coded: Path) -> Path:
    """The same with temporal units in the second chunk that start well and do not decode."""
    target = coded.with_name("broken.nvc")
    with coded.open("rb") as file, Reader(file) as reader, target.open("wb") as out:
        writer = Writer(out, reader.header, reader.model)
        for stream in reader.streams.values():
            writer.write_stream(stream)
        number = 0
        for item in reader:
            if not isinstance(item, Gop):
                writer.write_packets([item])
                continue
            writer.write_gop(spoilt(item, reader.header) if number == 1 else item)
            number += 1
        writer.close()
    return target


def spoilt(gop: Gop, header: Header) -> Gop:
    """A chunk whose second temporal unit is noise, with the digest of that."""
    first, second, *rest = temporal_units.decode(gop)
    noise = b"\x32" + pack_uvar(len(second)) + np.random.default_rng(1).bytes(len(second))
    units = [first, noise, *rest]
    changed = replace(gop, substreams={**gop.substreams, Substream.BASE: temporal_units.encode(units)})
    told = symbols.read_conditioning(gop.substreams, header.height, header.width, layered=True)
    latents = [FrameLatents(kind) for kind in gop.frame_types]
    return replace(changed, digest=symbols.digest(changed, latents, told, units))


def test_threads_with_other_options_write_the_bytes_of_processes(source: Path, tiny_model: Path, tmp_path: Path,
                                                                 ncodec: Run) -> None:  # fmt: skip
    cases: list[dict[str, Any]] = [
        {"quality": 50, "caption": "a ball"}, {"quality": 10, "detail": 2}, {"quality": 30, "preset": "fast"},
        {"quality": 40, "sketch": True},
    ]  # fmt: skip
    for number, case in enumerate(cases):
        flags = [part for name, value in case.items() for part in (f"--{name}", *([] if value is True else [value]))]
        arguments = (
            "encode",
            source,
            tmp_path / f"{number}.nvc",
            *flags,
            "--gop",
            "0.2",
            "--bitexact",
            "--model",
            tiny_model,
        )
        assert ncodec(*arguments, "--threads", "1", "--device", "cpu").returncode == 0

    def encode(number: int) -> bytes:
        target = tmp_path / f"thread-{number}.nvc"
        neurcodec.encode(source, target, model=str(tiny_model), threads=1, **QUICK, **cases[number])
        return target.read_bytes()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encode, range(len(cases))))
    assert found == [(tmp_path / f"{number}.nvc").read_bytes() for number in range(len(cases))]


def test_threads_and_tf32_are_as_they_were_after_a_job(coded: Path, source: Path, tiny_model: Path,
                                                       tmp_path: Path) -> None:  # fmt: skip
    before, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(2)
    torch.backends.cudnn.allow_tf32 = True
    try:
        neurcodec.encode(source, tmp_path / "a.nvc", model=str(tiny_model), threads=1, **QUICK)
        neurcodec.decode(coded, tmp_path / "a.mkv", model=str(tiny_model), threads=1)
        with neurcodec.open(coded, model=str(tiny_model), threads=1) as video:
            next(iter(video))
            assert torch.get_num_threads() == 2
        assert torch.get_num_threads() == 2
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.allow_tf32 = tf32


def test_salvage_goes_on_behind_a_base_that_does_not_decode(broken: Path, coded: Path, tiny_model: Path,
                                                            tmp_path: Path) -> None:  # fmt: skip
    model = str(tiny_model)
    with pytest.raises(DamageError, match="the chunk of frames 5 to 9: the AV1 base layer"):
        decode_file(broken, tmp_path / "a.mkv", DecodeOptions(model=model))
    report = decode_file(broken, tmp_path / "a.mkv", DecodeOptions(model=model, salvage=True))
    assert (report.frames, report.chunks) == (10, 2)
    assert any("frames 5 to 9: the AV1 base layer" in line for line in report.lost)
    with neurcodec.open(coded, model=model) as video:
        whole = [frame.rgb for frame in video]
    with neurcodec.open(broken, model=model, salvage=True) as video:
        left = [frame.rgb for frame in video]
    assert np.array_equal(left, whole[:5] + whole[10:])


def test_verify_finds_a_base_that_does_not_decode(broken: Path, coded: Path, tiny_model: Path) -> None:
    assert verify_file(coded, model=str(tiny_model)).chunks == 3
    with pytest.raises(DamageError, match="the chunk of frames 5 to 9: the AV1 base layer"):
        verify_file(broken, model=str(tiny_model))


def test_the_layered_profile_looks_for_no_motion_and_makes_one_map(
    source: Path, options: EncodeOptions, coded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> int:
        raise AssertionError("the layered profile has no use for it")

    monkeypatch.setattr(mini_gop, "choose", never)
    looked: list[int] = []
    detail = laplacian.detail
    monkeypatch.setattr("neurcodec.codec.layered.detail", lambda *a: looked.append(1) or detail(*a))
    decoded: list[int] = []
    decode = temporal_units.decode
    monkeypatch.setattr(temporal_units, "decode", lambda gop: decoded.append(1) or decode(gop))
    encode_file(source, tmp_path / "a.nvc", replace(options, preset="fast"))
    assert len(looked) == 6  # of three chunks: all frames for the index, and one group for the gap
    decode_file(coded, tmp_path / "a.mkv", DecodeOptions(model=options.model))
    assert len(decoded) == 3  # once a chunk


@pytest.mark.parametrize("profile", ["native", "layered"])
def test_workers_make_the_same_bytes_and_frames(
    profile: str, source: Path, tiny_model: Path, tmp_path: Path, ncodec: Run
) -> None:
    for workers in (1, 2):
        out = tmp_path / f"{workers}.nvc"
        options = ("--profile", profile, "--gop", "0.2", "--model", tiny_model, "--workers", workers, "--threads", 1)
        assert ncodec("encode", source, out, *options, "--bitexact").returncode == 0
        options = ("--model", tiny_model, "--workers", workers, "--threads", 1, "--start", "0.1", "--end", "0.5")
        assert ncodec("decode", out, out.with_suffix(".y4m"), *options).returncode == 0
    for suffix in (".nvc", ".y4m"):
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"2{suffix}").read_bytes()


def test_what_goes_wrong_in_a_worker_is_said_as_here(broken: Path, coded: Path, tiny_model: Path,
                                                     tmp_path: Path) -> None:  # fmt: skip
    options = DecodeOptions(model=str(tiny_model), workers=2, threads=1, salvage=True)
    report = decode_file(broken, tmp_path / "a.mkv", options)
    assert report.frames == 10
    with pytest.raises(DamageError, match="the chunk of frames 5 to 9: the AV1 base layer"):
        decode_file(broken, tmp_path / "b.mkv", replace(options, salvage=False))
    part = decode_file(coded, tmp_path / "c.mkv", replace(options, frame_range=FrameRange(Fraction(7), Fraction(12))))
    assert part.frames == 5
