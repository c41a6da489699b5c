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


def test_the_corpus_is_there() -> None:
    assert sum(path.parent.name == "container" for path in SEEDS) >= 20


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name)
def test_corpus(path: Path) -> None:
    one_input(path.read_bytes())


def test_mutations() -> None:
    chance = random.Random(1)
    seeds = [path.read_bytes() for path in SEEDS]
    for _ in range(800):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 5)):
            place = chance.randrange(len(data) + 1)
            action = chance.randrange(4)
            if action == 0:
                del data[place : place + chance.randint(1, 9)]
            elif action == 1:
                data[place:place] = chance.choice(seeds)[place : place + chance.randint(1, 60)]
            elif action == 2:
                data[place : place + 4] = chance.choice([b"\xff" * 4, bytes(4), b"\x80" * 4, b"GOPC", b"strm"])
            elif place < len(data):
                data[place] ^= 1 << chance.randrange(8)
        one_input(bytes(data))
