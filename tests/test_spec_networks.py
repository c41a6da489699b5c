"""The networks as sections 7.3 and 8.6 of the specification say them, against those of the package."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from neurcodec.coarse.model import CoarseCodec
from neurcodec.coarse.network import WEIGHTS, Network
from neurcodec.extensions.branches import conditions
from neurcodec.generator.condition import Condition, FrameKind
from neurcodec.generator.model import Generator

MODEL = Path(__file__).parent.parent / "models" / "default"
HEIGHT, WIDTH = 80, 112
Weights = dict[str, Tensor]


def weights(part: str) -> Weights:
    return {name: value.float() for name, value in load_file(MODEL / part / WEIGHTS).items()}


def lively(network: Network, part: str) -> Weights:
    """Weights of a network of which none is 0, put into it."""
    random = torch.Generator().manual_seed(7)
    found = {name: v + 0.03 * torch.randn(v.shape, generator=random) for name, v in weights(part).items()}
    network.load_state_dict(found)
    return found


def conv(w: Weights, name: str, x: Tensor) -> Tensor:
    kernel = w[f"{name}.weight"]
    return F.conv2d(x[None], kernel, w.get(f"{name}.bias"), padding=kernel.shape[2] // 2)[0]


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def shuffle(x: Tensor, s: int) -> Tensor:
    channels, rows, columns = x.shape
    squares = x.reshape(channels // s**2, s, s, rows, columns)
    return squares.permute(0, 3, 1, 4, 2).reshape(channels // s**2, s * rows, s * columns)


def unshuffle(x: Tensor, s: int) -> Tensor:
    channels, rows, columns = x.shape
    squares = x.reshape(channels, rows // s, s, columns // s, s)
    return squares.permute(0, 2, 4, 1, 3).reshape(channels * s**2, rows // s, columns // s)


def up(x: Tensor, s: int) -> Tensor:
    return x.repeat_interleave(s, 1).repeat_interleave(s, 2)


def down(x: Tensor, s: int) -> Tensor:
    rows, columns = range(0, x.shape[1], s), range(0, x.shape[2], s)
    return torch.stack([torch.stack([x[:, y : y + s, z : z + s].mean((1, 2)) for z in columns], 1) for y in rows], 1)


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def waves(value: float) -> Tensor:
    phases = [math.pi * value * 2 ** (i / 2 - 1) for i in range(16)]
    return torch.tensor([*map(math.sin, phases), *map(math.cos, phases)])


def told(w: Weights, kind: int, quality: float, scale: float, texture: int) -> Tensor:
    """Gain and shift of four places: (4, 2, 64)."""
    moved = waves(scale / 8)
    a = torch.cat(
        [waves(0.999), waves(quality / 64) + torch.cat([moved[-1:], moved[:-1]]), w["embedder.kind.weight"][kind]]
    )
    b = silu(linear(w, "embedder.join.2", silu(linear(w, "embedder.join.0", a))))
    b = b + linear(w, "embedder.texture", waves(texture / 64)) if texture else b
    return linear(w, "embedder.film", b).reshape(4, 2, 64)


def caption_tokens(w: Weights, text: Tensor) -> Tensor:
    prefix = "attention.text"
    x = w[f"{prefix}.bytes.weight"][text].T
    for name, place in (("conv1", 0), ("conv2", w[f"{prefix}.place"])):
        x = F.conv1d(x[None], w[f"{prefix}.{name}.weight"], w[f"{prefix}.{name}.bias"], stride=2, padding=2)[0]
        x = silu(x + place)
    x = w[f"{prefix}.out.weight"][:, :, 0] @ x + w[f"{prefix}.out.bias"][:, None]
    return x.T[text[::4] != 0]


def attention(w: Weights, x: Tensor, features: Tensor, text: Tensor) -> Tensor:
    p = down(x, 4)
    buffer = F.conv2d(features[None], w["attention.buffer.0.weight"], w["attention.buffer.0.bias"], stride=2)[0]
    context = conv(w, "attention.context", down(p, 2))
    tokens = [down(silu(buffer), 4).flatten(1).T, context.flatten(1).T, caption_tokens(w, text)]
    query = linear(w, "attention.query", p.flatten(1).T)
    key, value = linear(w, "attention.key_value", torch.cat(tokens)).split(64, 1)
    heads = [
        torch.softmax(q @ k.T / 4, 1) @ v
        for q, k, v in zip(*(t.split(16, 1) for t in (query, key, value)), strict=True)
    ]
    return x + up(linear(w, "attention.out", torch.cat(heads, 1)).T.reshape(p.shape), 4)


def at_scale(values: Tensor, scale: float) -> Tensor:
    place = min(max(scale, 1), 4) - 1
    low = min(int(place), 2)
    return values[low] + (place - low) * (values[low + 1] - values[low])


def generated(w: Weights, coarse: Tensor, noise: Tensor, features: Tensor, known: Condition, buffer: Tensor) -> Tensor:
    """x0 of a group of frames: section 8.6."""
    text, sketch = known.extensions["caption"][0], known.extensions["sketch"]
    assert known.texture is not None and known.texture_map is not None
    bodies, films, grains, u = [], [], [], [unshuffle(picture, 4) for picture in coarse]
    for number, map_ in enumerate(known.texture_map):
        hidden = silu(conv(w, "grains.hidden", map_)) * (map_ > 0)
        grains.append(conv(w, "grains.out", hidden).split(64))
        x = conv(w, "head", u[number]) + conv(w, "noise", unshuffle(noise, 4)) + up(grains[number][0], 2)
        bodies.append(x + up(conv(w, "features", features[number]) + conv(w, "edges", sketch[number]), 2))
        numbers = known.kind[number], known.quality[number], known.scale[number], known.texture[number]
        films.append(told(w, *(value.item() for value in numbers)))  # type: ignore[arg-type]
    for k in range(16):
        bodies = [torch.where(x < 0, x * w["slopes"][k][:, None, None], x) for x in bodies]
        if k == 8:
            bodies = [attention(w, x, part, text) for x, part in zip(bodies, features, strict=True)]
            small = [down(x, 2) for x in bodies]
            around = zip([buffer, *small], small, [*small[1:], small[-1]], strict=False)
            fused = [conv(w, "temporal.out", silu(conv(w, "temporal.fuse", torch.cat(three)))) for three in around]
            bodies = [x + shuffle(y, 2) for x, y in zip(bodies, fused, strict=True)]
        for number, x in enumerate(bodies):
            if k % 4 == 0:
                gain, shift = (value[:, None, None] for value in films[number][k // 4])
                if k == 12:
                    gain, shift = gain + up(grains[number][1], 2), shift + up(grains[number][2], 2)
                x = x + x * gain + shift
            bodies[number] = conv(w, f"body.{k}", x)
    shown = []
    for number, x in enumerate(bodies):
        scale = known.scale[number].item()
        x = torch.where(x < 0, x * w["slopes"][16][:, None, None], x)
        tail = {
            "t.weight": at_scale(w["tails"].reshape(4, 48, 64, 3, 3), scale),
            "t.bias": at_scale(w["tail_biases"], scale),
        }
        mean = u[number].reshape(3, 16, *u[number].shape[1:]).mean(1).repeat_interleave(16, 0)
        taken = at_scale(w["taken"], scale)
        shown.append(coarse[number] + shuffle(conv(tail, "t", x) - taken * (u[number] - mean), 4))
    return torch.stack(shown)


@pytest.mark.parametrize("scale", [1.0, 2.0, 3.5])
def test_the_generator_is_what_the_specification_says(scale: float) -> None:
    network = Generator.load(MODEL / "generator")
    w, random = lively(network, "generator"), torch.Generator().manual_seed(1)
    n, rows, columns = 3, HEIGHT // 8, WIDTH // 8
    coarse, features = (
        torch.rand(n, 3, HEIGHT, WIDTH, generator=random),
        torch.rand(n, 64, rows, columns, generator=random),
    )
    noise, buffer = torch.randn(3, HEIGHT, WIDTH, generator=random), torch.rand(64, rows, columns, generator=random)
    map_ = torch.rand(n, 1, rows, columns, generator=random)
    map_[1] = 0
    edges = (torch.rand(rows, columns, generator=random) < 0.2).numpy()
    given = conditions({"caption": "A red ball", "sketch": edges}, 4, n, (HEIGHT, WIDTH), torch.device("cpu"))
    known = Condition(
        torch.tensor([FrameKind.I, FrameKind.P, FrameKind.BASE]), torch.tensor([3.0, 40.0, 63.0]),
        torch.full((n,), scale),
        torch.tensor([0.0, 17.0, 63.0]), map_, given,
    )  # fmt: skip
    with torch.inference_mode():
        time = torch.full((n,), 999)
        ours, (after,) = network(coarse, noise[None], time, known, features, n, (buffer[None],))
        wanted = generated(w, coarse, noise, features, known, buffer)
    assert torch.allclose(ours, wanted, atol=2e-4) and ours.std() > 0.01 and after.shape == (1, 64, rows, columns)


@pytest.mark.parametrize("conditional", [False, True])
def test_the_coarse_networks_are_what_the_specification_says(conditional: bool) -> None:
    codec = CoarseCodec.load(MODEL / "coarse")
    every, random = lively(codec, "coarse"), torch.Generator().manual_seed(2)
    part, network = ("inter", codec.inter) if conditional else ("intra", codec.intra)
    w = {name.removeprefix(f"{part}."): value for name, value in every.items()}
    y = torch.randint(-3, 4, (1, 128, HEIGHT // 16, WIDTH // 16), generator=random).float()
    y[:, :, 1] = 0
    p = torch.rand(1, 3, HEIGHT, WIDTH, generator=random) if conditional else torch.full((1, 3, HEIGHT, WIDTH), 0.5)
    features, quality = torch.rand(1, 64, HEIGHT // 8, WIDTH // 8, generator=random), torch.tensor([20.0])
    with torch.inference_mode():
        ours, buffer = network.synthesise(y, p, features if conditional else None, quality)
        f = network.linear(y, p, quality)[0]
        step = 400 / 255 * 2 ** (-20 / 12) / (1 if conditional else 1.5)
        d = shuffle(conv(w, "latent_in", y[0] * step), 2)
        parts = [unshuffle(f - 0.5, 8), *([unshuffle(p[0] - 0.5, 8), features[0]] if conditional else []), d]
        x, t = conv(w, "synthesis_in", torch.cat(parts)), 20 / 32 - 1
        for k in range(4):
            block = f"synthesis_blocks.{k}"
            gain = linear(w, f"{block}.gain", torch.tensor([t, t**2, t**3, t**4]))[:, None, None]
            x = x + conv(w, f"{block}.conv2", torch.relu(conv(w, f"{block}.conv1", x) * gain))
        added = shuffle(conv(w, "synthesis_out", x), 8)
        if conditional:
            added = added * up((y[0] != 0).any(0, keepdim=True).float(), 16)
    assert torch.allclose(ours[0], f + added, atol=2e-4) and torch.allclose(
        buffer[0], conv(w, "feature_out", x), atol=2e-4
    )
