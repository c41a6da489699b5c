"""Memory of a process that makes large tensors again and again."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_KEPT = 1 << 30


def keep() -> None:
    """Let glibc keep freed memory for the next tensor, in place of giving it back to the system each time.

    It saves 4 to 9 % of decoding on a CPU (docs/performance.md). Elsewhere this does nothing.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_TRIM_THRESHOLD, _KEPT)
            library.mallopt(_MMAP_THRESHOLD, _KEPT)
