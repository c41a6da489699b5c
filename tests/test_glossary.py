"""docs/glossary.md against the specification's headings, and the words that it retires against everything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("| \n").split("|")]
    for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| term")
]
TERMS = {row[0] for row in ROWS}
RETIRED = sorted(word.strip() for row in ROWS if len(row) > 2 and row[2] for word in row[2].split(","))
SPEC = (ROOT / "bitstream_spec.md").read_text()
HEADINGS = re.findall(r"^#{2,3} (?:Annex [A-Z]\. |[\d.]+ )(.+)$", SPEC, re.MULTILINE)
GENERAL = {
    "Scope",
    "Conventions",
    "Field types",
    "Framing",
    "Examples",
    "A file",
    "Notes",
    "Security",
    "Order of checks",
    "History",
    "The step",
    "What a reader must reject",
}
"""Headings that name no thing of the format."""
SOURCES = [
    path
    for pattern in ("neurcodec/**/*.py", "tools/**/*.py", "reference_decoder/*", "docs/*.md", "*.md", "models/*.md")
    for path in ROOT.glob(pattern)
    if path.suffix in {".py", ".md"} and path.name not in {"glossary.md", "CHANGELOG.md"} and "results" not in path.name
]


def test_the_glossary_is_read() -> None:
    assert len(TERMS) == len(ROWS) > 30 and len(HEADINGS) > 30 and len(RETIRED) > 4


@pytest.mark.parametrize("heading", HEADINGS)
def test_headings_of_the_specification_are_made_of_terms(heading: str) -> None:
    known = [term for term in TERMS if re.search(rf"\b{re.escape(term)}(?:s|es)?\b", heading, re.IGNORECASE)]
    records = re.findall(r"\b(?:HEAD|MODL|GOPC|FEND|meta|strm|pckt|indx|vide)\b", heading)
    assert known or records or heading in GENERAL, f"{heading!r} names nothing of docs/glossary.md"


@pytest.mark.parametrize("term", sorted(TERMS))
def test_terms_are_used(term: str) -> None:
    text = SPEC + (ROOT / "README.md").read_text() + (ROOT / "docs" / "architecture.md").read_text()
    assert re.search(rf"\b{re.escape(term)}", " ".join(text.split()), re.IGNORECASE)


@pytest.mark.parametrize("word", RETIRED)
def test_retired_words_are_gone(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word).replace(chr(92) + ' ', '[ _-]')}s?\b", re.IGNORECASE)
    found = [path for path in SOURCES if pattern.search(" ".join(path.read_text(encoding="utf-8").split()))]
    assert not found
