"""Going on with an interrupted encoding job: what its partial file holds is not coded again, but checked.

The job runs again from its start. Chunks of frames that the partial file already holds are taken from it, and every
byte that is written is compared with the file's as far as that reaches; behind its last whole chunk new bytes are
appended. So the result is what an uninterrupted job writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from neurcodec.codec import side
from neurcodec.container import Gop, Limits, Reader, Substream
from neurcodec.container.chunks import Source, read_chunk, read_preamble
from neurcodec.errors import DamageError, FormatError, LimitError, OutputError
from neurcodec.jobs.options import EncodeOptions
from neurcodec.media import Frame

_ERRORS = (FormatError, DamageError, LimitError)
SAME = (Substream.CAPTION, Substream.SKETCH, Substream.TEXTURE)
"""Side streams that follow from frames and options alone, at no cost worth mentioning."""


class Partial:
    """The partial file at `path`, which need not exist yet, as a Writer's file. OutputError if it is something else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._file: BinaryIO = path.open("r+b")
        self._whole = self._whole_bytes()
        self._at = 0
        self._stored = path.open("rb")
        self._gops = self._read()
        self._file.seek(0)

    def __enter__(self) -> Partial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stored.close()
        with self._file:
            if kind is None:
                self._file.truncate(self._at)

    def write(self, data: bytes) -> int:
        """Compare with what is there up to the last whole chunk; write (and flush) behind it."""
        if self._at < self._whole:
            if self._file.read(len(data)) != data:
                raise self._other()
        else:
            if self._at == self._whole:
                self._file.seek(self._at)
                self._file.truncate()
            self._file.write(data)
            self._file.flush()
        self._at += len(data)
        return len(data)

    def take(self, frames: Sequence[Frame], options: EncodeOptions) -> Gop | None:
        """The chunk of these frames if the file holds it; None behind its end."""
        gop = next(self._gops, None)
        if gop is None:
            return None
        streams = side.encode(np.stack([frame.rgb for frame in frames]), options)
        if (
            gop.pts != tuple(frame.pts for frame in frames)
            or gop.last_duration != frames[-1].duration
            or gop.quality != options.quality
            or options.backbone_interval not in (None, gop.backbone_interval)
            or (gop.base is not None and bool(options.detail) != (Substream.LATENTS_P in gop.substreams))
            or {kind: streams.get(kind) for kind in SAME} != {kind: gop.substreams.get(kind) for kind in SAME}
        ):
            raise self._other()
        return gop

    def _other(self) -> OutputError:
        return OutputError(f"{self.path}: is from another input, model or setting; delete it to start afresh")

    def _whole_bytes(self) -> int:
        """Where the last whole chunk of the container ends; 0 if not even the start of a file is there."""
        source, end = Source(self._file), 0
        try:
            read_preamble(source, Limits())
            end = source.offset
            while read_chunk(source, Limits()):
                end = source.offset
        except FormatError:
            if source.size:
                raise OutputError(f"{self.path}: is no partial .nvc file; delete or rename it") from None
        except (DamageError, LimitError):
            pass
        return end

    def _read(self) -> Iterator[Gop]:
        try:
            yield from Reader(self._stored).gops()
        except _ERRORS:
            return
