"""Chunks of random latents, of which tools/format/make_latents.py makes files."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from neurcodec.codec import symbols
from neurcodec.codec.base import base_size
from neurcodec.container import (
    BaseLayer,
    FrameType,
    Gop,
    Header,
    ModelInfo,
    Profile,
    Substream,
    frame_types,
)
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import latent_coder, temporal_units, texture
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.motion import MODES, MOTION_LIMIT
from neurcodec.extensions.caption import stream as caption
from neurcodec.extensions.detail import stream as detailed
from neurcodec.extensions.filling import stream as filling
from neurcodec.extensions.sketch import stream as sketch
from tools.format import av1_units, files

CAPTION = "a bird on a roof, tr\u00e8s pr\u00e8s"
PADDING = 0x7A
"""Header byte of an OBU that decoders pass over."""
CLASS_CHANNELS = (0, 2, 5)
Source = Callable[[random.Random], int]


def small(chance: random.Random) -> int:
    """Mostly 0, rarely far from it."""
    return int(chance.gauss(0, 1.5) * (30 if chance.random() < 0.03 else 1))


def extreme(chance: random.Random) -> int:
    """The largest latents and what lies around the reach of the tables and the clamp of the contexts."""
    return chance.choice([32000, -32000, 511, -511, 128, -128, 127, 9, -9, 8, 1, 0])


def zero(chance: random.Random) -> int:
    """Nothing."""
    return 0


def chunk(
    chance: random.Random, size: tuple[int, int], frames: int, interval: int, source: Source = small
) -> list[FrameLatents]:
    """Latents of a picture of this width and height, every integer from `source`."""
    h, w = -(-size[1] // 16), -(-size[0] // 16)

    def planes(count: int, limit: int) -> np.ndarray:
        flat = [max(-limit, min(limit, source(chance))) for _ in range(count * h * w)]
        return np.array(flat, dtype=np.int16).reshape(count, h, w)

    def choices(count: int) -> np.ndarray:
        flat = [chance.randrange(count) if source is not zero else 0 for _ in range(h * w)]
        return np.array(flat, dtype=np.int16).reshape(h, w)

    result = []
    for kind in frame_types(frames, interval):
        motion = classes = y = None
        quality = 0
        if kind is not FrameType.I:
            mode = choices(MODES if kind is FrameType.S else 1)
            motion = np.concatenate([mode[None], planes(2, MOTION_LIMIT)])
        if kind is not FrameType.S:
            quality = chance.randrange(64)
            classes = choices(len(CLASS_CHANNELS)).astype(np.uint8)
            coded = np.arange(CLASS_CHANNELS[-1])[:, None, None] < np.array(CLASS_CHANNELS)[classes]
            y = np.where(coded, planes(CLASS_CHANNELS[-1], latent_coder.LATENT_LIMIT), 0).astype(np.int16)
        result.append(FrameLatents(kind, motion, classes, y, quality))
    return result


def signed(gop: Gop, size: tuple[int, int], latents: list[FrameLatents]) -> Gop:
    """A chunk of pictures of this size with its digest."""
    told = symbols.read_conditioning(gop.substreams, size[1], size[0], gop.base is not None)
    units = temporal_units.decode(gop) if gop.base else []
    return replace(gop, digest=symbols.digest(gop, latents, told, units))


def gop(
    model: EntropyModel,
    size: tuple[int, int],
    latents: list[FrameLatents],
    interval: int,
    quality: int,
    pts: Iterable[int] | None = None,
    last_duration: int = 512,
) -> Gop:
    """A chunk that holds these latents."""
    times = tuple(pts or (512 * i for i in range(len(latents))))
    streams = latent_coder.encode(model, latents, quality)
    return signed(Gop(times, last_duration, quality, interval, streams, bytes(8)), size, latents)


def units(size: tuple[int, int], scale: int, count: int) -> list[bytes]:
    """The temporal units of a base of so many frames, for pictures of this size."""
    return av1_units.units(*base_size(*size, scale), count)


def base(size: tuple[int, int], streams: dict[Substream, bytes] | None = None, start: int = 0) -> Gop:
    """A chunk of two frames with a base layer in place of latents, and other substreams."""
    own = {Substream.BASE: temporal_units.encode(units(size, 2, 2))}
    parts = dict(sorted({**own, **(streams or {})}.items()))
    whole = Gop((start, start + 512), 512, 0, 1, parts, bytes(8), BaseLayer(2, 50))
    return signed(whole, size, [FrameLatents(kind) for kind in whole.frame_types])


def filled(
    model: EntropyModel,
    chance: random.Random,
    size: tuple[int, int],
    frames: int,
    interval: int,
    detail: int,
    quality: int,
) -> Gop:
    """A chunk whose base layer has every `interval`-th frame; every `detail`-th of these has detail."""
    whole = chunk(chance, size, frames, interval)
    types = [frame.type for frame in whole]
    wanted = detailed.detailed(whole, detail) if detail else []
    latents = []
    for index, frame in enumerate(whole):
        moves = frame.type is FrameType.S or (index > 0 and types[index - 1] is FrameType.S)
        planes = (frame.classes, frame.y) if index in wanted else (None, None)
        latents.append(FrameLatents(frame.type, frame.motion if moves else None, *planes))
    grid = (-(-size[1] // 16), -(-size[0] // 16))
    count = sum(kind is not FrameType.S for kind in types)
    streams = {Substream.BASE: temporal_units.encode(units(size, 1, count))}
    streams |= filling.encode(model, latents, grid, quality)
    streams |= detailed.encode(model, latents, grid, quality, detail)
    pts = tuple(512 * i for i in range(frames))
    return signed(Gop(pts, 512, quality, interval, streams, bytes(8), BaseLayer(1, 50)), size, latents)


def told(model: EntropyModel, chance: random.Random, size: tuple[int, int]) -> Gop:
    """A native chunk with all conditioning that it may have."""
    edges = np.array([[chance.random() < 0.3 for _ in range(-(-size[0] // 8))] for _ in range(-(-size[1] // 8))])
    streams = {Substream.CAPTION: caption.encode(CAPTION), Substream.SKETCH: sketch.encode_edges(edges),
               Substream.TEXTURE: b"\x2a",
               Substream.TEXTURE_LEVELS: texture.encode(levels(chance, size))}  # fmt: skip
    latents = chunk(chance, size, 4, 2)
    whole = gop(model, size, latents, 2, 25)
    return signed(replace(whole, substreams={**whole.substreams, **streams}), size, latents)


def coded(chance: random.Random, size: tuple[int, int]) -> Gop:
    """A chunk with a base layer of OBUs of which some are padding of random bytes, and a texture gap."""
    rows = [unit + b"".join(padding(chance) for _ in range(chance.choice([0, 0, 1, 2]))) for unit in units(size, 2, 6)]
    streams = {Substream.BASE: temporal_units.encode(rows), Substream.TEXTURE: b"\x07",
               Substream.TEXTURE_LEVELS: texture.encode(levels(chance, size))}  # fmt: skip
    whole = Gop(tuple(range(6)), 512, 0, 1, streams, bytes(8), BaseLayer(2, 50))
    return signed(whole, size, [FrameLatents(kind) for kind in whole.frame_types])


def padding(chance: random.Random) -> bytes:
    """An OBU of padding whose first bytes are often the same."""
    size = chance.choice([0, 5, 19, 20, 150])
    payload = bytes(chance.choice([0, 16, 255, chance.randrange(256)]) for _ in range(size))
    return bytes([PADDING]) + pack_uvar(len(payload)) + payload


def levels(chance: random.Random, size: tuple[int, int]) -> np.ndarray:
    """A texture map of a picture of this size."""
    columns = -(-size[0] // 32)
    return np.array([[chance.randrange(3, 16) for _ in range(columns)] for _ in range(-(-size[1] // 32))])


def pack(model: EntropyModel, size: tuple[int, int], gops: Iterable[Gop], rate: int = 25) -> bytes:
    """A file."""
    gops = list(gops)
    profile = Profile.LAYERED if gops[0].base else Profile.NATIVE
    header = Header(*size, Fraction(1, 12800), Fraction(rate), profile=profile)
    return files.pack(gops, header, model=ModelInfo("vectors", bytes(16), model.hash[:16]))
