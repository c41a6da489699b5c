"""Substreams and digests of what no encoder writes: the reference decoder, told what to decode and held to no rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from unittest.mock import patch

from neurcodec.container import Gop
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy.model import EntropyModel
from reference_decoder import container, fields, latent_decoder, motion, prior, ranges, side, temporal_units
from reference_decoder.errors import Refused
from reference_decoder.model import Model
from reference_decoder.ranges import RangeDecoder, Table
from tools.format.latent_chunks import pack

RULED = (container, fields, latent_decoder, motion, prior, ranges, side, temporal_units)


class Scripted(RangeDecoder):
    """Gives the symbols that it is told, and knows the bytes of which a decoder gets them."""

    def __init__(self, script: Iterable[int]) -> None:
        super().__init__(b"")
        self.script = iter(script)
        self.words = 2

    def symbol(self, table: Table) -> int:
        """The next symbol of the script."""
        s = next(self.script)
        scale = self.range >> 24
        self.low += scale * table.lower[s]
        self.range = scale * table.frequencies[s]
        if self.range < 2**32:
            self.low, self.range, self.words = self.low << 32, self.range << 32, self.words + 1
        return s

    def ends(self) -> tuple[bytes, bytes]:
        """The substream as an encoder ends it, and one with another end: of as many bytes, or of one more."""
        step = 2**64
        while (value := -(-self.low // step) * step) >= self.low + self.range:
            step //= 256
        other = value + step if value + step < self.low + self.range else value + step // 256
        return self.written(value), self.written(other)

    def coded(self) -> bytes:
        """The substream as an encoder ends it."""
        return self.ends()[0]

    def written(self, value: int) -> bytes:
        """A value as bytes, without zeros behind them."""
        return value.to_bytes(4 * self.words, "big").rstrip(b"\0")


@contextmanager
def lawless() -> Iterator[None]:
    """The reference decoder refuses nothing."""
    with ExitStack() as stack:
        for module in RULED:
            stack.enter_context(patch.object(module, "need", lambda *_: None))
        yield


def texture(script: Iterable[int], size: tuple[int, int]) -> Scripted:
    """The texture levels of a picture of this size, by the decisions."""
    coder = Scripted(script)
    with lawless(), patch.object(side, "RangeDecoder", lambda _: coder):
        side.texture_map(b"", *size)
    return coder


def sketch(script: Iterable[int], size: tuple[int, int]) -> Scripted:
    """The sketch of a picture of this size, by its bits."""
    coder = Scripted(script)
    with lawless(), patch.object(side, "RangeDecoder", lambda _: coder):
        side.sketch(b"", *size)
    return coder


def base_layer(rows: Sequence[Sequence[bytes]], tails: bytes = b"", more: bytes = b"") -> bytes:
    """Substream 3 of these heads of OBUs, unit by unit, as coded, without zeros behind a size; `more` ends them."""
    script: list[int] = []
    for row in rows:
        for number, head in enumerate(row):
            script += [byte >> shift & 1 for byte in head for shift in range(7, -1, -1)]
            script.append(int(number + 1 < len(row)))
    coder, state = Scripted(script), temporal_units.primed().copy()
    with lawless(), suppress(StopIteration):  # of a size that has no end
        temporal_units.heads(coder, state, len(rows))
    heads = coder.coded() + more
    return pack_uvar(len(heads)) + heads + tails


def unruly(model: EntropyModel, spec: Model, size: tuple[int, int], gop: Gop) -> bytes:
    """A file of a chunk whose digest a decoder without rules finds, so that nothing but the rule is broken."""
    content = container.read(pack(model, size, [gop]))
    (one,) = content["gops"]
    with lawless():
        try:
            found = latent_decoder.digest(one, latent_decoder.latents(spec, content, one), content["header"])
        except (StopIteration, ValueError, Refused):  # then nobody gets beyond the rule
            found = bytes(8)
    return pack(model, size, [replace(gop, digest=found)])
