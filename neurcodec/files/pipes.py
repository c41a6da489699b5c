"""Standard input and output as files, for the name "-". Terminals are refused: the data is binary."""

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


def name(path: Path) -> str:
    """How messages call an input."""
    return "standard input" if path == STANDARD else str(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before what is found wrong in it."""
    try:
        yield
    except (FormatError, DamageError, LimitError, TargetError) as error:
        raise type(error)(f"{name(path)}: {error}") from error


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


def media(path: Path) -> Path | BinaryIO:
    """What to read a video from."""
    return standard_input() if path == STANDARD else path


def opened(path: Path) -> Context[BinaryIO]:
    """The input for reading, forward only where it is a pipe; InputError when it cannot be read."""
    if path == STANDARD:
        return nullcontext(standard_input())
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


@contextmanager
def local(path: Path) -> Iterator[Path]:
    """A path that can be read more than once: `path` itself, or a temporary copy of standard input."""
    if path != STANDARD:
        yield path
        return
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copyfileobj(standard_input(), copy)
        copy.flush()
        yield Path(copy.name)
