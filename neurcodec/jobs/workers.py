"""Codecs in worker processes: what a worker loads, what it does with a chunk, and the pool that it belongs to."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from neurcodec.container import Gop, Header, ModelInfo, Profile
from neurcodec.errors import INTERRUPTED, ModelError, NcodecError
from neurcodec.files import models

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


def decode_chunk(loading: Loading, gop: Gop, header: Header, wanted: range) -> npt.NDArray[np.uint8]:
    """In a worker: the wanted pictures of a chunk, uint8 (T, H, W, 3)."""
    from itertools import islice

    import numpy as np

    from neurcodec.codec.networks import running

    with running(loading.threads):
        codec = loading.load()
        pictures = codec.decode(codec.parse(gop, header))
        return np.stack(list(islice(pictures, wanted.start, wanted.stop)))


class Pool:
    """Processes that end with this one, or when the pool is closed, whatever they are doing."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        reader, self._open = context.Pipe(duplex=False)
        self.workers = workers
        self._processes = ProcessPoolExecutor(workers, context, _begin, (reader,))

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function of a module called with values that can be pickled."""
        return self._processes.submit(function, *args, **kwargs)

    def close(self) -> None:
        """End the processes."""
        self._open.close()
        self._processes.shutdown(cancel_futures=True)


def result(future: Future[T]) -> T:
    """What a worker made; NcodecError where its process died."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise NcodecError("a worker process died (out of memory?); try fewer --workers") from error


def usable(wanted: int | None, device: str) -> int:
    """How many processes code chunks: `wanted`, or what was measured to be fastest (docs/performance.md)."""
    del device
    return wanted or 1


def _begin(reader: Connection) -> None:
    """In a new worker: leave interruptions to the main process, and end when that closes the pool or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        wait([reader])
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()
