"""The stages of `ncodec train` in their order, a few steps each, down to a model that codes a clip."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from neurcodec.analysis.laplacian import cell_levels, detail
from neurcodec.container.values import ColorRange
from neurcodec.errors import InputError
from neurcodec.evaluation.lpips import FEATURES_FILE, HEADS_FILE, LPIPS
from neurcodec.generator.model import Generator
from neurcodec.media.colour import BT601, Converter
from neurcodec.training import stages
from neurcodec.training.captions import Extensions
from neurcodec.training.losses import LUMA, changes, contrast_error, shifted, spectral, subsampled
from neurcodec.training.sampler import PairSampler
from tests.conftest import scene, write_clip

CLIP = "a ball rolls"


def random_weights(folder: Path) -> Path:
    """A folder of weights of LPIPS and prior that mean nothing, in the files of the real ones."""
    torch.manual_seed(0)
    model = LPIPS()
    (folder / "lpips").mkdir(parents=True)
    features = {f"features.{name}": tensor for name, tensor in model.features.state_dict().items()}
    torch.save(features, folder / "lpips" / FEATURES_FILE)
    heads = {f"lin{i}.model.1.weight": torch.rand(1, len(head), 1, 1) for i, head in enumerate(model.heads)}
    torch.save(heads, folder / "lpips" / HEADS_FILE)
    (folder / "priors").mkdir()
    shapes = {0: (64, 3, 3, 3), **{2 * number: (64, 64, 3, 3) for number in range(1, 17)}, 34: (48, 64, 3, 3)}
    prior = {f"body.{number}.weight": 0.05 * torch.randn(shape) for number, shape in shapes.items()}
    prior |= {f"body.{number}.bias": torch.zeros(shape[0]) for number, shape in shapes.items()}
    prior |= {f"body.{2 * number + 1}.weight": torch.full((64,), 0.1) for number in range(17)}
    save_file(prior, folder / "priors" / "lsdir_compact_c3_x4.safetensors")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs a stage in a folder where the stages before it have run."""
    root = tmp_path_factory.mktemp("training")
    data, weights = root / "clips", random_weights(root / "weights")
    data.mkdir()
    write_clip(data / "ball.mkv", scene(6, (176, 160)))
    (root / "SOURCES.md").write_text(f"## clips/\n\n| file | what it shows |\n|---|---|\n| ball.mkv | {CLIP} |\n")
    place = stages.Place((data,), root / "runs", weights, root / "model", "cpu", 1)

    def run(stage: str, **settings: object) -> stages.Place:
        stages.run(stage, place, {name: str(value) for name, value in settings.items()})
        return place

    return run


def test_the_loss_sees_what_the_decoder_writes() -> None:
    converter = Converter(BT601, ColorRange.LIMITED, 96)
    noise = np.random.default_rng(1).integers(-20, 21, (2, 96, 128, 3))
    frames = np.clip(np.stack(scene(2, (128, 96))) + noise, 16, 235).astype(np.uint8)
    written = np.stack([converter.to_rgb(converter.from_rgb(frame, "yuv420p")) for frame in frames])
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    seen = subsampled(pictures).clamp(0, 1).mul(255).permute(0, 2, 3, 1).numpy()
    error = np.square(seen - written).mean()
    assert error < 1.5 and error < 0.05 * np.square(frames.astype(float) - written).mean()


def log(place: stages.Place, stage: str) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((place.runs / stage / "checkpoint.json").read_text())
    return note


def test_every_stage_to_a_model(trained: Callable[..., Any], tmp_path: Path, ncodec: Callable[..., Any]) -> None:
    place = trained("pairs", frames=6, variants=2)
    index = json.loads((place.runs / "pairs" / "index.json").read_text())
    assert {entry["file"] for entry in index} == {"clips-ball.v0.npy", "clips-ball.v1.npy"}
    for entry in index:
        assert entry["frames"] == 6 and min(entry["width"], entry["height"]) >= 160
        assert {base["scale"] for base in entry["bases"]} == {1, 2} and entry["bases"][0]["bytes"] > 0
    trained("coarse", steps=1, batch=1, frames=2, size=64)
    trained("priors", steps=2, chunks=1, frames=3, size=64, batch=1)
    trained("native", frames=3, passes=1)
    trained("captions")
    assert json.loads((place.runs / "captions.json").read_text()) == {"clips-ball": CLIP}
    settings = {"batch": 2, "frames": 2, "size": 80, "native": 0.5, "captions": 1, "sketches": 1}
    trained("generator", steps=2, **settings)
    assert log(place, "generator") == {"step": 2, "skipped": 0}
    shutil.copytree(place.runs / "generator", place.runs / "kept")
    trained("generator", steps=3, **settings)
    assert log(place, "generator") == {"step": 3, "skipped": 0}
    trained("export", mean=place.runs / "kept")
    own, kept, mean = (
        Generator(**stages.BRANCHES),
        Generator(**stages.BRANCHES),
        Generator.load(place.out / "generator"),
    )
    stages.load_run(own, place.runs / "generator")
    stages.load_run(kept, place.runs / "kept")
    for weights, other, exported in zip(own.parameters(), kept.parameters(), mean.parameters(), strict=True):
        assert torch.allclose((weights + other) / 2, exported.float(), rtol=1e-2, atol=1e-4)
    assert not torch.equal(own.tails, kept.tails)
    checks = (place.runs / "generator" / "checks.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in checks] == [{"step": 0}]  # nothing is held out here
    card = (place.out / "MODEL_CARD.md").read_text()
    assert "generator/diffusion_pytorch_model.safetensors" in card and "1 clips and pictures" in card
    clip, coded = place.data[0] / "ball.mkv", tmp_path / "ball.nvc"
    for profile in ("native", "layered"):
        run = ncodec("encode", clip, coded, "--profile", profile, "--model", place.out, "-f")
        assert run.returncode == 0, run.stderr
        assert ncodec("verify", coded, "--model", place.out).returncode == 0
        run = ncodec("decode", coded, tmp_path / "ball.mkv", "--model", place.out, "-f")
        assert run.returncode == 0, run.stderr


def test_the_loss_sees_every_alignment_and_both_pictures_alike() -> None:
    random = torch.Generator().manual_seed(1)
    source = torch.arange(2 * 3 * 32 * 48).view(2, 3, 32, 48)
    corners = set()
    for _ in range(200):
        first, second = shifted(random, source, source + 1)
        assert first.shape == (2, 3, 29, 45) and torch.equal(first + 1, second)
        corners.add(divmod(int(first[0, 0, 0, 0]), 48))
    assert corners == {(top, left) for top in range(4) for left in range(4)}


def test_coloured_grain_has_a_surplus() -> None:
    random = torch.Generator().manual_seed(1)
    source = torch.full((1, 3, 160, 160), 0.5)
    grain = torch.randn(1, 3, 160, 160, generator=random).mul(0.03)
    grain = grain - (grain * grain.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    surplus, deficit = spectral(source + grain, source)
    assert float(surplus) > 0.1 and float(deficit.mean()) < 1e-3


def moving(count: int) -> np.ndarray:
    """A picture that moves 2 pixels to the right and 1 down in each frame: (count, 240, 320, 3)."""
    rng = np.random.default_rng(1)
    large = np.repeat(np.repeat(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8), 4, 0), 4, 1)
    large = cv2.GaussianBlur(large, (0, 0), 2)
    return np.stack([large[20 - t : 260 - t, 30 - 2 * t : 350 - 2 * t] for t in range(count)])


def sampler_of(folder: Path, frames: int = 5) -> PairSampler:
    """A sampler of one moving clip whose base of full size is the clip itself."""
    np.save(folder / "clip.npy", moving(frames))
    base = {"file": "clip.npy", "scale": 1, "crf": 40, "bytes": 1}
    entry = {"file": "clip.npy", "frames": frames, "height": 240, "width": 320, "bases": [base]}
    (folder / "index.json").write_text(json.dumps([entry]))
    return PairSampler({folder: 1.0}, 4, Extensions({}, 0, 0), 1.0, 1)


def test_a_clip_and_its_base_are_cropped_and_turned_alike(tmp_path: Path) -> None:
    sampler = sampler_of(tmp_path)
    for _ in range(10):
        batch = sampler.batch(2, 3, 160, torch.device("cpu"))
        assert torch.equal(batch.source, batch.coarse)
        assert batch.source.shape == (6, 3, 160, 160)
        first = (batch.source[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        levels = batch.condition.texture_map
        assert levels is not None and levels.shape == (6, 1, 20, 20)
        flat = cell_levels(detail(first[None], 1)).mean()
        assert float(levels[0].mean()) * 16 - 1 == pytest.approx(min(15, flat), abs=1.5)


def test_changes_are_taken_along_the_motion_of_the_source(tmp_path: Path) -> None:
    """Of a clip that only moves there are next to none, however it is mirrored and turned."""
    sampler = sampler_of(tmp_path)
    for _ in range(10):
        batch = sampler.batch(2, 3, 160, torch.device("cpu"))
        inner = changes(batch.source, batch.motion, 3)[..., 16:-16, 16:-16].abs().mean()
        still = changes(batch.source, torch.zeros_like(batch.motion), 3)[..., 16:-16, 16:-16].abs().mean()
        assert float(inner) < 0.3 * float(still)


def test_a_clip_shorter_than_asked_for_is_held_on_its_last_frame(tmp_path: Path) -> None:
    sampler = sampler_of(tmp_path, 2)
    sampler.look()
    clip = sampler.clip(sampler.picks[0], 4, 160)
    assert np.array_equal(clip.source[1], clip.source[3]) and not np.array_equal(clip.source[0], clip.source[1])


def test_a_regular_pattern_has_a_surplus_and_other_texture_of_the_same_power_has_little() -> None:
    random = torch.Generator().manual_seed(1)
    source, other = (torch.randn(2, 1, 160, 160, generator=random).mul(0.02).expand(-1, 3, -1, -1) for _ in range(2))
    rows, columns = torch.arange(160)[:, None], torch.arange(160)
    pattern = (0.02 * 2**0.5 * torch.cos((rows + columns) * torch.pi / 2)).expand(2, 3, -1, -1)

    def surplus(shown: torch.Tensor) -> float:
        return float(spectral(shown, source)[0])

    assert surplus(source) == 0 and surplus(source / 2) < 1e-3
    assert surplus(pattern) > 5 * surplus(other) > 0


def test_what_is_too_weak_has_a_deficit_and_what_is_lost_asks_for_nothing() -> None:
    random = torch.Generator().manual_seed(1)
    source = torch.randn(2, 1, 160, 160, generator=random).mul(0.05).expand(-1, 3, -1, -1)
    deficits = [float(spectral(source * gain, source)[1].mean()) for gain in (2, 1, 0.7, 0.4)]
    assert deficits[0] == 0 and deficits[1] < 0.05 < deficits[2] < deficits[3]
    picture = (0.02 * source).requires_grad_()
    spectral(picture, source)[1].sum().backward()
    strong = (0.5 * source).requires_grad_()
    spectral(strong, source)[1].sum().backward()
    assert picture.grad is not None and strong.grad is not None
    pull = [float((part.grad * part.detach()).sum().abs()) for part in (picture, strong)]  # of a gain in percent
    assert pull[0] < 0.1 * pull[1]


@pytest.mark.parametrize(
    ("stage", "settings", "message"),
    [
        ("generator", {"step": 3}, "--config step: unknown; this stage has .*steps"),
        ("generator", {"steps": "many"}, "--config steps=many: not a int"),
    ],
)
def test_wrong_settings(stage: str, settings: dict[str, str], message: str, trained: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=message):
        trained(stage, **settings)


def test_a_stage_needs_those_before_it(tmp_path: Path) -> None:
    place = stages.Place((), tmp_path, None, tmp_path / "model", "cpu", 1)
    for stage, message in (
        ("pairs", "needs --data"), ("captions", "needs --data"),
        ("generator", "needs --weights"),
        ("native", "no checkpoint"), ("export", "no checkpoint"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            stages.run(stage, place, {})


def test_contrasts_are_equal_or_not() -> None:
    """Blur and grain both count; a plain change of brightness hardly does."""
    random = torch.Generator().manual_seed(5)
    source = F.interpolate(torch.rand(2, 3, 24, 24, generator=random), (96, 96), mode="bilinear")
    source = source + 0.05 * torch.rand(2, 3, 96, 96, generator=random)
    soft = F.avg_pool2d(F.pad(source, (1, 1, 1, 1), mode="replicate"), 3, 1)
    grainy = source + 0.05 * torch.randn(source.shape, generator=random)
    same, brighter, blurred, noisy = (
        float(contrast_error(one, source).mean()) for one in (source, source + 0.05, soft, grainy)
    )
    assert same < 2e-3 and brighter < 5e-3 and min(blurred, noisy) > 0.05
