"""The one loop that makes pictures of a file: its chunks in order, parsed ahead, decoded, each frame with its time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from neurcodec.container import Gop, Header, Packet, Reader
from neurcodec.errors import DamageError
from neurcodec.files.frame_range import FrameRange, Part, select
from neurcodec.jobs.coders import shared_threads
from neurcodec.jobs.threads import prefetch
from neurcodec.jobs.workers import Loading, Pool, decode_chunk
from neurcodec.media import Frame

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Picture = npt.NDArray[np.uint8]

Pictures = Callable[[], "Iterable[Picture]"]
"""Gives the wanted pictures of a chunk, uint8 (H, W, 3) each; DamageError where it does not decode."""


class Decoder(Protocol):
    """Prepares chunks in one thread and makes their pictures in another. ahead: how many are prepared beforehand."""

    ahead: int

    def prepare(self, gop: Gop, header: Header, wanted: range) -> Pictures:
        """Do what can be done ahead for the wanted pictures of a chunk; DamageError where it does not decode."""

    def __enter__(self) -> Decoder: ...

    def __exit__(self, *_: object) -> None: ...


class Here(AbstractContextManager["Here"]):
    """Parses ahead, and decodes in the thread that asks for the pictures, one by one."""

    ahead = 3

    def __init__(self, loading: Loading) -> None:
        self._codec, self._threads = loading.load(), loading.threads

    def prepare(self, gop: Gop, header: Header, wanted: range) -> Pictures:
        """Parse a chunk."""
        symbols = self._codec.parse(gop, header)
        return lambda: self._decoded(self._codec.decode(symbols), wanted)

    def _decoded(self, pictures: Iterator[Picture], wanted: range) -> Iterator[Picture]:
        from neurcodec.codec.networks import running

        for place in range(wanted.stop):
            with running(self._threads):
                picture = next(pictures)
            if place in wanted:
                yield picture

    def __exit__(self, *_: object) -> None:
        """Nothing is under way."""


class SideBySide(AbstractContextManager["SideBySide"]):
    """Parses and decodes whole chunks in processes of their own."""

    def __init__(self, loading: Loading, workers: int) -> None:
        self.ahead = workers
        self._loading = replace(loading, threads=shared_threads(loading.threads, workers))
        self._pool = Pool(workers)

    def prepare(self, gop: Gop, header: Header, wanted: range) -> Pictures:
        """Send a chunk to the next free worker."""
        return self._pool.stream(decode_chunk, self._loading, gop, header, wanted)

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self._pool.close()


def decoder(loading: Loading, workers: int) -> Decoder:
    """The decoder with so many workers; with one, this process itself."""
    return Here(loading) if workers == 1 else SideBySide(loading, workers)


class Playback:
    """The frames and packets of a part of a file, in order; iterate it once.

    With `salvage` a chunk that does not decode is left out, and `lost` says so in one line each; else DamageError is
    raised. Times start at 0 with the part's first frame; `seekable`: they are the file's, and nothing is read ahead, so
    that the reader can seek between two frames.
    """

    def __init__(
        self,
        reader: Reader,
        decoder: Decoder,
        frame_range: FrameRange | None = None,
        salvage: bool = False,
        seekable: bool = False,
    ) -> None:
        self.reader, self.decoder, self.frame_range = reader, decoder, frame_range
        self.salvage, self.seekable = salvage, seekable
        self.chunks = self.bytes = 0
        self.lost: list[str] = []

    def __iter__(self) -> Generator[Frame | Packet]:
        prepared = self._prepared()
        with closing(prepared if self.seekable else prefetch(prepared, self.decoder.ahead)) as items:
            for item in items:
                if isinstance(item, Packet):
                    yield item
                    continue
                part, pictures = item
                try:
                    yield from self._frames(part, pictures())
                except DamageError as error:
                    self._lose(error)
                    continue
                self.chunks += 1
                self.bytes += sum(map(len, part.gop.substreams.values()))

    def frames(self) -> Generator[Frame]:
        """The frames alone."""
        with closing(iter(self)) as items:
            yield from (item for item in items if isinstance(item, Frame))

    def _prepared(self) -> Generator[tuple[Part, Pictures] | Packet]:
        """In the reading thread: chunks that are prepared, and packets of the streams that are known."""
        numbers = {number: place for place, number in enumerate(sorted(self.reader.streams))}
        for item in select(self.reader, self.frame_range):
            if isinstance(item, Packet):
                yield replace(item, stream=numbers[item.stream])
                continue
            try:
                yield item, self.decoder.prepare(item.gop, self.reader.header, item.wanted)
            except DamageError as error:
                self._lose(error)

    def _frames(self, part: Part, pictures: Iterable[Picture]) -> Iterator[Frame]:
        """The wanted frames of a chunk, which is decoded from its start, with their times."""
        gop, shift = part.gop, 0 if self.seekable else part.shift
        ends = (*gop.pts[1:], gop.pts[-1] + gop.last_duration)
        for place, rgb in zip(part.wanted, pictures, strict=True):
            yield Frame(rgb, gop.pts[place] - shift, ends[place] - gop.pts[place])

    def _lose(self, error: DamageError) -> None:
        if not self.salvage:
            raise error
        self.lost.append(str(error))
