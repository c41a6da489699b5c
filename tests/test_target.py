"""Targets of a metric: the search, both profiles, what is said and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("torchmetrics")

from conftest import Run, scene, write_clip

import neurcodec
from neurcodec.container import Profile, Reader
from neurcodec.errors import InputError, ModelError, TargetError
from neurcodec.evaluation import scoring
from neurcodec.evaluation.lpips import CHANNELS, FEATURES_FILE, HEADS_FILE, squeezenet_features
from neurcodec.jobs.options import EncodeOptions
from neurcodec.jobs.target import search, take_samples, target_quality

CURVES: list[Callable[[float], float]] = [
    lambda q: q - 20.5,
    lambda q: 1 - np.exp((20.5 - q) / 4),
    lambda q: np.exp(q / 5) - 500,
    lambda q: 1.0 if q > 40 else -1e-9,
    lambda q: q,
    lambda q: q - 63,
    lambda q: q - 0.5,
    lambda q: -1.0,
]


@pytest.mark.parametrize("curve", CURVES)
def test_the_search_finds_the_lowest_with_few_measurements(curve: Callable[[float], float]) -> None:
    asked: set[int] = set()

    def gap(quality: int) -> float:
        asked.add(quality)
        return curve(quality)

    enough = [quality for quality in range(64) if curve(quality) >= 0]
    assert search(gap) == min(enough, default=63)
    assert len(asked) <= 11


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes, large enough for MS-SSIM."""
    frames = [*scene(6, (192, 176)), *scene(5, (192, 176), seed=4)]
    return write_clip(tmp_path_factory.mktemp("target") / "clip.mkv", frames)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Measurements are kept in the test's folder."""
    monkeypatch.setenv("NEURCODEC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "targets"


@pytest.mark.parametrize(("profile", "value"), [(Profile.NATIVE, 0.9), (Profile.LAYERED, 0.99)])
def test_the_restored_picture_meets_an_ms_ssim(
    profile: Profile, value: float, pictures: Path, tiny_model: Path, tmp_path: Path, own_cache: Path
) -> None:
    model, out = str(tiny_model), tmp_path / "out.nvc"
    report = neurcodec.encode(pictures, out, profile=profile, target_ms_ssim=value, model=model, threads=1)
    assert report.found is not None
    assert (report.found.samples, report.found.chunks) == (2, 2)
    with out.open("rb") as file, Reader(file) as reader:
        assert {gop.quality for gop in reader.gops()} == {report.found.quality}
    assert 0 < report.found.quality < 63
    with neurcodec.open(out, model=model) as video:
        restored = np.stack([frame.rgb for frame in video])
    samples, _, _ = take_samples(pictures, EncodeOptions(profile=profile))
    source = np.concatenate([sample.pictures.rgb for sample in samples])
    assert scoring.ms_ssim(source, restored) == pytest.approx(report.found.value, abs=2e-4)
    assert report.found.value >= value

    kept = next(own_cache.iterdir())
    kept.write_text(kept.read_text().replace(str(report.found.value), "0.0001"))  # from now on it is not enough
    again = neurcodec.encode(pictures, out, profile=profile, target_ms_ssim=value, model=model, overwrite=True)
    assert again.found is not None
    assert again.found.quality > report.found.quality


def test_lpips_with_its_weights(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    features = {f"features.{name}": tensor for name, tensor in squeezenet_features().state_dict().items()}
    torch.save(features, tmp_path / FEATURES_FILE)
    torch.save(
        {f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate(CHANNELS)}, tmp_path / HEADS_FILE
    )
    out, model = tmp_path / "out.nvc", str(tiny_model)
    report = neurcodec.encode(
        pictures, out, profile=Profile.LAYERED, target_lpips=1, weights=tmp_path, model=model, threads=1
    )
    assert report.found is not None
    assert report.found.quality == 0
    assert 0 < report.found.value < 1
    with pytest.raises(TargetError, match=r"LPIPS 0 is out of reach: quality 63, the highest, gives 0\.\d+ on samples"):
        options = EncodeOptions(profile=Profile.LAYERED, target_lpips=0, weights=tmp_path)
        target_quality(pictures, options, codec(tiny_model))
    with pytest.raises(ModelError, match="--weights"):
        options = EncodeOptions(target_lpips=0.5, weights=tmp_path / "cache")
        target_quality(pictures, options, codec(tiny_model))


def codec(model: Path):  # type: ignore[no-untyped-def]
    """The layered codec of a model."""
    from neurcodec.codec import networks
    from neurcodec.codec.layered import LayeredCodec
    from neurcodec.files import models

    return LayeredCodec(networks.load(models.find(str(model)), "cpu"))


def test_samples_are_spread_over_the_video(tiny_model: Path, tmp_path: Path) -> None:
    frames = [picture for i in range(11) for picture in scene(2, (64, 48)) * 5]
    path = write_clip(tmp_path / "long.mkv", frames)
    samples, chunks, header = take_samples(path, EncodeOptions(gop_seconds=EncodeOptions.gop_seconds / 25))
    assert (chunks, header.width) == (len(frames) // 5, 64)
    assert [sample.pictures.pts[0] // 200 for sample in samples] == [0, 8, 16]
    assert all(len(sample.pictures.rgb) == sample.weight == 5 for sample in samples)
    with pytest.raises(InputError, match="MS-SSIM needs at least 176x176 pixels"):
        target_quality(path, EncodeOptions(target_ms_ssim=0.9), codec(tiny_model))
    with pytest.raises(InputError, match="read more than once"):
        take_samples(Path("-"), EncodeOptions())


def test_wrong_targets(ncodec: Run, pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    for value in (-0.1, 1.1):
        with pytest.raises(ValueError, match="is no target"):
            EncodeOptions(target_lpips=value)
    with pytest.raises(ValueError, match="or one target"):
        neurcodec.encode(pictures, tmp_path / "out.nvc", target_ms_ssim=0.9, target_size=1000)
    run = ncodec("encode", pictures, tmp_path / "out.nvc", "--target-ms-ssim", 0.9, "-q", 3)
    assert (run.returncode, "only one of --quality and the --target" in run.stderr) == (2, True)
    arguments = ("encode", pictures, tmp_path / "out.nvc", "--profile", "layered", "--model", tiny_model)
    run = ncodec(*arguments, "--target-ms-ssim", 1)
    assert run.returncode == 12
    assert "MS-SSIM 1 is out of reach: quality 63, the highest, gives 0.99" in run.stderr
    assert not list(tmp_path.glob("*.nvc"))
    run = ncodec(*arguments, "--target-ms-ssim", 0.5)
    assert run.returncode == 0, run.stderr
    assert f"{tmp_path / 'out.nvc'}: quality 0 gives ms-ssim 0." in run.stderr
