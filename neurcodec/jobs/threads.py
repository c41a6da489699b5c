"""Two helpers that let decoding, networks and encoding overlap: bounded queues between threads, errors passed on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_POLL = 0.1  # seconds between looks at the stop flag
_PATIENCE = 1.0  # seconds that a stopped thread may take to finish its item
_END = object()


def prefetch(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Iterate `items` in a thread that runs at most `depth` items ahead; its exception is raised here.

    Closing the generator stops the thread.
    """
    ready: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            for item in items:
                if not _put(ready, item, stop):
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            failure.append(error)
        _put(ready, _END, stop)

    thread = threading.Thread(target=work, name="neurcodec-prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            yield item
        if failure:
            raise failure[0]
    finally:
        stop.set()
        thread.join(_PATIENCE)


class Sink(Generic[T]):
    """A thread that calls `consume` on every item put, at most `depth` items behind.

    `put` and `finish` raise what `consume` raised. As a context manager it finishes at the end of the block, and
    when the block raises it drops what is waiting and stops.
    """

    def __init__(self, consume: Callable[[T], None], depth: int) -> None:
        self._consume = consume
        self._waiting: queue.Queue[Any] = queue.Queue(depth)
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="neurcodec-sink", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand an item over; waits while `depth` items are waiting."""
        if not _put(self._waiting, item, self._stop) and self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Wait until everything is consumed."""
        _put(self._waiting, _END, self._stop)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Sink[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self._stop.set()
            self._thread.join(_PATIENCE)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                item = self._waiting.get(timeout=_POLL)
            except queue.Empty:
                continue
            if item is _END:
                return
            try:
                self._consume(item)
            except BaseException as error:  # noqa: BLE001 - raised by put and finish
                self._failure = error
                self._stop.set()


def _put(target: queue.Queue[Any], item: object, stop: threading.Event) -> bool:
    """Put, giving up (False) as soon as `stop` is set."""
    while not stop.is_set():
        try:
            target.put(item, timeout=_POLL)
        except queue.Full:
            continue
        return True
    return False
