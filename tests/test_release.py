"""The wheel installs into an empty environment; its command encodes, decodes and completes there; it has its manual."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, scene, write_clip

from neurcodec import __version__

ROOT = Path(__file__).parent.parent


def run(folder: Path, *command: object, **environment: str) -> str:
    """What a command prints that ends well, run in a folder."""
    places, env = list(map(str, command)), {**ENVIRONMENT, **environment}
    done = subprocess.run(places, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    """The packages that it needs are lent to the environment; of neurcodec it has the wheel alone."""
    run(tmp_path, sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"neurcodec-{__version__}-py3-none-any.whl"
    place = tmp_path / "env"
    venv.create(place, symlinks=True)
    run(tmp_path, sys.executable, "-m", "pip", "--python", place, "install", "--no-deps", "--no-index", wheel)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()))
    ncodec, program = place / "bin" / "ncodec", place / "bin" / "python"
    alone = {"PYTHONPATH": "", "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def there(*arguments: object) -> str:
        return run(tmp_path, *arguments, **alone)

    assert there(program, "-c", "import neurcodec; print(neurcodec.__file__)").startswith(str(packages))
    assert there(ncodec, "--version") == f"ncodec {__version__}\n"
    source = write_clip(tmp_path / "in.mp4", scene(3, (96, 80)), sound=True)
    there(ncodec, "encode", source, tmp_path / "out.nvc")
    there(ncodec, "decode", tmp_path / "out.nvc", tmp_path / "rec.mp4")
    assert "3 frames in 1 chunks" in there(ncodec, "verify", tmp_path / "out.nvc")
    assert "WRONG" not in there(ncodec, "doctor").split("torchvision")[0]

    completing = "COMP_WORDS=(ncodec enc); COMP_CWORD=1; _ncodec_completion ncodec; echo ${COMPREPLY[@]}"
    script = place / "share" / "bash-completion" / "completions" / "ncodec"
    assert there("bash", "-c", f"source {script}; {completing}") == "encode\n"
    assert (place / "share" / "man" / "man1" / "ncodec.1").is_file()
    assert {path.name for path in (place / "share").rglob("*ncodec*") if path.is_file()} == {
        "ncodec", "ncodec.1", "_ncodec", "ncodec.fish",
    }  # fmt: skip


def test_the_version_is_said_once() -> None:
    said = [path for path in ROOT.glob("neurcodec/**/*.py") if re.search(r"\b0\.1\.0\b", path.read_text())]
    assert said == [ROOT / "neurcodec" / "__init__.py"]
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
