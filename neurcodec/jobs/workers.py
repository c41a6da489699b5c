"""Codecs in worker processes: how they start, what they load and do with a chunk, and the pool that they belong to."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from neurcodec.container import Gop, Header, ModelInfo, Profile
from neurcodec.errors import INTERRUPTED, ModelError, NcodecError
from neurcodec.files import models
from neurcodec.jobs import memory

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.codec.chunk_codec import ChunkCodec
    from neurcodec.codec.settings import Pictures, Settings

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Loading:
    """How a codec is loaded, here or in another process: `model` is a name or folder whose hashes must be `info`'s.

    threads: of the CPU, None leaves them to torch.
    """

    profile: Profile
    model: str
    info: ModelInfo
    device: str = "auto"
    diffusion: bool = True
    compile: bool = False
    threads: int | None = None

    def load(self) -> ChunkCodec:
        """The codec; ModelError where the model is another one."""
        from neurcodec.codec import networks
        from neurcodec.codec.chunk_codec import codec

        model = models.find(self.model)
        if (model.info.weights_hash, model.info.entropy_hash) != (self.info.weights_hash, self.info.entropy_hash):
            raise ModelError(f"the model {self.model!r} of a worker is another; install the same one everywhere")
        return codec(self.profile, networks.load(model, self.device, self.diffusion, self.compile))


def encode_chunk(loading: Loading, pictures: Pictures, settings: Settings) -> Gop:
    """In a worker: code a chunk."""
    from neurcodec.codec.networks import running

    with running(loading.threads):
        return loading.load().encode(pictures, settings)


def decode_chunk(loading: Loading, gop: Gop, header: Header, wanted: range) -> Iterator[npt.NDArray[np.uint8]]:
    """In a worker: the wanted pictures of a chunk, uint8 (H, W, 3)."""
    from itertools import islice

    from neurcodec.codec.networks import running

    with running(loading.threads):
        codec = loading.load()
        yield from islice(codec.decode(codec.parse(gop, header)), wanted.start, wanted.stop)


def context() -> BaseContext:
    """How worker processes start: on Linux as copies of a server that has imported what they need, else each anew.

    The server starts here, with the environment of now, and serves every pool of this process. It ends when this
    process and all workers have ended, but not before it has imported everything; Ctrl-C does not reach it.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["neurcodec.jobs.preload"])
    resource_tracker.ensure_running()  # which would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


class Pool:
    """Processes that end with this one, or when the pool is closed, whatever they are doing."""

    def __init__(self, workers: int) -> None:
        start = context()
        reader, self._open = start.Pipe(duplex=False)
        self._items: Any = start.SimpleQueue()
        self._streams: dict[int, queue.SimpleQueue[Any]] = {}
        self._numbers = count()
        self._thread = threading.Thread(target=self._hand_out, name="neurcodec-streams", daemon=True)
        self._processes = ProcessPoolExecutor(workers, start, _begin, (reader, self._items))

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function of a module called with values that can be pickled."""
        return self._processes.submit(function, *args, **kwargs)

    def stream(self, function: Callable[..., Iterator[T]], *args: object) -> Callable[[], Iterator[T]]:
        """Have the items of a generator function made, which come as they are made; what is given iterates them."""
        number = next(self._numbers)
        if not number:
            self._thread.start()
        items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._streams[number] = items
        future = self._processes.submit(_stream, number, function, *args)
        future.add_done_callback(lambda done: items.put(None) if _died(done) else None)

        def received() -> Iterator[T]:
            while (item := items.get()) is not None:
                yield item
            result(future)

        return received

    def close(self) -> None:
        """End the processes."""
        self._open.close()
        self._processes.shutdown(cancel_futures=True)
        self._items.close()  # of which nobody holds an end then, so that the thread sees its end
        if self._thread.is_alive():
            self._thread.join(1)

    def _hand_out(self) -> None:
        """In a thread: put what the workers make where it is waited for, until the pool is closed."""
        with suppress(EOFError, OSError):
            while True:
                number, made = self._items.get()
                self._streams[number].put(made)


def result(future: Future[T]) -> T:
    """What a worker made; NcodecError where its process died."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise NcodecError("a worker process died (out of memory?); try fewer --workers") from error


_made: Any = None  # in a worker: the queue of what streams make


def _begin(reader: Connection, made: Any) -> None:
    """In a new worker: leave interruptions to the main process, and end when that closes the pool or dies."""
    global _made
    _made = made
    memory.keep()
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        wait([reader])
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


def _stream(number: int, function: Callable[..., Iterator[object]], *args: object) -> None:
    """In a worker: send what a generator function makes, and None behind it."""
    try:
        for item in function(*args):
            _made.put((number, item))
    finally:
        _made.put((number, None))


def _died(future: Future[None]) -> bool:
    """Did a future end without its function's end?"""
    return future.cancelled() or isinstance(future.exception(), BrokenProcessPool)
