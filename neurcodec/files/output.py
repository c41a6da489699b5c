"""Output that is whole or not there: a temporary name in the same folder, fsync, rename, and the overwrite policy."""

from __future__ import annotations

import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurcodec.errors import OutputError
from neurcodec.files.pipes import STANDARD, Place, check_output

_NUMBER = re.compile(r"%0?\d*d")


def is_picture_pattern(target: Path) -> bool:
    """Is it a pattern of numbered pictures, as shot-%05d.png?"""
    return target.suffix.lower() == ".png"


def check_target(target: Place, source: Place, overwrite: bool) -> None:
    """Refuse an output that is the input, is no regular file, exists without `overwrite`, or has no folder.

    Raises OutputError. Standard output must be no terminal. An output that is the input is refused even with
    `overwrite`. Of a picture pattern the first picture is looked at; the others are when it is known how many they are.
    An open file is taken as it is.
    """
    if not isinstance(target, Path):
        return
    if target == STANDARD:
        check_output()
        return
    if is_picture_pattern(target):
        target = target.with_name(_NUMBER.sub(lambda match: match[0] % 1, target.name))
    try:
        status = target.stat()
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise OutputError(f"{target}: the folder {target.parent} does not exist; make it first") from None
        return
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror}") from None
    if isinstance(source, Path) and source != STANDARD and source.exists() and os.path.samestat(status, source.stat()):
        raise OutputError(f"{target}: output and input are the same file; give another name")
    if not stat.S_ISREG(status.st_mode):
        raise OutputError(f"{target}: not a regular file; give a file name")
    if not overwrite:
        raise OutputError(f"{target}: exists already; -f overwrites it")


@contextmanager
def atomic_file(target: Path, again: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target` (same suffix); on success it becomes `target`, else it is removed.

    `again`: its name is the same each time, so that a job that goes on takes the place of what a killed one left. A
    file that is replaced leaves its permissions to the new one.
    """
    final = Path(os.path.realpath(target))
    mark = "again" if again else uuid.uuid4().hex[:8]
    temporary = final.with_name(f".{_short(final.stem)}.{mark}{final.suffix}")
    try:
        yield temporary
        _sync(temporary)
        if final.exists():
            temporary.chmod(stat.S_IMODE(final.stat().st_mode))
        temporary.replace(final)
        _sync(final.parent)
    except OSError as error:
        raise OutputError(f"{target}: {error.strerror or error}") from error
    except OutputError as error:
        raise OutputError(str(error).replace(str(temporary), str(target))) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_pictures(pattern: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a pattern of the same name in a temporary folder; on success its files move beside `pattern`.

    OutputError if one of them is there already, without `overwrite`; none is moved then.
    """
    temporary = pattern.parent / f".{uuid.uuid4().hex[:8]}"
    try:
        temporary.mkdir()
        yield temporary / pattern.name
        for path in sorted(temporary.iterdir()):
            if not overwrite and (pattern.parent / path.name).exists():
                raise OutputError(f"{path}: exists already; -f overwrites it")
        for path in sorted(temporary.iterdir()):
            _sync(path)
            path.replace(pattern.parent / path.name)
        _sync(pattern.parent)
    except OSError as error:
        raise OutputError(f"{pattern}: {error.strerror or error}") from error
    except OutputError as error:
        raise OutputError(str(error).replace(str(temporary), str(pattern.parent))) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _short(name: str) -> str:
    """A name of at most 100 bytes, so that more fits behind it."""
    return os.fsencode(name)[:100].decode(errors="ignore")


def _sync(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
