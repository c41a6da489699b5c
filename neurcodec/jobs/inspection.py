"""Looking into .nvc files: opening them with errors that name the file, and verifying them. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurcodec import container
from neurcodec.container import Gop, Limits, Profile, Reader
from neurcodec.extensions.streams import WORDS
from neurcodec.files import pipes
from neurcodec.jobs.options import Progress, ProgressCallback, ignore_progress

_WORDS = 16  # different ones that are listed


@dataclass(frozen=True)
class VerifyReport:
    """What was verified; `latents`: every latent and base layer was decoded too."""

    frames: int
    chunks: int
    latents: bool


@contextmanager
def open_source(path: pipes.Place, salvage: bool = False, limits: bool = True) -> Iterator[Reader]:
    """A Reader of the file; FormatError, DamageError and LimitError from the block name the file."""
    with pipes.naming(path), pipes.opened(path) as file, Reader(file, _limits(limits), salvage=salvage) as reader:
        yield reader


def describe(path: pipes.Place, limits: bool = True) -> dict[str, Any]:
    """Everything that `ncodec info` shows: neurcodec.container.summary, and what extensions have in words."""
    with pipes.naming(path), pipes.local(path) as local:
        return _facts(local, limits)


def verify_file(
    path: pipes.Place,
    quick: bool = False,
    model: str | None = None,
    progress: ProgressCallback = ignore_progress,
    limits: bool = True,
) -> VerifyReport:
    """Check the structure, CRCs and limits of an .nvc file, and unless `quick` that every chunk's latents and base
    layer decode.

    Raises FormatError, DamageError or LimitError at the first thing that is wrong, ModelError without the latents'
    model.
    """
    with pipes.naming(path), pipes.local(path) as local:
        facts = _facts(local, limits)
        if not quick:
            _verify_latents(local, model, facts["frames"], progress, limits)
    return VerifyReport(facts["frames"], facts["chunks"], not quick)


def _facts(path: Path, limits: bool) -> dict[str, Any]:
    words: dict[str, dict[str, None]] = {name: {} for name in WORDS}

    def look(gop: Gop) -> None:
        for name, extension in WORDS.items():
            if extension.SUBSTREAM in gop.substreams and len(words[name]) < _WORDS:
                words[name][extension.decode(gop.substreams[extension.SUBSTREAM])] = None

    facts = container.summary(path, _limits(limits), each=look)
    return facts | {name: list(found) for name, found in words.items()}


def _limits(on: bool) -> Limits:
    return Limits() if on else Limits.none()


def _verify_latents(path: Path, choice: str | None, frames: int, progress: ProgressCallback, limits: bool) -> None:
    from neurcodec.codec.symbols import parse
    from neurcodec.entropy.model import EntropyModel
    from neurcodec.files import models

    done, read, seconds = 0, 0, 0.0
    progress(Progress(0, frames, 0, 0.0))
    with path.open("rb") as file, Reader(file, _limits(limits)) as reader:
        native = reader.header.profile is Profile.NATIVE
        entropy = EntropyModel.load(models.for_file(reader.model, choice, latents=native, pictures=False).entropy_path)
        for item in reader:
            if isinstance(item, Gop):
                symbols = parse(entropy, item, reader.header)
                if symbols.base is not None:
                    from neurcodec.codec.base import decode_base

                    decode_base(symbols, symbols.base)
                done += item.frames
                seconds += float((item.pts[-1] + item.last_duration - item.pts[0]) * reader.header.time_base)
                read += sum(map(len, item.substreams.values()))
            else:
                read += len(item.data)
            progress(Progress(done, frames, read, seconds))
