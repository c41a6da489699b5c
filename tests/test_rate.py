"""Target sizes and rates of the whole file, container and sound included, on a clip of ten seconds."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from conftest import Run, scene, write_clip


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds at 5 frames/s: a still part and a busy one, with sound."""
    pictures = [*scene(1) * 40, *[scene(1, seed=i)[0] for i in range(10)]]
    folder = tmp_path_factory.mktemp("rate")
    return write_clip(folder / "clip.mp4", pictures, time_base=Fraction(1, 5), rate=5, sound=True)


@pytest.mark.parametrize("size", ["1400", "1.6kB"])
def test_a_target_size_is_met(size: str, uneven: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.nvc"
    run = ncodec("encode", uneven, target, "--model", tiny_model, "--target-size", size, "--no-audio")
    assert run.returncode == 0, run.stderr
    wanted = 1600 if "k" in size else int(size)
    assert 0.97 * wanted <= target.stat().st_size <= 1.01 * wanted
    facts = json.loads(ncodec("info", target, "--json").stdout)
    assert facts["frames"] == 50
    assert len(set(facts["quality"])) == 2  # not flat, and far from it at these sizes
    assert ncodec("verify", target, "--model", tiny_model).returncode == 0


def test_a_target_rate_counts_the_sound(uneven: Path, ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    run = ncodec("encode", uneven, tmp_path / "out.nvc", "--model", tiny_model, "--target-kbps", "50.5")
    assert run.returncode == 0, run.stderr
    facts = json.loads(ncodec("info", tmp_path / "out.nvc", "--json").stdout)
    assert facts["bytes_by_kind"]["audio"] > 50_000
    assert 0.97 * 50.5 <= facts["kbps"] <= 1.01 * 50.5


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--target-size", "300", "--no-audio"], 12, "the smallest file, at quality 0, has "),
        (["--target-kbps", "90"], 12, "the largest file, at quality 63, has "),
        (["--target-size", "5MB", "-q", "3"], 2, "only one of"),
        (["--target-size", "5MB", "--target-kbps", "3"], 2, "only one of"),
        (["--target-size", "five"], 2, "is no size"),
    ],
)
def test_targets_out_of_reach_leave_nothing(
    options: list[str], code: int, message: str, uneven: Path, ncodec: Run, tiny_model: Path, tmp_path: Path
) -> None:
    run = ncodec("encode", uneven, tmp_path / "out.nvc", "--model", tiny_model, *options)
    assert run.returncode == code, run.stderr
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []
