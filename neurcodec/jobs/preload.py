"""What the server that worker processes are copied from imports once for all of them (`workers.context`)."""

from __future__ import annotations

import atexit
import os
import sys
from types import TracebackType

from neurcodec.codec import layered, native
from neurcodec.jobs import decode, encode, workers

__all__ = ["decode", "encode", "layered", "native", "workers"]


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error, but not that of a copy which begins when its parent, or that one's semaphores, are gone."""
    if kind not in (EOFError, FileNotFoundError):
        sys.__excepthook__(kind, error, trace)


def _end(server: int) -> None:
    """End the server at once: taking torch apart takes a second, in which readers of its output would wait."""
    if os.getpid() == server:
        os._exit(0)


sys.excepthook = _say
atexit.register(_end, os.getpid())
