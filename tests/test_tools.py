"""What is true of all tools: they can be imported from the root, and none imports tests or edits sys.path."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = {path.stem for path in (ROOT / "tests").glob("*.py")} | {"tests"}
MODULES = sorted(path for folder in ("tools", "fuzz") for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_tool_stands_without_tests_and_path_tricks(path: Path) -> None:
    importlib.import_module(name(path))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not TESTS & {part.split(".")[0] for part in names}
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path")
