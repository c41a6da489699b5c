"""The one exception tree; every class has its exit code.

    NcodecError 1
    ├── InputError 3        the input media cannot be read or holds nothing to encode
    ├── OutputError 4       the output exists, cannot be written, or would overwrite its input
    ├── FormatError 5       not an .nvc file, or a version or feature this reader does not know
    ├── DamageError 6       a CRC, a length, a digest or the structure is wrong, or the file ends early
    ├── LimitError 7        a declared size is above the reader's limits
    ├── ModelError 8        a model is missing, damaged, or not the one that the file names
    ├── DeviceError 9       the device asked for is not there
    ├── DependencyError 10  an optional package or tool is not installed
    ├── PartialError 11     the job ended, but not all of it could be done (salvage)
    ├── TargetError 12      a rate or quality target cannot be reached
    └── ArgumentError 2     an argument that means nothing, or excludes another (a ValueError too)

Usage errors of the commands exit with 2 (click), Ctrl-C with 130.
"""

from __future__ import annotations

INTERRUPTED = 130
"""The exit code of what Ctrl-C or SIGTERM ended."""


class NcodecError(Exception):
    """Base of all errors that a user can cause; its text is one line: what, where, what to do."""

    exit_code = 1


class InputError(NcodecError):
    """The input media cannot be read or holds nothing to encode."""

    exit_code = 3


class OutputError(NcodecError):
    """The output exists, cannot be written, or would overwrite its input."""

    exit_code = 4


class FormatError(NcodecError):
    """Not an .nvc file, or a version or feature that this reader does not know."""

    exit_code = 5


class DamageError(NcodecError):
    """A CRC, length, digest or structure is wrong, or the file ends early."""

    exit_code = 6


class LimitError(NcodecError):
    """A declared size is above the reader's limits."""

    exit_code = 7


class ModelError(NcodecError):
    """A model is missing, damaged, or not the one that the file names."""

    exit_code = 8


class DeviceError(NcodecError):
    """The device that was asked for is not there."""

    exit_code = 9


class DependencyError(NcodecError):
    """An optional package or tool is not installed."""

    exit_code = 10


class PartialError(NcodecError):
    """The job ended, but not all of it could be done."""

    exit_code = 11


class TargetError(NcodecError):
    """A rate or quality target cannot be reached."""

    exit_code = 12


class ArgumentError(NcodecError, ValueError):
    """An argument of a function that means nothing, or that excludes another one."""

    exit_code = 2
