"""The whole records of a file one after the other, past damage when salvaging (spec sections 3 and 10)."""

from __future__ import annotations

from zlib import crc32

from neurcodec.container import framing, tables
from neurcodec.container.framing import Record, Source
from neurcodec.container.values import Limits, Loss
from neurcodec.errors import DamageError, FormatError, LimitError

ERRORS = (FormatError, DamageError, LimitError)
"""What is wrong with a file is one of these."""


class Walk:
    """Reads the preamble, then records. What is wrong is raised, or with `salvage` passed over and kept in `losses`.

    version: None where the preamble is damaged. min_reader_minor: what is there, else this reader's minor version.
    chain: CRC-32 over the CRCs of what was read.
    """

    def __init__(self, source: Source, limits: Limits, salvage: bool, check_crc: bool) -> None:
        self.source, self.limits, self.salvage, self.check_crc = source, limits, salvage, check_crc
        self.losses: list[Loss] = []
        self.version: tuple[int, int] | None = None
        self.min_reader_minor = tables.MINOR
        self.chain = 0
        try:
            data, values = framing.read_preamble(source, limits)
        except ERRORS as error:
            self.lose(0, min(framing.PREAMBLE_BYTES, source.offset), error)
        else:
            self.version, self.chain = (values["major"], values["minor"]), crc32(data)
            self.min_reader_minor = values["min_reader_minor"]
        if salvage:
            source.file_id = framing.find_file_id(source, limits)

    def opening(self) -> tuple[Record, Record]:
        """HEAD and MODL; when salvaging, from wherever in the file they or their copies are, to walk from its start."""
        chain = self.chain
        head, model = self._opening(tables.HEAD), self._opening(tables.MODL)
        if self.salvage:
            self._rewind()
            self.chain = chain
        return head, model

    def next(self) -> Record | None:
        """The next whole record; None when salvaging, where nothing is left."""
        start = self.source.offset
        try:
            found = self._read()
            if found is None:
                raise DamageError(f"at byte {start}: the file ends without its end record FEND (it was cut off)")
        except ERRORS as error:
            found = framing.resync(self.source, start, self.limits) if self.salvage else None
            self.lose(start, found.offset if found else self.source.size or 0, error)
        return found

    def lose(self, start: int, end: int, error: Exception) -> None:
        """Note a loss, or raise the error unless salvaging."""
        if not self.salvage:
            raise error
        self.losses.append(Loss(start, end, str(error)))

    def _opening(self, kind: bytes) -> Record:
        record = self._search(kind) if self.salvage else self._read()
        if record is None or record.type.upper() != kind or (record.type != kind and not self.salvage):
            place = record.offset if record else self.source.offset
            error = FormatError if self.salvage and self.version is None else DamageError
            raise error(f"at byte {place}: the file has no {kind.decode()} record where it must be")
        return record

    def _search(self, kind: bytes) -> Record | None:
        """The first whole record of this type, or its copy, in the file."""
        self._rewind()
        while True:
            start = self.source.offset
            try:
                record = self._read()
            except ERRORS:
                record = framing.resync(self.source, start, self.limits)
            if record is None or record.type.upper() == kind:
                return record

    def _rewind(self) -> None:
        """Go to where the first record should start."""
        self.source.seek(min(framing.PREAMBLE_BYTES, self.source.size or 0))

    def _read(self) -> Record | None:
        record = framing.read_record(self.source, self.limits, self.check_crc)
        if record is not None and record.type != tables.FEND:
            self.chain = crc32(record.crc, self.chain)
        return record
