"""Chunks that are done, found by a fingerprint of everything that their bytes depend on.

A store in a file lets a job that was stopped go on: what it has is not coded again. Its file starts with a line of its
own; then every chunk is a fingerprint and a GOPC record with its CRC. What does not read back is coded again.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from neurcodec import __version__
from neurcodec.container import Gop, Header, Limits, tables
from neurcodec.container.framing import Source, pack_record, read_record
from neurcodec.container.payloads import pack_gop, unpack_gop
from neurcodec.errors import DamageError, FormatError, LimitError, OutputError

if TYPE_CHECKING:
    from neurcodec.codec.settings import Pictures, Settings

logger = logging.getLogger(__name__)

SIGNATURE = b"chunks of ncodec, to go on from\n"
_KEY_BYTES = 32


class Fingerprint:
    """Names chunks by their pictures, their settings, and what `common` says of all of a job's: model, profile, device.

    The version of the package counts too: another one may code other bytes.
    """

    def __init__(self, *common: object) -> None:
        self._common = repr((__version__, common)).encode()

    def of(self, pictures: Pictures, settings: Settings) -> bytes:
        """The fingerprint of a chunk, 32 bytes."""
        rgb, *times = pictures
        total = hashlib.sha256(self._common + repr((rgb.shape, times, settings)).encode())
        total.update(rgb.data)
        return total.digest()


class Store(Protocol):
    """A mapping of fingerprints to chunks. A context manager."""

    def get(self, key: bytes) -> Gop | None:
        """The chunk with this fingerprint, if it is done."""

    def put(self, key: bytes, gop: Gop) -> None:
        """Keep a chunk."""


class MemoryStore:
    """Keeps chunks as long as the job runs."""

    def __init__(self) -> None:
        self._gops: dict[bytes, Gop] = {}

    def get(self, key: bytes) -> Gop | None:
        """The chunk with this fingerprint, if it is done."""
        return self._gops.get(key)

    def put(self, key: bytes, gop: Gop) -> None:
        """Keep a chunk."""
        self._gops[key] = gop


class FileStore(MemoryStore):
    """Keeps chunks in the file `path` too, which need not exist yet; OutputError if it is something else.

    As a context manager it removes the file when the block ends well, or when there is nothing in it.
    """

    def __init__(self, path: Path, header: Header) -> None:
        super().__init__()
        self.path, self._header = path, header
        path.touch()
        self._file = path.open("r+b")
        self._file.seek(self._read())
        self._file.truncate()
        self._file.flush()

    def __enter__(self) -> FileStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None or not self._gops:
            self.path.unlink()

    def put(self, key: bytes, gop: Gop) -> None:
        """Keep a chunk, at once also on the disk."""
        super().put(key, gop)
        self._file.write(key + pack_record(tables.GOPC, pack_gop(gop, 0, None)))
        self._file.flush()

    def _read(self) -> int:
        """Take the chunks of the file up to the first that does not read back; returns where they end."""
        source = Source(self._file)
        start = source.read(len(SIGNATURE))
        if not SIGNATURE.startswith(start):
            self._file.close()
            raise OutputError(f"{self.path}: holds no chunks of an earlier job; delete or rename it")
        if start != SIGNATURE:
            self._file.seek(0)
            return self._file.write(SIGNATURE)
        end = source.offset
        try:
            while len(key := source.read(_KEY_BYTES)) == _KEY_BYTES:
                chunk = read_record(source, Limits())
                if chunk is None or chunk.type != tables.GOPC:
                    break
                super().put(key, unpack_gop(chunk.cursor(Limits()), self._header))
                end = chunk.end
        except (DamageError, FormatError, LimitError) as error:
            logger.info("%s: %s; it is coded again from there", self.path, error)
        return end
