"""What a job reads and writes: paths, open binary files, and standard input or output, for the name "-".

Terminals are refused: the data is binary.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from neurcodec.errors import DamageError, FormatError, InputError, LimitError, OutputError, TargetError

Place = Path | BinaryIO
"""A path, or a file that is open for reading or writing bytes."""
STANDARD = Path("-")
"""The name of standard input, or of standard output."""


class StandardOutput:
    """Standard output for writing bytes, forward only; raises OutputError, as when the reader has gone."""

    name = "standard output"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        """Write all of it, at once."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise OutputError(f"{self.name}: {error.strerror}") from error
        return len(data)


def is_pipe(place: Place) -> bool:
    """Can it be read only once, from start to end: standard input, a named pipe, <(...), a file that cannot seek?"""
    if isinstance(place, Path):
        return place == STANDARD or place.is_fifo() or place.is_char_device() or place.is_socket()
    return not place.seekable()


def name(place: Place) -> str:
    """How messages call an input."""
    if isinstance(place, Path):
        return "standard input" if place == STANDARD else str(place)
    return str(getattr(place, "name", "input"))


@contextmanager
def naming(place: Place) -> Iterator[None]:
    """Put the input's name before what is found wrong in it."""
    try:
        yield
    except (FormatError, DamageError, LimitError, TargetError) as error:
        raise type(error)(f"{name(place)}: {error}") from error


def standard_input() -> BinaryIO:
    """Standard input; InputError when that is a terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("standard input is a terminal; pipe a file in, or name one")
    return sys.stdin.buffer


def check_output() -> None:
    """OutputError when standard output is a terminal."""
    if sys.stdout is None or sys.stdout.isatty():
        raise OutputError("standard output is a terminal and the data is binary; pipe it on, or name a file")


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output for the data alone: what anything else prints meanwhile goes to standard error."""
    check_output()
    sys.stdout.flush()
    number = sys.stdout.fileno()
    data = os.dup(number)
    os.dup2(sys.stderr.fileno(), number)
    try:
        yield cast(BinaryIO, StandardOutput(data))
    finally:
        sys.stdout.flush()
        os.dup2(data, number)
        os.close(data)


def media(place: Place) -> Place:
    """What to read a video from."""
    return standard_input() if place == STANDARD else place


def media_again(place: Place) -> Place:
    """What to read the same video from once more; InputError where that cannot be."""
    if is_pipe(place):
        raise InputError(f"{name(place)}: a target needs a file: the video is read more than once")
    if not isinstance(place, Path):
        place.seek(0)
    return place


def opened(place: Place) -> Context[BinaryIO]:
    """The input for reading, forward only where it is a pipe; InputError when it cannot be read."""
    if not isinstance(place, Path):
        return nullcontext(place)
    if place == STANDARD:
        return nullcontext(standard_input())
    try:
        return place.open("rb")
    except OSError as error:
        raise InputError(f"{place}: cannot be read ({error.strerror})") from None


@contextmanager
def local(place: Place) -> Iterator[Path]:
    """A path that can be read more than once: `place` itself, or a temporary copy of what is no path."""
    if isinstance(place, Path) and not is_pipe(place):
        yield place
        return
    with tempfile.NamedTemporaryFile() as copy, opened(place) as file:
        shutil.copyfileobj(file, copy)
        copy.flush()
        yield Path(copy.name)
