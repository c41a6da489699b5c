"""A chunk's latents (spec section 6.5): its frames' integers, to and from the range-coded substreams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurcodec.container import FrameType, Substream, frame_types
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.motion import MotionCoder
from neurcodec.entropy.prior import Array, PriorState
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import DamageError

LATENT_LIMIT = 32000
"""Largest latent."""
QUALITY_BITS = 6
INTRA_OFFSET = 10
"""How much finer than in P frames the steps are at the I prior's quality: it is shown the frame's quality less this."""


@dataclass(frozen=True, slots=True)
class FrameLatents:
    """The integers of one frame on the latent grid (h, w).

    motion: int16 (3, h, w): mode, dx, dy in quarter pixels; None for I. classes: uint8 (h, w) and y: int16 (C, h, w),
    where a position's class says how many leading channels are coded, the others being zero; None for S. quality: the
    frame's own, 0..63, of I and P frames.
    """

    type: FrameType
    motion: NDArray[np.int16] | None = None
    classes: NDArray[np.uint8] | None = None
    y: NDArray[np.int16] | None = None
    quality: int = 0


def coding_order(types: Sequence[FrameType]) -> list[int]:
    """Display indexes in coding order: each backbone, then the sparse frames before it."""
    order: list[int] = []
    waiting: list[int] = []
    for index, kind in enumerate(types):
        if kind is FrameType.S:
            waiting.append(index)
        else:
            order += [index, *waiting]
            waiting = []
    return order


def exact(frame: FrameLatents) -> bytes:
    """All integers of a frame: its quality as one byte, then mode, dx, dy, classes and latents, as far as it has them,
    each int16 little-endian in raster order."""
    planes = (plane for plane in (frame.motion, frame.classes, frame.y) if plane is not None)
    return bytes([frame.quality]) + b"".join(plane.astype("<i2").tobytes() for plane in planes)


Planes = tuple[NDArray[np.int64], NDArray[np.int64]]
"""One frame's symbols for one prior: classes (h, w) and values (K, h, w)."""


Motion = NDArray[np.int64]
"""Vectors (2, h, w) in quarter pixels."""


class PlaneCoder(Protocol):
    """Codes one frame's planes with the named prior, or records them."""

    def code(
        self, prior: str, context: Array, class_channels: NDArray[np.int64], limit: int, planes: Planes | None
    ) -> Planes:
        """Code classes and values; `class_channels`: how many channels a class codes; `limit` bounds the values."""
        ...

    def motion(self, kind: FrameType, place: Motion, last: Motion, planes: Planes | None) -> Planes:
        """Code modes and vectors, given the fields (2, h, w) that they may be like."""
        ...

    def quality(self, value: int | None) -> int:
        """Code a frame's quality."""
        ...


class SymbolCoder:
    """Range-codes planes; an encoder and a decoder share every step but the last.

    With `planes` given it writes them to an `Encoder`; without, it reads from a `Decoder`.
    """

    def __init__(self, model: EntropyModel, coder: Encoder | Decoder) -> None:
        self.model, self.coder = model, coder
        self.motion_coder = MotionCoder(coder)

    def motion(self, kind: FrameType, place: Motion, last: Motion, planes: Planes | None) -> Planes:
        """See `PlaneCoder.motion`; DamageError when a decoded vector is out of range."""
        return self.motion_coder.code(kind, place, last, planes)

    def quality(self, value: int | None) -> int:
        """See `PlaneCoder.quality`."""
        if isinstance(self.coder, Decoder):
            return self.coder.bits(QUALITY_BITS)
        if value is None:
            raise ValueError("an encoder needs the symbols")
        self.coder.bits(value, QUALITY_BITS)
        return value

    def code(
        self, prior: str, context: Array, class_channels: NDArray[np.int64], limit: int, planes: Planes | None
    ) -> Planes:
        """See `PlaneCoder.code`; DamageError when a decoded value is out of range."""
        state = PriorState(self.model.priors[prior], context)
        for number in range(4):
            rows, columns = state.start_pass(number)
            classes = self.classes(state, len(class_channels), None if planes is None else planes[0][rows, columns])
            mean, tables = state.value_tables(classes)
            coded = np.arange(mean.shape[1]) < class_channels[classes][:, None]
            values = np.zeros_like(mean)
            wanted = planes[1][:, rows, columns].T[coded] if planes is not None else None
            values[coded] = self.residuals(tables[coded], mean[coded], wanted)
            if np.abs(values).max(initial=0) > limit:
                raise DamageError("a decoded symbol is out of range; the file is damaged")
            state.put(rows, columns, classes, values)
        return state.classes, state.values

    def classes(self, state: PriorState, count: int, wanted: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """Code the class symbols of a pass."""
        tables = state.class_tables()
        models = self.model.class_models[count]
        if isinstance(self.coder, Decoder):
            return self.coder.symbols(tables, models)
        if wanted is None:
            raise ValueError("an encoder needs the symbols")
        self.coder.symbols(wanted, tables, models)
        return wanted

    def residuals(
        self, tables: NDArray[np.int64], mean: NDArray[np.int64], wanted: NDArray[np.int64] | None
    ) -> NDArray[np.int64]:
        """Code value symbols as residuals to their means; what a table does not reach is escaped."""
        sizes = np.array([len(table) for table in self.model.tables.value])
        reach = sizes[tables] // 2 - 1
        if isinstance(self.coder, Encoder):
            if wanted is None:
                raise ValueError("an encoder needs the symbols")
            residual = wanted - mean
            escaped = np.abs(residual) > reach
            self.coder.symbols(np.where(escaped, 2 * reach + 1, residual + reach), tables, self.model.value_models)
            for value, edge in zip(residual[escaped], reach[escaped], strict=True):
                write_escape(self.coder, int(value), int(edge))
            return wanted
        symbols = self.coder.symbols(tables, self.model.value_models)
        residual = symbols - reach
        for index in np.flatnonzero(symbols == 2 * reach + 1):
            residual[index] = read_escape(self.coder, int(reach[index]))
        return mean + residual


def write_escape(coder: Encoder, residual: int, reach: int) -> None:
    """An escaped residual: sign, bit length of the excess (4 bits), then its bits below the highest."""
    excess = abs(residual) - reach
    coder.bits(int(residual < 0), 1)
    coder.bits(excess.bit_length() - 1, 4)
    coder.bits(excess, excess.bit_length() - 1)


def read_escape(coder: Decoder, reach: int) -> int:
    """The inverse of `write_escape`."""
    negative = coder.bits(1)
    length = coder.bits(4)
    magnitude = reach + ((1 << length) | coder.bits(length))
    return -magnitude if negative else magnitude


def plane(value: float, grid: tuple[int, int]) -> Array:
    """A constant context plane (1, h, w)."""
    return np.full((1, *grid), float(value))


class ChunkCoder:
    """Walks a chunk in coding order, with the contexts that each frame's prior may read (spec section 6.5)."""

    def __init__(
        self, model: EntropyModel, coders: Mapping[Substream, PlaneCoder], grid: tuple[int, int], quality: int
    ) -> None:
        self.model, self.coders, self.grid = model, coders, grid
        self.quality = plane(quality, grid)
        self.latents = (np.zeros(grid, dtype=np.int64), np.zeros((model.class_channels[-1], *grid), dtype=np.int64))
        self.motion: Motion = np.zeros((2, *grid), dtype=np.int64)
        self.sparse = self.motion

    def scaled(self, values: NDArray[np.int64], prior: str) -> Array:
        """Symbols as context planes: clamped to 8 bits, in the units of a prior's input."""
        return np.clip(values, -127, 127).astype(np.float64) * (1 << self.model.priors[prior].shift)

    def frame(self, kind: FrameType, distance: int, span: int, given: FrameLatents | None) -> FrameLatents:
        """Code one frame; `distance` frames after the backbone before it, `span` between its two backbones."""
        if kind is FrameType.S:
            return self.sparse_frame(distance, span, given)
        motion = self.backbone_motion(distance, given) if kind is FrameType.P else None
        stream = Substream.LATENTS_I if kind is FrameType.I else Substream.LATENTS_P
        quality = self.coders[stream].quality(None if given is None else given.quality)
        self.quality = plane(max(0, quality - INTRA_OFFSET) if kind is FrameType.I else quality, self.grid)
        self.latents = self.backbone_latents(kind, given)
        classes, y = self.latents
        return FrameLatents(kind, motion, classes.astype(np.uint8), y.astype(np.int16), quality)

    def moved(self, kind: FrameType, place: Motion, last: Motion, given: FrameLatents | None) -> Planes:
        """Code a frame's modes and vectors."""
        planes = None
        if given is not None and given.motion is not None:
            planes = given.motion[0].astype(np.int64), given.motion[1:].astype(np.int64)
        return self.coders[Substream.MOTION].motion(kind, place, last, planes)

    def backbone_motion(self, distance: int, given: FrameLatents | None) -> NDArray[np.int16]:
        """Code the motion (3, h, w) of a P frame, given that of the backbone before it."""
        mode, self.motion = self.moved(FrameType.P, self.motion, self.motion, given)
        self.sparse = self.motion
        return np.concatenate([mode[None], self.motion]).astype(np.int16)

    def backbone_latents(self, kind: FrameType, given: FrameLatents | None) -> Planes:
        """Code the latents of an I or P frame."""
        planes = None
        if given is not None and given.classes is not None and given.y is not None:
            planes = given.classes.astype(np.int64), given.y.astype(np.int64)
        class_channels = np.array(self.model.class_channels)
        if kind is FrameType.I:
            coder = self.coders[Substream.LATENTS_I]
            return coder.code("latents_i", self.quality, class_channels, LATENT_LIMIT, planes)
        classes, y = self.latents
        context = np.concatenate(
            [self.scaled(y, "latents_p"), 16.0 * classes[None], self.scaled(self.motion, "latents_p"), self.quality]
        )
        return self.coders[Substream.LATENTS_P].code("latents_p", context, class_channels, LATENT_LIMIT, planes)

    def sparse_frame(self, distance: int, span: int, given: FrameLatents | None) -> FrameLatents:
        """Code the motion of an S frame, given that of the backbone after it and of the S frame before it."""
        mode, self.sparse = self.moved(FrameType.S, self.motion, self.sparse, given)
        return FrameLatents(FrameType.S, np.concatenate([mode[None], self.sparse]).astype(np.int16), None, None)


def positions(types: Sequence[FrameType]) -> list[tuple[int, int]]:
    """For each frame: how many frames after the backbone before it, and how far apart its two backbones are."""
    backbones = [index for index, kind in enumerate(types) if kind is not FrameType.S]
    result = []
    for index in range(len(types)):
        before = max((b for b in backbones if b < index), default=index)
        after = min(b for b in backbones if b >= index)
        result.append((index - before, max(1, after - before)))
    return result


def code_chunk(
    coder: ChunkCoder, types: Sequence[FrameType], given: Sequence[FrameLatents] | None
) -> list[FrameLatents]:
    """Code all frames of a chunk; returned in display order."""
    places = positions(types)
    frames: dict[int, FrameLatents] = {}
    for index in coding_order(types):
        frames[index] = coder.frame(types[index], *places[index], given[index] if given is not None else None)
    return [frames[index] for index in range(len(types))]


STREAMS = (Substream.MOTION, Substream.LATENTS_I, Substream.LATENTS_P)


def encode(model: EntropyModel, frames: Sequence[FrameLatents], quality: int) -> dict[Substream, bytes]:
    """Range-code a chunk's integers (display order) at a quality 0..63; empty substreams are left out."""
    first = frames[0].classes
    if first is None:
        raise ValueError("a chunk starts with an I frame")
    coders = {stream: Encoder() for stream in STREAMS}
    grid = (first.shape[0], first.shape[1])
    planes = {stream: SymbolCoder(model, coder) for stream, coder in coders.items()}
    code_chunk(ChunkCoder(model, planes, grid, quality), [frame.type for frame in frames], frames)
    streams = {stream: coder.finish() for stream, coder in coders.items()}
    return {stream: data for stream, data in streams.items() if data}


def decode(
    model: EntropyModel,
    streams: Mapping[Substream, bytes],
    frames: int,
    interval: int,
    grid: tuple[int, int],
    quality: int,
) -> list[FrameLatents]:
    """Decode a chunk of `frames` frames on a latent grid (h, w); DamageError when the substreams do not fit it."""
    coders = {stream: Decoder(streams.get(stream, b"")) for stream in STREAMS}
    planes = {stream: SymbolCoder(model, coder) for stream, coder in coders.items()}
    latents = code_chunk(ChunkCoder(model, planes, grid, quality), frame_types(frames, interval), None)
    for coder in coders.values():
        coder.finish()
    return latents
