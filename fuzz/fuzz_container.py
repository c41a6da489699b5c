#!/usr/bin/env python3
"""Fuzzing of the container reader with its CRC checks off, so that mutations reach the rules behind them.

Needs atheris (pip install atheris). Ten minutes, new inputs kept in /tmp/corpus:

    mkdir -p /tmp/corpus && python fuzz/fuzz_container.py -max_total_time=600 -max_len=4096 -timeout=5 \
        -rss_limit_mb=512 -print_final_stats=1 /tmp/corpus fuzz/corpus/container tests/vectors/good tests/vectors/bad

An input that ends in anything but a documented error, takes 5 s or 512 MB is a finding; it goes into
fuzz/corpus/container, which `tests/test_container_fuzz.py` replays. To keep only the inputs that reach something new,
call the file itself (it starts itself again): fuzz/fuzz_container.py -merge=1 INTO FROM...
"""

from __future__ import annotations

import io
import sys

from neurcodec.container import Gop, Limits, Packet, Reader, Writer
from neurcodec.errors import DamageError, FormatError, LimitError

DOCUMENTED = (FormatError, DamageError, LimitError)


class Pipe(io.BytesIO):
    """Bytes that cannot seek."""

    def seekable(self) -> bool:
        """No."""
        return False


def one_input(data: bytes) -> None:
    """Read the bytes in every way; what is accepted must survive being written and read again."""
    try:
        reader = Reader(io.BytesIO(data), check_crc=False)
        items = list(reader)
    except DOCUMENTED:
        items = []
    else:
        rewrite(reader, items)
    try:
        if list(Reader(Pipe(data), check_crc=False)) != items:
            raise RuntimeError("a pipe gives something else than a file")
    except DOCUMENTED:
        if items:
            raise RuntimeError("a pipe is refused where a file is read") from None
    try:
        reader = Reader(io.BytesIO(data), salvage=True, check_crc=False)
        salvaged = list(reader)
        reader.seek_pts(reader.index[-1].first_pts if reader.index else 0)
        reader.seek_frame(sum(item.frames for item in salvaged if isinstance(item, Gop)) // 2)
        next(reader.gops(), None)  # none is left where the record that is there is above a limit
    except DOCUMENTED:
        return
    if items and salvaged != items:
        raise RuntimeError("salvaging gives something else than reading")


def rewrite(reader: Reader, items: list[Gop | Packet]) -> None:
    """Write what was read, and read it again."""
    file = io.BytesIO()
    writer = Writer(file, reader.header, reader.model, Limits())
    for number in sorted(reader.streams):
        writer.write_stream(reader.streams[number])
    writer.write_metadata(reader.metadata)
    for item in items:
        if isinstance(item, Gop):
            writer.write_gop(item)
        else:
            writer.write_packets([item])
    writer.close()
    again = Reader(file)
    if list(again) != items or (again.header, again.streams) != (reader.header, reader.streams):
        raise RuntimeError("what was read and written again is not the same")


def main() -> None:
    """Run atheris with the command line's options."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
