"""Metrics against known answers and torchmetrics; curves and BD-rate against known answers."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

pytest.importorskip("torchmetrics")
pytest.importorskip("bjontegaard")

from torchmetrics.functional.image import lpips as reference

from neurcodec.errors import InputError, ModelError, NcodecError
from neurcodec.evaluation import curves, metrics, scoring, tae
from neurcodec.evaluation.clips import Clip
from neurcodec.evaluation.lpips import CHANNELS, FEATURES_FILE, HEADS_FILE, LPIPS, squeezenet_features

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random but plausible weights in the published file formats."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    features = {f"features.{name}": tensor for name, tensor in squeezenet_features().state_dict().items()}
    torch.save(features, folder / FEATURES_FILE)
    heads = {f"lin{i}.model.1.weight": torch.rand(1, count, 1, 1) for i, count in enumerate(CHANNELS)}
    torch.save(heads, folder / HEADS_FILE)
    torch.save({name: tensor.half() for name, tensor in tae.Encoder().state_dict().items()}, folder / tae.ENCODER_FILE)
    return folder


def clip(count: int = 6, height: int = 176, width: int = 184) -> Clip:
    rng = np.random.default_rng(5)
    texture = rng.integers(0, 256, (height // 8 + 2, width // 8 + count + 2, 3)).astype(np.float32)
    big = np.kron(texture, np.ones((8, 8, 1), np.float32))
    frames = [big[:height, 3 * i : 3 * i + width].astype(np.uint8) for i in range(count)]
    return Clip("noise", np.stack(frames), Fraction(25))


class Published(torch.nn.Module):
    """One layer of SqueezeNet 1.1 as torchvision publishes it, straight from a state dict."""

    def __init__(self, tensors: Weights, index: int) -> None:
        super().__init__()
        self.tensors, self.index = tensors, index

    def conv(self, x: Tensor, name: str, **options: int) -> Tensor:
        prefix = f"features.{self.index}{name}"
        return functional.conv2d(x, self.tensors[f"{prefix}.weight"], self.tensors[f"{prefix}.bias"], **options)

    def forward(self, x: Tensor) -> Tensor:
        if self.index == 0:
            return self.conv(x, "", stride=2)
        if self.index == 1:
            return functional.relu(x)
        if self.index in (2, 5, 8):
            return functional.max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)
        squeezed = self.conv(x, ".squeeze").relu()
        wide = self.conv(squeezed, ".expand3x3", padding=1)
        return torch.cat([self.conv(squeezed, ".expand1x1").relu(), wide.relu()], 1)


@pytest.fixture
def torchmetrics_lpips(weights: Path, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """torchmetrics' own LPIPS network, given the same weights (it would fetch the backbone from torchvision)."""
    backbone = torch.load(weights / FEATURES_FILE, weights_only=True)
    layers = [Published(backbone, index) for index in range(13)]
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda net, pretrained: layers)
    network = reference._LPIPS(net="squeeze", pretrained=False, pnet_rand=False, use_dropout=False)
    heads = torch.load(weights / HEADS_FILE, weights_only=True)
    for index, head in enumerate(network.lins):
        head.model[0].weight.data.copy_(heads[f"lin{index}.model.1.weight"])
    return network


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 97), (120, 33)])
def test_lpips_agrees_with_torchmetrics(
    weights: Path, torchmetrics_lpips: torch.nn.Module, height: int, width: int
) -> None:
    torch.manual_seed(1)
    first, second = torch.rand(3, 3, height, width), torch.rand(3, 3, height, width)
    own = LPIPS.load(weights)(first, second)
    other = torchmetrics_lpips(first, second, normalize=True).reshape(-1)
    assert own.min() > 0.01
    assert torch.allclose(own, other, atol=1e-4)


REAL = metrics.default_weights()


@pytest.mark.skipif(not list(REAL.glob(f"**/{FEATURES_FILE}")), reason="no weights in $NEURCODEC_WEIGHTS")
@pytest.mark.parametrize(("seed", "published"), [(42, 0.1005), (123, 0.1008)])
def test_lpips_gives_the_published_numbers(seed: int, published: float) -> None:
    """The values in torchmetrics' documentation for these seeds."""
    torch.manual_seed(seed)
    first, second = (torch.rand(10, 3, 100, 100) * 2 - 1 for _ in range(2))
    network = LPIPS.load(metrics.locate(REAL, FEATURES_FILE))
    assert float(network((first + 1) / 2, (second + 1) / 2).mean()) == pytest.approx(published, abs=1e-4)


def test_lpips_as_a_loss(weights: Path) -> None:
    network = LPIPS.load(weights)
    target = torch.rand(1, 3, 64, 64)
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(picture, target)
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(network(picture, target).item(), rel=0.05)
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_lpips_weights_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not found"):
        LPIPS.load(tmp_path)
    (tmp_path / FEATURES_FILE).write_bytes(b"not a state dict")
    with pytest.raises(ModelError, match="not a readable weights file"):
        LPIPS.load(tmp_path)
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / FEATURES_FILE)
    torch.save({}, tmp_path / HEADS_FILE)
    with pytest.raises(ModelError, match="do not fit"):
        LPIPS.load(tmp_path)


def test_identity_is_perfect_and_noise_is_not(weights: Path) -> None:
    source = clip()
    scorer = scoring.ClipScorer(source, metrics.load_networks(metrics.DEFAULT, weights))
    rng = np.random.default_rng(2)
    noisy = np.clip(source.frames + rng.normal(0, 25, source.frames.shape), 0, 255).astype(np.uint8)
    same, worse = scorer.score([source.frames.copy(), noisy])
    assert list(same) == list(metrics.DEFAULT)
    for name in metrics.DEFAULT:
        metric = metrics.METRICS[name]
        assert same[name] == pytest.approx(metric.perfect, abs=1e-6), name
        assert (worse[name] < same[name] - 1e-3) if metric.higher else (worse[name] > same[name] + 1e-4), name


def test_shifted_lpips_is_that_of_the_picture_without_its_first_row_and_column(weights: Path) -> None:
    source = clip()
    lattice = source.frames.copy()
    lattice[:, ::4, ::4] ^= 32
    network = LPIPS.load(weights)
    found = scoring.perceptual(network, source.frames, [lattice])[0]
    cut = scoring.perceptual(network, source.frames[:, 1:, 1:], [lattice[:, 1:, 1:]])[0]
    assert found["lpips-shifted"] == cut["lpips"] != found["lpips"]


def test_psnr_of_a_known_error() -> None:
    source = clip(2)
    shifted = np.where(source.frames < 128, source.frames + 4, source.frames - 4).astype(np.uint8)
    assert scoring.psnr(source.frames, shifted) == pytest.approx(10 * np.log10(255**2 / 16), abs=1e-4)


def test_flicker_counts_only_the_change_of_the_error() -> None:
    still = np.repeat(clip(1).frames // 2 + 40, 4, axis=0)
    motion = scoring.Motion(still)
    assert motion.flicker(still + 6) == pytest.approx(0.0, abs=1e-3)
    blinking = still.copy()
    blinking[1::2] += 6
    assert motion.flicker(blinking) == pytest.approx(6.0, abs=1e-3)


def test_flicker_of_wide_low_pictures() -> None:
    low = np.zeros((3, 16, 640, 3), np.uint8)
    assert scoring.Motion(low).flicker(low + 5) == pytest.approx(0.0, abs=1e-3)


def test_flicker_follows_motion() -> None:
    """An error that moves with the picture does not flicker; one that stays while the picture moves does."""
    source = clip(5, 128, 160).frames // 2 + 40
    motion = scoring.Motion(source)
    pattern = np.kron(np.random.default_rng(3).integers(0, 24, (16, 24)), np.ones((8, 8))).astype(np.uint8)
    moving = np.stack([f + pattern[:128, 3 * i : 3 * i + 160, None] for i, f in enumerate(source)])
    standing = np.stack([f + pattern[:128, :160, None] for f in source])
    assert motion.flicker(moving) < 0.6 * motion.flicker(standing)


def test_frechet_distance_of_known_gaussians() -> None:
    torch.manual_seed(4)
    source = torch.randn(2, 32, 24, 24) * 3
    mean, spread = source.mean((0, 2, 3), keepdim=True), source.std((0, 2, 3), keepdim=True)
    assert tae.frechet(source, source) == pytest.approx(0, abs=1e-6)
    assert tae.frechet(source, source + 0.5 * spread) == pytest.approx(32 * 0.25, rel=1e-3)
    assert tae.frechet(source, mean + 2 * (source - mean)) == pytest.approx(32, rel=1e-3)
    assert tae.paired(source, torch.randn_like(source) * 3) == pytest.approx(2, rel=0.05)


def test_missing_weights_give_a_line_not_a_crash(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "tae").mkdir()
    (tmp_path / "tae" / tae.ENCODER_FILE).write_bytes((weights / tae.ENCODER_FILE).read_bytes())
    networks = metrics.load_networks(["lpips", "psnr", "tae"], tmp_path)
    assert networks.metrics == ["psnr", "tae"]
    assert "--weights" in networks.missing["lpips"]
    with pytest.raises(NcodecError, match="unknown metric 'vmaf'"):
        metrics.load_networks(["vmaf"], tmp_path)


@pytest.fixture
def random_alexnet(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchmetrics' LPIPS with AlexNet's layers from random weights in place of torchvision's."""
    torch.manual_seed(6)
    sizes = [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)]
    layers: list[torch.nn.Module] = []
    for index, (inputs, outputs, kernel, stride, padding) in enumerate(sizes):
        layers += [torch.nn.Conv2d(inputs, outputs, kernel, stride, padding), torch.nn.ReLU()]
        layers += [torch.nn.MaxPool2d(3, 2)] if index < 2 else []
    monkeypatch.setattr(reference, "_get_tv_model_features", lambda net, pretrained: layers)


@pytest.mark.usefixtures("random_alexnet")
def test_metrics_on_request(tmp_path: Path) -> None:
    source = clip(9, 64, 80)
    scorer = scoring.ClipScorer(source, metrics.load_networks(["lpips-alex"], tmp_path))
    same, worse = scorer.score([source.frames, source.frames[:, ::-1].copy()])
    assert same == {"lpips-alex": pytest.approx(0, abs=1e-7)}
    assert worse["lpips-alex"] > 0.001


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
def test_metrics_on_request_without_torchvision(tmp_path: Path) -> None:
    networks = metrics.load_networks(["psnr", "lpips-alex", "dists"], tmp_path)
    assert networks.metrics == ["psnr"]
    assert networks.missing == {
        "lpips-alex": "lpips-alex needs torchvision, which is not installed",
        "dists": "dists needs torchvision, which is not installed",
    }


def test_small_pictures_have_no_ms_ssim_and_wrong_counts_are_refused(weights: Path) -> None:
    source = clip(3, 64, 80)
    scorer = scoring.ClipScorer(source, metrics.load_networks(["psnr", "ms-ssim"], weights))
    assert scorer.score([source.frames])[0] == {"psnr": metrics.DB_CAP, "ms-ssim": None}
    with pytest.raises(InputError, match=r"decoded to \(2, 64, 80, 3\)"):
        scorer.score([source.frames[:2]])


@pytest.mark.parametrize("count", [1, 2, 9, 30, 96, 150, 1000])
def test_samples_favour_no_frame_type(count: int) -> None:
    indexes = scoring.sampled(count, 14)
    assert indexes[0] == 0 and indexes[-1] < count
    steps = set(np.diff(indexes))
    assert len(steps) <= 1 and all(step % 2 and step % 3 for step in steps)
    assert len(indexes) <= 28


POINTS = [(1000.0, 25.0), (2000.0, 28.0), (4000.0, 30.5), (8000.0, 32.0)]


@pytest.mark.parametrize("sign", [1.0, -0.01])
def test_bd_rate_known_answers(sign: float) -> None:
    """Against itself 0, at 90 % of the bytes -10 %; the same for a metric where less is better."""
    curve = [(size, sign * quality) for size, quality in POINTS] if sign > 0 else [(s, -1 / q) for s, q in POINTS]
    cheaper = [(0.9 * size, quality) for size, quality in curve]
    assert curves.bd_rate(curve, curve) == pytest.approx(0, abs=1e-6)
    assert curves.bd_rate(curve, cheaper) == pytest.approx(-10, abs=0.1)


def test_no_overlap_is_said() -> None:
    better = [(size, quality + 20) for size, quality in POINTS]
    assert curves.bd_rate(POINTS, better) is None
    assert curves.bd_rate(POINTS, POINTS[:1]) is None
    assert curves.quality_at(POINTS, 999) is None
    assert curves.quality_at(POINTS, 4000) == pytest.approx(30.5)


def test_envelopes() -> None:
    points = [(1.0, 0.0), (2.0, 0.5), (2.5, 0.4), (3.0, 2.0), (4.0, 1.9), (5.0, 3.0)]
    assert curves.pareto(points) == [(1.0, 0.0), (2.0, 0.5), (3.0, 2.0), (5.0, 3.0)]
    assert curves.hull(points) == [(1.0, 0.0), (3.0, 2.0), (5.0, 3.0)]
    assert curves.hull(points[:1]) == points[:1]
