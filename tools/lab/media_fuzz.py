"""Mutated video files through encode and decode: python -m tools.lab.media_fuzz --count 2000 [--findings DIR]

The seeds are small MP4, MKV, TS and AVI files with sound, made here. Each mutant is coded in a forked process, with a
seeded tiny model, and decoded as MP4 or Matroska where that went well. Allowed are an .nvc file and a video, or an
error of neurcodec.errors, within a minute, and nothing half-written beside. Mutants with another end are kept in DIR.
Prints counts as JSON; the exit code is 1 if there was one. Linux.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import av
import torch

from neurcodec.errors import NcodecError
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
from neurcodec.training.tiny import write_tiny_model
from tools.clips import scene, write_clip

SUFFIXES = ("mp4", "mkv", "ts", "avi")
SECONDS = 60


def seeds(folder: Path) -> list[tuple[str, bytes]]:
    """A clip with sound in every container, and its suffix."""
    clips = [write_clip(folder / f"seed.{suffix}", scene(6, (80, 64)), sound=True) for suffix in SUFFIXES]
    return [(clip.suffix[1:], clip.read_bytes()) for clip in clips]


def mutant(data: bytes, chance: random.Random) -> bytes:
    """The file with some bytes changed, and now and then a piece cut out, doubled or left off at the end."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 40))):
        out[chance.randrange(len(out))] = chance.choice((0, 0xFF, 0x7F, chance.randrange(256)))
    start = chance.randrange(len(out))
    end = min(len(out), start + chance.choice((1, 4, 188, 2000)))
    shape = chance.randrange(8)
    if shape == 0:
        del out[start:end]
    elif shape == 1:
        out[end:end] = out[start:end]
    elif shape == 2:
        del out[max(64, start) :]
    return bytes(out)


def outcome(source: Path, model: Path, chance: random.Random) -> str:
    """Code and decode a file in this process; how that ended."""
    target, video = source.with_suffix(".nvc"), source.parent / f"out.{chance.choice(('mp4', 'mkv'))}"
    done = "neither"
    try:
        encode_file(source, target, EncodeOptions(quality=4, preset="fast", model=str(model), device="cpu", threads=1))
        done = "coded only"
        decode_file(target, video, DecodeOptions(diffusion=False, model=str(model), device="cpu", threads=1))
        done = "coded and decoded"
    except NcodecError as error:
        if "\n" in str(error):
            return "a message of several lines"
        done = type(error).__name__ if done == "neither" else f"coded, then {type(error).__name__}"
    except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
        traceback.print_exc()
        return "traceback"
    left = {path.name for path in source.parent.iterdir()} - {source.name, target.name, video.name}
    return f"left {', '.join(sorted(left))}" if left else done


def forked(source: Path, model: Path, chance: random.Random) -> str:
    """The outcome of a file in a process of its own."""
    inside, outside = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os.write(outside, outcome(source, model, chance).encode())
        os._exit(0)
    os.close(outside)
    with os.fdopen(inside) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    return said if status == 0 else f"ended by signal {status & 127}"


ALLOWED = ("coded and decoded", "InputError", "LimitError", "OutputError", "DamageError")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    given = parser.parse_args(arguments)
    av.logging.set_level(None)
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    ends: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_tiny_model(folder / "tiny", seed=1)
        made = seeds(folder)
        outcome(folder / "seed.mkv", folder / "tiny", random.Random(0))  # loads what the forked processes need
        for number in range(given.first, given.first + given.count):
            chance = random.Random(number)
            suffix, data = made[number % len(made)]
            with tempfile.TemporaryDirectory(dir=folder) as own:
                source = Path(own) / f"in.{suffix}"
                source.write_bytes(mutant(data, chance))
                end = forked(source, folder / "tiny", chance)
                ends[end] += 1
                if end not in ALLOWED:
                    wrong += 1
                    given.findings.mkdir(parents=True, exist_ok=True)
                    (given.findings / f"{number}.{suffix}").write_bytes(source.read_bytes())
    sys.stdout.write(json.dumps({"inputs": given.count, "wrong": wrong, "outcomes": dict(ends.most_common())}) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
