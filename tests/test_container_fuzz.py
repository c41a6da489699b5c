"""The fuzzing harness replays its corpus and the vectors, and some random mutations of them, without atheris."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz.fuzz_container import one_input
from fuzz.mutate import mutate

ROOT = Path(__file__).parent.parent
SEEDS = sorted([*(ROOT / "fuzz" / "corpus" / "container").iterdir(), *(ROOT / "tests" / "vectors").rglob("*.nvc")])


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
