"""Looking into .nvc files: opening them with errors that name the file, and verifying them. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurcodec import container
from neurcodec.container import Gop, Limits, Reader
from neurcodec.errors import DamageError, FormatError, InputError, LimitError
from neurcodec.pipeline.options import Progress, ProgressCallback, ignore_progress


@dataclass(frozen=True)
class VerifyReport:
    """What was verified; `latents`: every latent was decoded too."""

    frames: int
    chunks: int
    latents: bool


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before what is found wrong in it."""
    try:
        yield
    except (FormatError, DamageError, LimitError) as error:
        raise type(error)(f"{path}: {error}") from error


@contextmanager
def open_source(path: Path, salvage: bool = False, limits: bool = True) -> Iterator[Reader]:
    """A Reader of the file; FormatError, DamageError and LimitError from the block name the file."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    with naming(path), file, Reader(file, _limits(limits), salvage=salvage) as reader:
        yield reader


def describe(path: Path, limits: bool = True) -> dict[str, Any]:
    """Everything that `ncodec info` shows; see neurcodec.container.summary."""
    with naming(path):
        return container.summary(path, _limits(limits))


def verify_file(
    path: Path, quick: bool = False, model: str | None = None, progress: ProgressCallback = ignore_progress,
    limits: bool = True,
) -> VerifyReport:
    """Check the structure, CRCs and limits of an .nvc file, and unless `quick` that every chunk's latents decode.

    Raises FormatError, DamageError or LimitError at the first thing that is wrong, ModelError without the bit plane's
    model.
    """
    with naming(path):
        facts = container.check(path, _limits(limits))
    if not quick:
        _verify_latents(path, model, facts["frames"], progress, limits)
    return VerifyReport(facts["frames"], facts["chunks"], not quick)


def _limits(on: bool) -> Limits:
    return Limits() if on else Limits.none()


def _verify_latents(path: Path, choice: str | None, frames: int, progress: ProgressCallback, limits: bool) -> None:
    from neurcodec.entropy.model import EntropyModel
    from neurcodec.pipeline import latents, models

    done, read, seconds = 0, 0, 0.0
    with open_source(path, limits=limits) as reader:
        entropy = EntropyModel.load(models.for_file(reader.model, choice, pixels=False).entropy_path)
        for item in reader:
            if isinstance(item, Gop):
                latents.decode(entropy, item, reader.header)
                done += item.frames
                seconds += float((item.pts[-1] + item.last_duration - item.pts[0]) * reader.header.time_base)
                read += sum(map(len, item.substreams.values()))
            else:
                read += len(item.data)
            progress(Progress(done, frames, read, seconds))
