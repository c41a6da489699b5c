"""CUDA against the CPU: the same latents, pictures within the tolerance; and gpu_check as far as a CPU goes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from conftest import ENVIRONMENT, scene, write_clip

from neurcodec.coarse.codec import CoarseFrame, to_rgb
from neurcodec.codec.device import choose
from neurcodec.codec.networks import load_network
from neurcodec.container import FrameType, Profile
from neurcodec.errors import DeviceError
from neurcodec.files import models
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import noise_on, restore
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
from neurcodec.jobs.video import Video

ROOT = Path(__file__).parent.parent
TOLERANCE = 1.0  # bitstream_spec.md, section 8.4
CUDA = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device")])  # fmt: skip
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])


def decoded(path: Path, device: str, model: Path | str) -> list[np.ndarray]:
    with Video(path, DecodeOptions(model=str(model), device=device, threads=1)) as video:
        return [frame.rgb for frame in video]


@DEVICES
@pytest.mark.parametrize("profile", Profile)
def test_files_of_one_device_decode_on_the_other(
    device: str, profile: Profile, tiny_model: Path, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "in.mkv", scene(9, (96, 80)))
    pictures = {}
    for number, (one, other) in enumerate((("cpu", device), (device, "cpu"))):
        coded = tmp_path / f"{number}.nvc"
        encode_file(source, coded, EncodeOptions(profile=profile, model=str(tiny_model), device=one, threads=1))
        assert verify_file(coded, model=str(tiny_model)).frames == 9
        for place in (one, other):
            pictures[number, place] = decoded(coded, place, tiny_model)
        for here, there in zip(pictures[number, one], pictures[number, other], strict=True):
            assert ((here.astype(float) - there) ** 2).mean() ** 0.5 <= TOLERANCE


@DEVICES
def test_a_compiled_generator_makes_the_same_pictures(
    device: str, tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of full groups and of the part of one at the end, which it leaves to the generator that is not compiled."""
    source, coded = write_clip(tmp_path / "in.mkv", scene(10, (96, 80))), tmp_path / "out.nvc"
    encode_file(source, coded, EncodeOptions(model=str(tiny_model), device="cpu", threads=1))
    options = DecodeOptions(model=str(tiny_model), device=device, threads=1)
    with Video(coded, options) as video, Video(coded, replace(options, compile=True)) as compiled:
        pairs = list(zip((frame.rgb for frame in video), (frame.rgb for frame in compiled), strict=True))
    assert len(pairs) == 10
    for one, other in pairs:
        assert ((one.astype(float) - other) ** 2).mean() ** 0.5 <= TOLERANCE
    out, err = capfd.readouterr()
    assert not out and not [line for line in err.splitlines() if not line.startswith("ncodec: warning: ")]


def test_compiling_without_a_compiler_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    source, coded = write_clip(tmp_path / "in.mkv", scene(5, (96, 80))), tmp_path / "out.nvc"
    encode_file(source, coded, EncodeOptions(model=str(tiny_model), preset="fast", device="cpu", threads=1))
    command = [sys.executable, "-m", "neurcodec", "decode", coded, tmp_path / "out.mkv", "--model", tiny_model,
               "--device", "cpu", "--compile"]  # fmt: skip
    nothing = {"PATH": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    run = subprocess.run(command, env=ENVIRONMENT | nothing, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == DeviceError.exit_code
    assert run.stderr.splitlines()[-1].startswith("ncodec: error: cpu: --compile needs a C++ compiler (g++)")
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("profile", Profile)
def test_memory_that_runs_out_is_one_line(profile: Profile, tiny_model: Path, tmp_path: Path) -> None:
    source, coded = write_clip(tmp_path / "in.mkv", scene(5, (96, 80))), tmp_path / "out.nvc"
    options = EncodeOptions(profile=profile, model=str(tiny_model), device="cpu", threads=1)
    encode_file(source, coded, replace(options, preset="fast"))
    with mock.patch("neurcodec.generator.restore.terminal_noise", lambda *size: torch.empty(1 << 60)):
        noise_on.cache_clear()
        with pytest.raises(DeviceError, match="cpu: not enough memory"):
            decoded(coded, "cpu", tiny_model)
        if profile is Profile.LAYERED:  # whose encoder looks at what the generator makes
            with pytest.raises(DeviceError, match="cpu: not enough memory"):
                encode_file(source, coded, replace(options, overwrite=True))
            assert verify_file(coded, model=str(tiny_model)).frames == 5


def random_frames(device: torch.device, features: int, count: int) -> list[CoarseFrame]:
    """Smooth pictures of 60x36, padded, on a device."""
    generator = torch.Generator().manual_seed(1)
    frames = []
    for _ in range(count):
        picture = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 8, generator=generator), (48, 64), mode="bicubic")
        buffer = torch.randn(1, features, 6, 8, generator=generator)
        frames.append(CoarseFrame(FrameType.P, picture.clamp(0, 1).to(device), buffer.to(device)))
    return frames


@DEVICES
def test_restored_pictures_are_within_the_tolerance_of_float32(device: str) -> None:
    """And come in order, from full groups and a part of one, when they are fetched while the next group is computed."""
    network = load_network(Generator, models.find("default").folder / "generator", torch.device("cpu"))
    features = int(network.config.feature_channels)
    place = choose(device)
    reference = random_frames(torch.device("cpu"), features, 10)
    with mock.patch("neurcodec.generator.restore.working_type", lambda device: torch.float32):
        expected = list(restore(network, reference, 30, 36, 60))
    moved = network.to(place)
    got = list(restore(moved, random_frames(place, features, 10), 30, 36, 60))
    assert len(got) == len(expected) == 10
    assert all(picture.shape == (36, 60, 3) for picture in got)
    errors = [((one.astype(float) - other) ** 2).mean() ** 0.5 for one, other in zip(expected, got, strict=True)]
    assert max(errors) <= TOLERANCE
    for frame, picture in zip(reference, expected, strict=True):  # which differ by more from what they restore
        assert ((to_rgb(frame.picture, 36, 60).astype(float) - picture) ** 2).mean() ** 0.5 > 2 * TOLERANCE


def test_the_script_runs_on_a_cpu(tiny_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.lab.gpu_check", "--device", "cpu", "--quick", "--parts", "exactness,pixels",
               "--frames", "3", "--threads", "1", "--model", tiny_model, "--json", tmp_path / "rows.json"]  # fmt: skip
    run = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    verdicts = [line.split()[-1] for line in run.stdout.splitlines()[1:]]
    assert verdicts == ["ok"] * 6
    assert [row["right"] for row in json.loads((tmp_path / "rows.json").read_text())] == [None] + [True] * 6
