"""Every rule of the format has a test vector: decoders that break one rule are told from the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.format import mutants
from tools.format.mutations import Mutant

MADE = list(mutants.mutants())
SAMPLE = {
    "fields.end: need(not self.data, 'bytes behind the last field') -> left out": "bad/",
    "fields.pairs: self.text(1, 255) -> self.text(1, 255 + 1)": "bad/meta_key_high",
    "container.header: b.u8(0, 1, 'format') -> b.u8(0, 1)": "bad/head_profile_high",
    "container.timing: num >= den and gcd(num, den) == 1 and (phase < den) -> gcd(num, den) == 1 and phase < den":
        "bad/small_step",
    "side.words: len(text) <= 1026 -> len(text) <= 1026 - 1": "latents/captions",
    "ranges.end: need(self.data[-1:] != b'\\x00', 'a zero byte at the end') -> left out":
        "bad_latents/levels_zero_behind",
    "latent_decoder.latents: strength[0] < 16 -> strength[0] < 16 + 1": "bad_latents/strength",
    "decisions.learn: min(u, 30) -> min(u, 30 + 1)": "latents/",
}  # fmt: skip


def named(change: str) -> Mutant:
    """The mutant of this change."""
    return next(mutant for mutant in MADE if mutant.change == change)


def test_there_are_mutants_of_every_module_and_kind() -> None:
    assert {mutant.module for mutant in MADE} == set(mutants.MODULES)
    assert sum(mutant.change.endswith("-> left out") for mutant in MADE) > 80
    assert all(mutant.source.startswith('"""') for mutant in MADE)
    assert len(MADE) > 600


def test_the_decoder_itself_is_not_caught() -> None:
    path = mutants.path_of("container")
    assert mutants.caught(Mutant("container", 1, "nothing", path.read_text(encoding="utf-8"))) == ""


@pytest.mark.parametrize("change", SAMPLE)
def test_a_mutant_is_caught(change: str) -> None:
    assert mutants.caught(named(change)).startswith(SAMPLE[change])


def test_what_goes_wrong_in_any_way_is_caught() -> None:
    source = "def read(data): return data[1 << 40]"
    first = min(path.stem for path in mutants.VECTORS.glob("good/*.nvc"))
    assert mutants.caught(Mutant("container", 1, "a crash", source)) == f"good/{first}"


@pytest.mark.slow
def test_no_mutant_survives_unexplained() -> None:
    left = [mutant for mutant in MADE if not mutants.caught(mutant)]
    assert [mutant.change for mutant in left if not mutants.explained(mutant)] == []
    assert [part for part in mutants.EQUIVALENT if not any(part in mutant.change for mutant in left)] == []


def test_every_bad_vector_is_small() -> None:
    folders = (mutants.VECTORS / name for name in ("good", "bad", "latents", "bad_latents"))
    sizes: dict[Path, int] = {path: path.stat().st_size for folder in folders for path in folder.iterdir()}
    assert max(sizes.values()) < 20000
