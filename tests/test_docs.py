"""The documentation: links and paths lead somewhere, and the index knows every page and every decision's status."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (".", "docs", "docs/decisions", "models", "models/default", "reference_decoder", "tools")
PAGES = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
INDEX = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
PATHS = re.compile(r"`((?:docs|examples|fuzz|neurcodec|reference_decoder|tests|tools)/[\w./*-]*)`")
COMMANDS = re.compile(r"python -m ((?:tools|fuzz|reference_decoder)[\w.]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
        assert re.match(r"\w+:", link) or (page.parent / link).exists(), link
    for named in PATHS.findall(text):
        assert list(ROOT.glob(named.rstrip("/"))), named
    for module in COMMANDS.findall(text):
        place = ROOT.joinpath(*module.rstrip(".").split("."))
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_the_index_has_the_status_of_a_decision(decision: Path) -> None:
    (status,) = re.findall(r"^\*\*Status\.\*\* (Holds in part|Holds|Replaced by \d{4})", decision.read_text(), re.M)
    (row,) = [line for line in INDEX.splitlines() if f"(decisions/{decision.name})" in line]
    shown = row.strip("| ").rpartition("| ")[2]
    assert shown.startswith(status.lower().removeprefix("holds ") if "part" in status else status.lower())


def test_the_index_has_every_page() -> None:
    linked = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", INDEX)}
    assert linked >= {page for page in PAGES if page.parent.name == "docs"} - {ROOT / "docs" / "README.md"}
