"""The fuzzing harness replays its corpus and the vectors, and some random mutations of them, without atheris."""

from __future__ import annotations

import random
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SEEDS = sorted([*(ROOT / "fuzz" / "corpus" / "container").iterdir(), *(ROOT / "tests" / "vectors").rglob("*.nvc")])
one_input: Callable[[bytes], None] = runpy.run_path(str(ROOT / "fuzz" / "fuzz_container.py"))["one_input"]
mutate: Callable[[list[bytes], random.Random], bytes] = runpy.run_path(str(ROOT / "fuzz" / "mutate.py"))["mutate"]


def test_the_corpus_is_there() -> None:
    assert sum(path.parent.name == "container" for path in SEEDS) >= 20


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_corpus(path: Path) -> None:
    one_input(path.read_bytes())


def test_mutations() -> None:
    chance = random.Random(1)
    seeds = [path.read_bytes() for path in SEEDS]
    for _ in range(800):
        one_input(mutate(seeds, chance))
