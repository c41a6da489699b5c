"""Real clips through encode and decode on the seeded tiny model: what must come back as it went in."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import ENVIRONMENT, scene, write_clip

from neurcodec.codec import device
from neurcodec.container import Gop, Reader
from neurcodec.errors import DamageError, DeviceError, ModelError
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions, Progress
from neurcodec.media import VideoReader


def there_and_back(source: Path, model: Path, suffix: str = ".mkv", **options: object) -> Path:
    """Encode and decode; returns the decoded file, which lies beside the .nvc file."""
    coded, target = source.with_suffix(".nvc"), source.with_name(f"{source.stem}-back{suffix}")
    encode_file(source, coded, EncodeOptions(model=str(model), device="cpu", **options))  # type: ignore[arg-type]
    decode_file(coded, target, DecodeOptions(model=str(model), device="cpu"))
    return target


def times(path: Path) -> list[Fraction]:
    """Presentation times of all frames, in seconds."""
    with VideoReader(path) as reader:
        return [frame.pts * reader.info.time_base for frame in reader]


def audio_hash(path: Path) -> str:
    """Of the packets of the first audio stream, with their times."""
    total = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.audio[0]):
            if packet.size:
                total.update(f"{packet.pts * packet.time_base} ".encode() + bytes(packet))
    return total.hexdigest()


@pytest.mark.parametrize("size", [(64, 48), (51, 37), (16, 16), (2, 2), (1, 1), (130, 3)])
def test_sizes(size: tuple[int, int], tiny_model: Path, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", scene(6, size), pixel_format="bgr0")
    target = there_and_back(source, tiny_model)
    with VideoReader(target) as reader:
        assert (reader.info.width, reader.info.height) == size
        assert len(list(reader)) == 6


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_is_exact(suffix: str, tiny_model: Path, tmp_path: Path) -> None:
    pts = [0, 40, 80, 81, 200, 1000, 1003, 1500, 1501, 3000]
    source = write_clip(tmp_path / "clip.mkv", scene(len(pts)), pts, Fraction(1, 1000))
    target = there_and_back(source, tiny_model, suffix)
    assert times(target) == times(source) == [Fraction(t, 1000) for t in pts]


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24), Fraction(10)])
def test_constant_frame_rate_is_exact(rate: Fraction, tiny_model: Path, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", scene(8), time_base=1 / rate, rate=rate)  # type: ignore[arg-type]
    target = there_and_back(source, tiny_model, ".mp4")
    assert times(target) == times(source) == [i / rate for i in range(8)]
    with VideoReader(source) as before, VideoReader(target) as after:
        assert after.info.frame_rate == before.info.frame_rate == rate
        assert after.info.duration == before.info.duration == pytest.approx(8 / rate, abs=1 / 1000)


def test_sound_comes_back_packet_for_packet(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(clip.read_bytes())
    assert audio_hash(there_and_back(source, tiny_model, ".mp4", gop_seconds=Fraction(1, 2))) == audio_hash(source)


def test_no_audio_leaves_the_sound_out(clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    source.write_bytes(clip.read_bytes())
    with av.open(str(there_and_back(source, tiny_model, audio=False))) as container:
        assert not container.streams.audio


def test_chunks_start_at_cuts_and_sound_lies_between_them(coded: Path) -> None:
    with coded.open("rb") as file:
        items = list(Reader(file))
    kinds = ["G" if isinstance(item, Gop) else "p" for item in items]
    assert [item.first_frame for item in items if isinstance(item, Gop)] == [0, 13, 18]
    assert "GpG" in "".join(kinds).replace("pp", "p").replace("pp", "p").replace("pp", "p")


def test_quality_rules_the_size(tiny_model: Path, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mkv", scene(8))
    sizes, errors = [], []
    for quality in (0, 20, 40, 63):
        target = there_and_back(source, tiny_model, quality=quality, overwrite=True)
        sizes.append(source.with_suffix(".nvc").stat().st_size)
        with VideoReader(source) as first, VideoReader(target) as second:
            pairs = zip(first, second, strict=True)
            errors.append(np.mean([np.square(a.rgb.astype(float) - b.rgb).mean() for a, b in pairs]))
        target.unlink()
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert errors[-1] < errors[0]


def test_no_diffusion_leaves_the_generator_out(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    pictures = {}
    for diffusion in (False, True):
        target = tmp_path / f"{diffusion}.mkv"
        options = DecodeOptions(model=str(tiny_model), diffusion=diffusion, video_codec="ffv1", device="cpu")
        report = decode_file(coded, target, options)
        assert (report.frames, report.chunks, report.lost) == (30, 3, ())
        with VideoReader(target) as reader:
            pictures[diffusion] = np.stack([frame.rgb for frame in reader])
    assert pictures[False].shape == pictures[True].shape == (30, 48, 64, 3)


def test_decoding_again_gives_the_same_pictures(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    for name in ("a.y4m", "b.y4m"):
        decode_file(coded, tmp_path / name, DecodeOptions(model=str(tiny_model), device="cpu"))
    assert (tmp_path / "a.y4m").read_bytes() == (tmp_path / "b.y4m").read_bytes()
    assert (tmp_path / "a.y4m").stat().st_size > 30 * 64 * 48 * 3 // 2


def test_pictures(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    decode_file(coded, tmp_path / "shot-%03d.png", DecodeOptions(model=str(tiny_model), device="cpu"))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"shot-{i:03d}.png" for i in range(1, 31)]


def test_progress_counts_every_frame(coded: Path, clip: Path, tiny_model: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    encode_file(clip, tmp_path / "a.nvc", EncodeOptions(model=str(tiny_model), device="cpu"), seen.append)
    assert seen[-1] == Progress(30, 30, seen[-1].bytes, pytest.approx(1.2), 2)
    assert [step.frames for step in seen] == sorted(step.frames for step in seen)
    seen.clear()
    decode_file(coded, tmp_path / "a.mp4", DecodeOptions(model=str(tiny_model), device="cpu"), seen.append)
    assert [step.frames for step in seen] == [0, 0, *range(1, 31)]  # before loading, and behind it
    assert seen[-1].total == 30


def damaged(coded: Path, target: Path, chunk: int) -> tuple[Path, range]:
    """A copy with a byte flipped in the middle of a chunk of frames, and the frames in it."""
    data = bytearray(coded.read_bytes())
    with coded.open("rb") as file:
        reader = Reader(file)
        entry = reader.index[chunk]
    data[entry.offset + 40] ^= 0x55
    target.write_bytes(data)
    return target, range(entry.first_frame, entry.first_frame + entry.frames)


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_salvage_keeps_what_is_whole(chunk: int, coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    broken, gone = damaged(coded, tmp_path / "broken.nvc", chunk)
    target = tmp_path / "rec.mkv"
    options = DecodeOptions(model=str(tiny_model), device="cpu")
    with pytest.raises(DamageError, match=r"broken\.nvc: at byte"):
        decode_file(broken, target, options)
    assert not target.exists()
    report = decode_file(broken, target, DecodeOptions(model=str(tiny_model), device="cpu", salvage=True))
    assert report.frames == 30 - len(gone)
    assert any("frames" in line for line in report.lost)
    assert times(target) == [Fraction(i, 25) for i in range(30) if i not in gone]
    whole = tmp_path / "whole.mkv"
    decode_file(coded, whole, options)
    assert audio_hash(target) == audio_hash(whole)


def test_salvage_exits_with_11(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    broken, gone = damaged(coded, tmp_path / "broken.nvc", 1)
    command = [sys.executable, "-m", "neurcodec", "decode", broken, tmp_path / "rec.mp4", "--model", tiny_model]
    run = subprocess.run([*command, "--salvage"], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert run.returncode == 11
    assert f"{len(gone)} frames" in run.stderr
    assert (tmp_path / "rec.mp4").exists()


def test_a_wrong_digest_is_damage_not_noise(coded: Path, tiny_model: Path, tmp_path: Path) -> None:
    """Substreams of one chunk under another chunk's digest, all CRCs right."""
    from dataclasses import replace

    from neurcodec.container import Writer

    forged = tmp_path / "forged.nvc"
    with coded.open("rb") as file, forged.open("wb") as out:
        reader = Reader(file)
        writer = Writer(out, reader.header, reader.model)
        for item in reader:
            if isinstance(item, Gop):
                writer.write_gop(replace(item, digest=bytes(8)) if item.first_frame else item)
        writer.close()
    assert verify_file(forged, quick=True).chunks == 3
    with pytest.raises(DamageError, match=r"forged\.nvc: the chunk of frames 13 to 17: it decodes to something else"):
        verify_file(forged, model=str(tiny_model))
    with pytest.raises(DamageError, match="it decodes to something else"):
        decode_file(forged, tmp_path / "rec.mp4", DecodeOptions(model=str(tiny_model), device="cpu"))
    report = decode_file(forged, tmp_path / "rec.mp4", DecodeOptions(model=str(tiny_model), device="cpu", salvage=True))
    assert report.frames == 13
    assert len(report.lost) == 2


def test_another_model_is_refused(coded: Path, tmp_path: Path) -> None:
    from neurcodec.training.tiny import write_tiny_model

    write_tiny_model(tmp_path / "other", seed=2)
    with pytest.raises(ModelError, match="the file needs model 'tiny' with entropy hash"):
        verify_file(coded, model=str(tmp_path / "other"))


def test_devices() -> None:
    assert device.choose("cpu").type == "cpu"
    assert device.choose("auto").type in ("cpu", "cuda")
    for name in ("cuda:99", "gpu", "cuda:-1", ""):
        with pytest.raises(DeviceError, match=f"device '{name}'"):
            device.choose(name)


def test_verify_needs_no_torch(coded: Path, tiny_model: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from neurcodec.jobs.inspection import verify_file\n"
        f"print(verify_file(Path({str(coded)!r}), model={str(tiny_model)!r}).latents)\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    done, modules = run.stdout.splitlines()
    assert done == "True"
    assert not {"torch", "av", "cv2", "diffusers"} & set(modules.split())


PEAK = """
import sys
from pathlib import Path
from neurcodec.codec import device
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
source, model, job = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
coded = source.with_suffix(".nvc")
if job == "encode":
    encode_file(source, coded, EncodeOptions(model=model, device="cpu", threads=1))
else:
    decode_file(coded, source.with_suffix(".mkv"), DecodeOptions(model=model, device="cpu", threads=1))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_length(tiny_model: Path, tmp_path: Path) -> None:
    peaks: dict[str, list[int]] = {"encode": [], "decode": []}
    for seconds in (7, 28):
        source = write_clip(tmp_path / f"{seconds}.mp4", scene(25 * seconds, (256, 144)), sound=True)
        for job, found in peaks.items():
            command = [sys.executable, "-c", PEAK, str(source), str(tiny_model), job]
            run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
            found.append(int(run.stdout.split()[-1]))
    assert peaks["encode"][1] < 1.1 * peaks["encode"][0], peaks
    assert peaks["decode"][1] < 1.1 * peaks["decode"][0], peaks
