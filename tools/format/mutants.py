"""Do the test vectors catch a decoder that breaks one rule? python -m tools.format.mutants [--list] [--only PATTERN].

Mutants of the reference decoder, each with one rule changed (tools/format/mutations.py), decode all vectors. One that
reads all good ones alike and refuses all bad ones with the right kind of error survives: no vector holds its rule. Exit
code 1 if one survives that EQUIVALENT does not explain. No file is changed.
"""

from __future__ import annotations

import argparse
import ast
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import click

import reference_decoder
from reference_decoder import Model, Refused
from tools.format.mutations import KINDS, MODULES, Mutant, mutants, path_of

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
SECONDS = 60
"""A mutant that takes longer for one vector is caught."""

EQUIVALENT = {
    # refused anyway, by another rule and with the same kind of error
    "than bytes": "a field does not fit then",
    "fields.pairs: count <= len(": "as above",
    "container.gop: count <= len(": "as above",
    "container.index: count <= len(": "as above",
    "container.timing: frames <= len(": "as above; behind the durations there are more bytes",
    "fields.uvar: need(shift": "ten bytes in their shortest form hold 2^63 or more, above every range",
    "fields.uvar: shift < 63": "as above; shifts are multiples of 7",
    "ends in a record": "the CRC differs then",
    "container.records: at + 13": "as above",
    "container.records: at < len(data) ->": "what is left over stands behind FEND, or there is no FEND",
    "container.records: 65": "a critical record of unknown type is as bad as one of no type",
    "container.preamble: len(data) >= 16 -> ": "a file without a whole record has no HEAD",
    "len(parts) >= 2 + 1": "a file of two records has no FEND",
    "container.index: b.u": "the entries must be those of the GOPC records",
    "container.end: b.u32(1)": "so must the totals",
    "container.gop: b.uvar(0, U32_MAX)": "it must be the number of frames before",
    "container.packets: b.uvar(0, 63)": "there is no 65th stream",
    "container.timing: b.uvar(1, U32_MAX)": "of step_den: phase is below it, and it is below step_num or 1",
    "container.timing: b.uvar(0, U32_MAX)": "phase is below step_den",
    "q < 2 ** 24": "the end is another than an encoder's then",
    "found < 2 ** 30": "no tail of that size is there",
    "latents of I beside": "nothing is read from the substream",
    # nothing is there that could show it
    "fixed(4, low, U32_MAX) -> self.fixed(4, low, U32_MAX + 1": "four bytes hold no more",
    "container.header: b.fixed(": "as above",
    "-TIME_MAX, TIME_MAX + 1": "nine bytes hold no more",
    "LIMITS['pixels']": "two sides at their limit make just this",
    "LIMITS['chunk_pixels'] + 1": "2^32 + 1 is no product of two sides and a number of frames",
    "self.at >= len(self.data) + 1": "the last four bytes of the window are 0 at the end",
    "-32768, 32767) -> clamp((a + 128) // 256, -32768 ": "nothing that uses a number so low is changed by one more",
    "prior.features: number > 0": "before the first pass all is 0",
    "side.texture_map: y and x": "at the edge both corners make the same prediction",
    "side.frame_levels": "it serves pictures, of which there are no vectors",
    "temporal_units.size: digit > 127": "the digits behind the last are 0",
    "temporal_units.primed: coder.end()": "the dictionary is right",
    "fields.dictionary": "as above",
    "2047 - 1": "the probability is the same",
    "temporal_units.heads: len(head) > 1": "the head's end is found again at its next place",
    "temporal_units.heads: head[-1] < 128 -> head[-1] < 128 - 1": "as above; 127 bytes are more than 20",
    # the file would be large
    "self.text(0, 65536)": "64 KiB",
    "container.packets: b.uvar(1, 65536)": "192 KiB",
    "LIMITS['metadata_bytes']": "1 MiB",
    "len(head) >= 6 -> len(head) >= 6 - 1": "2 MiB",
    "LIMITS['index_entries']": "10 MiB",
    "LIMITS['record_bytes']": "64 MiB",
    "LIMITS['stream_bytes']": "128 MiB",
    "b.blob(": "1 GiB",
    "container.gop: b.uvar(1, 2 ** 30)": "1 GiB",
    # no file is known
    "-self.low % step >= self.range": "whose last interval ends just at a multiple",
    "self.range < 2 ** 32 -> ": "whose coder comes to a range of just 2^32 or one less",
    "clamp(moved, 2 ** 20)": "whose weights grow that far",
    "file_pixels": "the file would have 2^45 samples, and some hundred kilobytes",
    "frames * picture <= most * size + 1": "no pictures of a limit's samples and one more are known",
}
"""Survivors, by a part of what is printed of them, and why no vector catches them."""


@cache
def imported(module: str) -> set[str]:
    """The modules of the reference decoder that one of them imports."""
    nodes = ast.walk(ast.parse(path_of(module).read_text(encoding="utf-8")))
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    names = {str(node.module).rpartition(".")[2] for node in froms}
    return names | {alias.name for node in froms if node.module == "reference_decoder" for alias in node.names}


@contextmanager
def in_place(mutant: Mutant) -> Iterator[None]:
    """The mutant as the module that it was made of, and fresh copies of the modules that import it."""
    with ExitStack() as stack:
        stack.enter_context(patch.dict(sys.modules))
        fresh: set[str] = set()
        for name in MODULES:
            if name != mutant.module and not fresh & imported(name):
                continue
            fresh.add(name)
            module = ModuleType(f"reference_decoder.{name}")
            module.__file__ = str(path_of(name))
            sys.modules[module.__name__] = module
            stack.enter_context(patch.object(reference_decoder, name, module))
            source = mutant.source if name == mutant.module else path_of(name).read_text(encoding="utf-8")
            exec(compile(source, module.__file__, "exec"), module.__dict__)
        yield


@cache
def model() -> Model:
    """The entropy model of the vectors."""
    return Model((VECTORS / "model" / "entropy.safetensors").read_bytes())


def outcome(path: Path) -> object:
    """What the decoder that is in place makes of a vector: its content, or the kind of error."""
    try:
        content = sys.modules["reference_decoder.container"].read(path.read_bytes())
        decode = sys.modules["reference_decoder.latent_decoder"].latents
        deep = path.parent.name in ("latents", "bad_latents")
        return content, [decode(model(), content, gop) for gop in content["gops"] if deep]
    except Refused as error:
        return error.kind
    except Exception as error:  # noqa: BLE001 - a mutant can go wrong in any way
        return f"{type(error).__name__}: {error}"


@cache
def expected() -> dict[Path, object]:
    """What is to come out: of bad vectors the kind that their list says, of good ones what they hold."""
    out: dict[Path, object] = {}
    for good, bad in (("good", "bad"), ("latents", "bad_latents")):
        out |= {path: outcome(path) for path in sorted((VECTORS / good).glob("*.nvc"))}
        errors = json.loads((VECTORS / bad / "errors.json").read_text(encoding="utf-8"))
        out |= {VECTORS / bad / f"{name}.nvc": KINDS[error] for name, error in errors.items()}
    return out


def too_long(*_: object) -> None:
    """End a mutant that does not come to an end."""
    raise TimeoutError


def caught(mutant: Mutant) -> str:
    """The first vector that tells a mutant from the reference decoder; empty where none does."""
    signal.signal(signal.SIGALRM, too_long)
    wanted = expected()
    with in_place(mutant):
        for path, result in wanted.items():
            signal.alarm(SECONDS)
            found = outcome(path)
            signal.alarm(0)
            if found != result:
                return f"{path.parent.name}/{path.stem}"
    return ""


def explained(mutant: Mutant) -> str:
    """Why no vector catches a mutant, of those that none catches."""
    return next((reason for part, reason in EQUIVALENT.items() if part in mutant.change), "")


def main() -> int:
    """Print the survivors; 1 if there are unexplained ones."""
    parser = argparse.ArgumentParser(prog="python -m tools.format.mutants", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print every mutant, and the vector that catches it")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="of `module.function: before -> after`")
    options = parser.parse_args()
    made = [mutant for mutant in mutants() if fnmatch(mutant.change, options.only)]
    with Pool(2) as pool:
        results = pool.map(caught, made, chunksize=4)
    survivors = [mutant for mutant, vector in zip(made, results, strict=True) if not vector]
    unexplained = [mutant for mutant in survivors if not explained(mutant)]
    for mutant, vector in zip(made, results, strict=True):
        if options.list or mutant in unexplained:
            fate = f"caught by {vector}" if vector else f"survives: {explained(mutant) or 'no vector catches it'}"
            click.echo(f"{mutant.module}.py:{mutant.line}: {mutant.change}\n    {fate}")
    click.echo(f"{len(made)} mutants, {len(survivors)} survive, {len(unexplained)} of them unexplained")
    return int(bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
