"""SVT-AV1 gives itself real-time priority where it may (as root), which starves all other processes; this undoes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def kept() -> Iterator[None]:
    """Run a block; afterwards no thread of this process has a real-time priority. Does nothing but on Linux."""
    try:
        yield
    finally:
        for number in [int(entry.name) for entry in _THREADS.iterdir()] if _THREADS.is_dir() else []:
            try:
                if os.sched_getscheduler(number) == os.SCHED_FIFO:
                    os.sched_setscheduler(number, os.SCHED_OTHER, os.sched_param(0))
            except OSError:  # the thread has ended meanwhile
                continue
