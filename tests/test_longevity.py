"""Files outlive the weights that they were made with: what needs which model, and how models are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Run

import neurcodec
from neurcodec.errors import ModelError
from neurcodec.files import models
from neurcodec.training.tiny import write_tiny_model


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for models of one's own."""
    monkeypatch.setenv("NEURCODEC_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture(scope="module")
def files(moving: Path, tiny_model: Path) -> dict[str, Path]:
    """A file of each profile whose model is installed nowhere."""
    made = {profile: moving.with_name(f"old-{profile}.nvc") for profile in ("layered", "native")}
    for profile, path in made.items():
        neurcodec.encode(moving, path, profile=profile, model=tiny_model, quality=30, preset="fast", overwrite=True)
    return made


def test_a_layered_file_needs_no_model_without_diffusion(files: dict[str, Path], place: Path, tmp_path: Path) -> None:
    assert neurcodec.verify(files["layered"]).frames == 11
    assert neurcodec.decode(files["layered"], tmp_path / "a.mkv", diffusion=False).frames == 11
    with pytest.raises(ModelError, match="ncodec models add DIR"):
        neurcodec.decode(files["layered"], tmp_path / "b.mkv")
    with pytest.raises(ModelError, match="entropy hash"):
        neurcodec.decode(files["native"], tmp_path / "c.mkv", diffusion=False)


def test_any_generator_restores_a_layered_file_with_a_warning(
    files: dict[str, Path], place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tiny_model(tmp_path / "other", seed=2)
    report = neurcodec.decode(files["layered"], tmp_path / "a.mkv", model=tmp_path / "other", device="cpu", threads=1)
    assert report.frames == 11 and "other pixel weights" in caplog.text
    with pytest.raises(ModelError, match="is another"):
        neurcodec.decode(files["native"], tmp_path / "b.mkv", model=tmp_path / "other")


def test_a_model_that_is_added_is_found_by_its_hash(
    files: dict[str, Path], tiny_model: Path, place: Path, tmp_path: Path, ncodec: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_model, tmp_path / "some model")
    monkeypatch.setattr("conftest.ENVIRONMENT", {**__import__("conftest").ENVIRONMENT, "NEURCODEC_MODELS": str(place)})
    for _ in range(2):
        run = ncodec("models", "add", tmp_path / "some model")
        assert run.returncode == 0, run.stderr
        kept = Path(run.stdout.strip())
    assert kept.parent == place and kept.name.endswith(models.find(str(tiny_model)).weights_hash.hex()[:8])
    assert [path.name for path in place.iterdir()] == [kept.name]
    for profile, path in files.items():
        assert neurcodec.decode(path, tmp_path / f"{profile}.mkv", device="cpu", threads=1).frames == 11
    assert ncodec("models", "add", tmp_path).returncode == ModelError.exit_code
