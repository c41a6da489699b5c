"""The generator's plain body: what it is when fresh from its prior, and that nothing beside it does harm there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from neurcodec.codec.networks import load_network
from neurcodec.errors import ModelError
from neurcodec.generator.condition import Condition
from neurcodec.generator.diffusion import TIMESTEP
from neurcodec.generator.model import SHARES, Generator
from neurcodec.training.start import start_from

LAYERS, CHANNELS = 3, 8
BRANCHES = {"texture": True, "texture_map": True, "extensions": ["caption", "sketch"]}


def compact(seed: int, layers: int = LAYERS) -> dict[str, Tensor]:
    """Weights of an SRVGGNetCompact under Real-ESRGAN's names."""
    random = torch.Generator().manual_seed(seed)
    sides = [3, *[CHANNELS] * (layers + 1), 48]
    tensors = {}
    for number in range(layers + 2):
        shape = (sides[number + 1], sides[number], 3, 3)
        tensors[f"body.{2 * number}.weight"] = torch.randn(shape, generator=random) * 0.1
        tensors[f"body.{2 * number}.bias"] = torch.randn(sides[number + 1], generator=random) * 0.1
        if number <= layers:
            tensors[f"body.{2 * number + 1}.weight"] = torch.rand(CHANNELS, generator=random)
    return tensors


def enlarge(tensors: dict[str, Tensor], base: Tensor) -> Tensor:
    """What that network makes of a base (N, 3, h, w): four times as large."""
    x = base
    for number in range(LAYERS + 2):
        x = F.conv2d(x, tensors[f"body.{2 * number}.weight"], tensors[f"body.{2 * number}.bias"], padding=1)
        if number <= LAYERS:
            x = F.prelu(x, tensors[f"body.{2 * number + 1}.weight"])
    return F.pixel_shuffle(x, 4) + F.interpolate(base, scale_factor=4)


@pytest.fixture
def fresh(tmp_path: Path) -> Generator:
    """A generator with all branches, fresh from the prior."""
    torch.manual_seed(7)
    save_file(compact(1), tmp_path / "prior.safetensors")
    sizes = {"feature_channels": 4, "token_channels": 8, "embedding": 16, "heads": 2, "temporal_channels": 8}
    generator = Generator(CHANNELS, LAYERS, **sizes, **BRANCHES)
    start_from(generator, tmp_path / "prior.safetensors")
    return generator.eval()


def told(coarse: Tensor, scale: float, seed: int) -> tuple[Tensor, Tensor, Condition, Tensor, int]:
    """Random things that a generator is told of a group of frames: its arguments behind the coarse pictures."""
    random = torch.Generator().manual_seed(seed)
    n, (rows, columns) = len(coarse), (side // 8 for side in coarse.shape[2:])
    condition = Condition(
        torch.randint(0, 5, (n,), generator=random), torch.rand(n, generator=random) * 63, torch.full((n,), scale),
        torch.full((n,), 20.0), torch.rand(n, 1, rows, columns, generator=random), {
            "caption": torch.randint(1, 200, (1, 96), generator=random),
            "sketch": torch.rand(n, 1, rows, columns, generator=random),
        },
    )  # fmt: skip
    features = torch.rand(n, 4, rows, columns, generator=random)
    return torch.randn(coarse.shape, generator=random), torch.full((n,), 999), condition, features, n


def shown(generator: Generator, coarse: Tensor, scale: float, seed: int = 1) -> Tensor:
    """What a generator makes of a group of frames, told random things about them."""
    with torch.no_grad():
        x0: Tensor = generator(coarse, *told(coarse, scale, seed))[0]
    return x0


def test_at_quarter_size_it_is_its_prior(fresh: Generator) -> None:
    base = torch.rand(2, 3, 8, 12)
    assert torch.allclose(shown(fresh, F.interpolate(base, scale_factor=4), 4.0), enlarge(compact(1), base), atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "share"), [(1.0, 0), (1.5, 0.2), (2.0, 0.4), (3.0, 0.7), (3.5, 0.85), (4.0, 1.0), (7.0, 1.0)]
)
def test_it_starts_as_the_share_of_its_scale_whatever_it_is_told(fresh: Generator, scale: float, share: float) -> None:
    coarse = torch.rand(2, 3, 32, 48)
    wanted = coarse + share * (enlarge(compact(1), F.avg_pool2d(coarse, 4)) - coarse)
    for seed in (1, 2):
        assert torch.allclose(shown(fresh, coarse, scale, seed), wanted, atol=1e-5)
    assert tuple(fresh.taken.tolist()) == pytest.approx(SHARES)


def test_frames_of_different_scales_do_not_mix(fresh: Generator) -> None:
    coarse = torch.rand(2, 3, 32, 48)
    noise, timestep, condition, features, _ = told(coarse, 1.0, 1)
    mixed = condition._replace(scale=torch.tensor([1.0, 3.0]), extensions={})
    with torch.no_grad():
        x0 = fresh(coarse, noise, timestep, mixed, features)[0]
    assert torch.allclose(x0[0], coarse[0], atol=1e-6) and not torch.allclose(x0[1], coarse[1], atol=1e-2)


def test_every_branch_can_learn_from_the_first_step(fresh: Generator) -> None:
    coarse = torch.rand(2, 3, 32, 48)
    fresh(coarse, *told(coarse, 2.0, 1))[0].square().mean().backward()
    branches = [fresh.noise, fresh.features, fresh.edges, fresh.embedder.film, fresh.grains.out, fresh.attention.out,
                fresh.temporal.out]  # fmt: skip
    assert all(float(layer.weight.grad.abs().sum()) > 0 for layer in branches)
    parts = (fresh.taken, fresh.tails, fresh.tail_biases)
    assert all(float(part.grad.chunk(4)[1].abs().sum()) > 0 for part in parts)


def test_noise_of_one_frame_stands_for_all(fresh: Generator) -> None:
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.normal_(0, 0.1)
        coarse = torch.rand(2, 3, 32, 32)
        noise, *rest = told(coarse, 2.0, 1)
        assert torch.equal(fresh(coarse, noise[:1], *rest)[0], fresh(coarse, noise[:1].expand_as(coarse), *rest)[0])


def test_another_prior_is_refused(fresh: Generator, tmp_path: Path) -> None:
    save_file(compact(1, LAYERS + 1), tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="6 layers of 8 channels"):
        start_from(fresh, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="not found"):
        start_from(fresh, tmp_path / "none.safetensors")


def test_the_one_step_of_ddim_gives_x0() -> None:
    """Scaled-linear betas, rescaled to zero terminal SNR; from the last of 1000 steps to t = 0 (spec 8.1)."""
    betas = torch.linspace(0.0001**0.5, 0.02**0.5, 1000, dtype=torch.float64) ** 2
    signal = (1 - betas).cumprod(0).sqrt()
    signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    x0, noise = torch.rand(3, 8, 8, dtype=torch.float64) * 2 - 1, torch.randn(3, 8, 8, dtype=torch.float64)
    at, after = signal[TIMESTEP], 1.0
    x = at * x0 + (1 - at**2).sqrt() * noise
    found = (x - at * x0) / (1 - at**2).sqrt()
    assert torch.equal(x, noise)
    assert torch.equal(after * x0 + (1 - after**2) ** 0.5 * found, x0)


@pytest.mark.parametrize("change", ["config", "weights"])
def test_a_folder_that_does_not_hold_the_network_is_an_error(change: str, tmp_path: Path) -> None:
    Generator(CHANNELS, 3).save(tmp_path)
    if change == "config":
        config = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps({**config, "more": 1}))
    else:
        (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"\x08" + bytes(20))
    with pytest.raises(ModelError, match="cannot load Generator"):
        load_network(Generator, tmp_path, torch.device("cpu"))
