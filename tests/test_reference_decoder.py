"""The reference decoder by itself: it stands alone, says what a file holds, and refuses in one line."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.mutate import mutate
from reference_decoder import Model, Refused, latents, read
from reference_decoder.__main__ import sides

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "tests" / "vectors"
MODEL = VECTORS / "model" / "entropy.safetensors"
MODULES = sorted((ROOT / "reference_decoder").glob("*.py"))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reference_decoder", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_shares_no_code_and_asserts_nothing(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert)
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert all(name.split(".")[0] in {*sys.stdlib_module_names, "numpy", "reference_decoder"} for name in names)


def test_it_says_what_a_file_holds() -> None:
    result = run(VECTORS / "latents" / "told.nvc", "--model", MODEL)
    digest = json.loads((VECTORS / "latents" / "digests.json").read_text())["told"][0]
    assert result.returncode == 0, result.stderr
    assert f"digest {digest}" in result.stdout
    assert "caption 'a bird on a roof, très près'" in result.stdout
    assert "6 AV1 temporal units" in run(VECTORS / "latents" / "coded.nvc").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((VECTORS / "bad" / "crc.nvc",), "damage: the CRC of the record at byte "),
        ((VECTORS / "bad" / "too_wide.nvc",), "limit: width above the limit"),
        ((VECTORS / "bad_latents" / "digest.nvc", "--model", MODEL), "damage: the digest differs"),
        ((VECTORS / "bad_latents" / "other_model.nvc", "--model", MODEL), "model: the file names another model"),
        ((VECTORS / "good" / "example.nvc", "--model", ROOT / "README.md"), "model: the model's file is not"),
        ((VECTORS / "missing.nvc",), "[Errno 2]"),
    ],
)
def test_it_refuses_in_one_line(arguments: tuple[object, ...], said: str) -> None:
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(f"reference_decoder: {said}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("size", [0, 7, 8, 100, 5000, 20000, -4])
def test_a_cut_model_is_refused(size: int) -> None:
    with pytest.raises(Refused) as refused:
        Model(MODEL.read_bytes()[:size])
    assert refused.value.kind == "model"


def test_from_python() -> None:
    content = read((VECTORS / "latents" / "chunks.nvc").read_bytes())
    model = Model(MODEL.read_bytes())
    assert [len(latents(model, content, gop)) for gop in content["gops"]] == [4, 1, 6]


def test_mutated_files_are_read_or_refused() -> None:
    chance, model, refused = random.Random(5), Model(MODEL.read_bytes()), 0
    paths = sorted(VECTORS.glob("good/*.nvc")) + sorted(VECTORS.glob("latents/*.nvc"))
    seeds = [path.read_bytes() for path in paths if path.stat().st_size < 2000]
    for _ in range(1500):
        try:
            content = read(mutate(seeds, chance))
            head = content["header"]
            for gop in content["gops"]:
                if head["width"] * head["height"] * gop["frames"] < 1 << 17:  # a changed size can ask for much
                    sides(head, gop)
                    latents(model, content, gop)
        except Refused as error:
            assert "\n" not in str(error)
            refused += 1
    assert 1000 < refused < 1500
