"""The whole chunks of a file one after the other, past damage when salvaging (spec sections 3 and 10)."""

from __future__ import annotations

from zlib import crc32

from neurcodec.container import chunks, tables
from neurcodec.container.chunks import Chunk, Source
from neurcodec.container.records import Limits, Loss
from neurcodec.errors import DamageError, FormatError, LimitError

ERRORS = (FormatError, DamageError, LimitError)
"""What is wrong with a file is one of these."""


class Walk:
    """Reads the preamble, then chunks. What is wrong is raised, or with `salvage` passed over and kept in `losses`.

    version: None where the preamble is damaged. chain: CRC-32 over the CRCs of what was read.
    """

    def __init__(self, source: Source, limits: Limits, salvage: bool, check_crc: bool) -> None:
        self.source, self.limits, self.salvage, self.check_crc = source, limits, salvage, check_crc
        self.losses: list[Loss] = []
        self.version: tuple[int, int] | None = None
        self.chain = 0
        try:
            data, values = chunks.read_preamble(source, limits)
        except ERRORS as error:
            self.lose(0, min(chunks.PREAMBLE_BYTES, source.offset), error)
        else:
            self.version, self.chain = (values["major"], values["minor"]), crc32(data)

    def opening(self) -> tuple[Chunk, Chunk]:
        """HEAD and MODL; when salvaging, from wherever in the file they or their copies are, to walk from its start."""
        chain = self.chain
        head, model = self._opening(tables.HEAD), self._opening(tables.MODL)
        if self.salvage:
            self._rewind()
            self.chain = chain
        return head, model

    def next(self) -> Chunk | None:
        """The next whole chunk; None when salvaging, where nothing is left."""
        start = self.source.offset
        try:
            found = self._read()
            if found is None:
                raise DamageError(f"at byte {start}: the file ends without its end chunk FEND (it was cut off)")
        except ERRORS as error:
            found = chunks.resync(self.source, start, self.limits) if self.salvage else None
            self.lose(start, found.offset if found else self.source.size or 0, error)
        return found

    def lose(self, start: int, end: int, error: Exception) -> None:
        """Note a loss, or raise the error unless salvaging."""
        if not self.salvage:
            raise error
        self.losses.append(Loss(start, end, str(error)))

    def _opening(self, kind: bytes) -> Chunk:
        chunk = self._search(kind) if self.salvage else self._read()
        if chunk is None or chunk.type.upper() != kind or (chunk.type != kind and not self.salvage):
            place = chunk.offset if chunk else self.source.offset
            error = FormatError if self.salvage and self.version is None else DamageError
            raise error(f"at byte {place}: the file has no {kind.decode()} chunk where it must be")
        return chunk

    def _search(self, kind: bytes) -> Chunk | None:
        """The first whole chunk of this type, or its copy, in the file."""
        self._rewind()
        while True:
            start = self.source.offset
            try:
                chunk = self._read()
            except ERRORS:
                chunk = chunks.resync(self.source, start, self.limits)
            if chunk is None or chunk.type.upper() == kind:
                return chunk

    def _rewind(self) -> None:
        """Go to where the first chunk should start."""
        self.source.seek(min(chunks.PREAMBLE_BYTES, self.source.size or 0))

    def _read(self) -> Chunk | None:
        chunk = chunks.read_chunk(self.source, self.limits, self.check_crc)
        if chunk is not None and chunk.type != tables.FEND:
            self.chain = crc32(chunk.crc, self.chain)
        return chunk
