"""Where the chunks of an encoding job are coded: in this process, or in several; `distributed` has a third place."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from neurcodec.container import Gop
from neurcodec.jobs.workers import Loading, Pool, encode_chunk, result

if TYPE_CHECKING:
    from neurcodec.codec.chunk_codec import Tick
    from neurcodec.codec.settings import Pictures, Settings
    from neurcodec.jobs.store import Fingerprint, Store

Pending = Callable[[], Gop]
"""Waits for a chunk that is being coded; raises the errors of neurcodec.errors."""


class Coder(Protocol):
    """Codes chunks, some at the same time. A context manager, which ends what is under way.

    ahead: how many chunks may be under way when the next one is submitted.
    """

    ahead: int

    def submit(self, pictures: Pictures, settings: Settings, tick: Tick) -> Pending:
        """Have a chunk coded; `tick` is called for its frames where that is seen from here."""

    def __enter__(self) -> Coder: ...

    def __exit__(self, *_: object) -> None: ...


class Here(AbstractContextManager["Here"]):
    """Codes a chunk when it is submitted."""

    ahead = 0

    def __init__(self, loading: Loading) -> None:
        self._codec, self._threads = loading.load(), loading.threads

    def submit(self, pictures: Pictures, settings: Settings, tick: Tick) -> Pending:
        """Code a chunk."""
        from neurcodec.codec.networks import running

        with running(self._threads):
            gop = self._codec.encode(pictures, settings, tick)
        return lambda: gop

    def __exit__(self, *_: object) -> None:
        """Nothing is under way."""


class SideBySide(AbstractContextManager["SideBySide"]):
    """Codes chunks in processes of their own."""

    def __init__(self, loading: Loading, workers: int) -> None:
        self.ahead = workers
        self._loading = replace(loading, threads=shared_threads(loading.threads, workers))
        self._pool = Pool(workers)

    def submit(self, pictures: Pictures, settings: Settings, tick: Tick) -> Pending:
        """Send a chunk to the next free worker."""
        return partial(result, self._pool.submit(encode_chunk, self._loading, pictures, settings))

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self._pool.close()


class Keeping(AbstractContextManager["Keeping"]):
    """Takes what is done from a store, and has the rest coded and kept in it."""

    def __init__(self, coder: Coder, store: Store, fingerprint: Fingerprint) -> None:
        self.ahead = coder.ahead
        self._coder, self._store, self._fingerprint = coder, store, fingerprint

    def submit(self, pictures: Pictures, settings: Settings, tick: Tick) -> Pending:
        """Have a chunk coded, unless it is there."""
        key = self._fingerprint.of(pictures, settings)
        known = self._store.get(key)
        if known is not None:
            return lambda: known
        pending = self._coder.submit(pictures, settings, tick)

        def kept() -> Gop:
            gop = pending()
            self._store.put(key, gop)
            return gop

        return kept

    def __exit__(self, *_: object) -> None:
        """The coder and the store end by themselves."""


def shared_threads(threads: int | None, workers: int) -> int | None:
    """The CPU threads of each of several workers, where none are asked for: an equal share of the cores."""
    return threads or max(1, (os.cpu_count() or 1) // workers)


def coder(loading: Loading, workers: int) -> Coder:
    """The coder with so many workers; with one, this process itself."""
    return Here(loading) if workers == 1 else SideBySide(loading, workers)
