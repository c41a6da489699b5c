"""The rule of docs/architecture.md: imports go one way, and the latents needs neither torch nor, for bytes, numpy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "neurcodec"
BELOW_CODEC = {"errors", "container", "entropy", "coarse", "extensions", "generator", "media", "analysis"}
BELOW_JOBS = BELOW_CODEC | {"codec", "files", "evaluation"}
BELOW_CLI = BELOW_JOBS | {"jobs", "training"}
MAY_IMPORT = {
    "errors": set[str](),
    "container": {"errors"},
    "entropy": {"errors", "container"},
    "media": {"errors", "container"},
    "coarse": {"errors", "container", "entropy"},
    "extensions": {"errors", "container", "entropy", "coarse"},
    "generator": {"errors", "container", "entropy", "coarse", "extensions"},
    "analysis": {"errors", "container", "entropy", "media"},
    "files": {"errors", "container", "media"},
    "codec": BELOW_CODEC | {"files"},
    "evaluation": BELOW_CODEC | {"codec", "files"},
    "training": BELOW_JOBS,
    "jobs": BELOW_JOBS,
    "cli": BELOW_CLI | {"api"},
    "__main__": {"cli"},
    "api": BELOW_JOBS | {"jobs"},
    "__init__": BELOW_JOBS | {"jobs", "api"},
}
FOREIGN = {
    "container": {"torch", "numpy", "cv2", "av", "diffusers", "constriction"},
    "entropy": {"torch", "cv2", "av", "diffusers"},
    "media": {"torch", "diffusers"},
    "analysis": {"torch", "diffusers"},
    "files": {"torch", "numpy", "cv2", "diffusers"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of what a module imports, also inside functions; relative imports are resolved."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: -node.level]) if node.level else ""
            stem = ".".join(filter(None, [base, node.module]))
            yield from (f"{stem}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_imports_go_one_way(path: Path) -> None:
    layer = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "neurcodec" and rest and (PACKAGE / rest[0]).exists() | (PACKAGE / f"{rest[0]}.py").exists():
            assert rest[0] == layer or rest[0] in MAY_IMPORT[layer], f"{layer} must not import {name}"
        assert top not in FOREIGN.get(layer, ()), f"{layer} must not import {name}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("neurcodec.cli", {"torch", "numpy", "av", "cv2", "diffusers", "tqdm"}),
        ("neurcodec.container", {"torch", "numpy", "av", "cv2", "diffusers", "tqdm"}),
        ("neurcodec.entropy.latent_coder", {"torch", "av", "cv2", "diffusers"}),
        ("neurcodec.extensions.options", {"torch", "numpy", "av", "cv2", "diffusers"}),
        ("neurcodec.codec.symbols", {"torch", "av", "cv2", "diffusers"}),
        ("neurcodec.jobs.encode", {"torch", "diffusers", "torchmetrics"}),
        ("neurcodec.jobs.decode", {"torch", "diffusers", "torchmetrics"}),
    ],
)
def test_what_an_import_loads(module: str, absent: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert module in loaded
    assert not absent & loaded
