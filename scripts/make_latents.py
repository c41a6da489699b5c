"""Write the bit plane's test vectors again: python scripts/make_latents.py. The same bytes come out every time.

tests/vectors/latents/*.nvc decode to the latents whose digests tests/vectors/latents/digests.json lists, chunk by
chunk; tests/vectors/bad_latents/*.nvc are whole files whose latents must be refused, with the class of error that
errors.json there names. Their model is tests/vectors/model/entropy.safetensors: random integers, smaller than a real
model's but in the same format. It is made once and never changes, because files that name it must decode for ever.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import numpy as np

from neurcodec.container import (
    BaseLayer,
    FrameType,
    Gop,
    Header,
    ModelInfo,
    Profile,
    Substream,
    Writer,
    frame_types,
)
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import bitplane, layered, packets, sketch, texture
from neurcodec.entropy import motion as motion_plane
from neurcodec.entropy.bitplane import FrameLatents
from neurcodec.entropy.model import PRIORS, EntropyModel
from neurcodec.entropy.motion import MODES, MOTION_LIMIT
from neurcodec.entropy.prior import PriorWeights
from neurcodec.entropy.tables import (
    PHASES,
    SCALE_OFFSET,
    SCALES,
    Tables,
    build_class_tables,
    laplace_cdf,
    normalise,
)

VECTORS = Path(__file__).parent.parent / "tests" / "vectors"
MODEL = VECTORS / "model" / "entropy.safetensors"
CAPTION = bytes.fromhex("4b84842228038133850e30a51c5e014c22201200")  # "a bird on a roof, très près"
CUTS = (0, 2, 5)
HIDDEN = 6
Source = Callable[[random.Random], int]


def value_tables() -> tuple[np.ndarray, ...]:
    """Tables as the exporter's, but of a short reach, so that escapes are common."""
    tables = []
    for index in range(SCALES):
        scale, reach = 2.0 ** ((index - SCALE_OFFSET) / 4), 2 + index // 6
        for phase in range(PHASES):
            edges = np.arange(-reach, reach + 2, dtype=np.float64) - (0.5 + (phase - PHASES // 2) / PHASES)
            mass = np.diff(laplace_cdf(edges, scale))
            tables.append(normalise(np.append(mass, max(1 - mass.sum(), 0.0))))
    return tuple(tables)


def prior(chance: random.Random, channels: int, classes: int, planes: int, previous: bool) -> PriorWeights:
    """Random weights; sums stay near the activations' range, and sometimes leave it."""

    def some(spread: int, *shape: int) -> np.ndarray:
        flat = [chance.randint(-spread, spread) for _ in range(int(np.prod(shape)))]
        return np.array(flat, dtype=np.float64).reshape(shape)

    return PriorWeights(
        context=some(500, HIDDEN, 9 * planes), context_bias=some(20000, HIDDEN),
        current=some(400, 4, HIDDEN, 9 * (channels + 2)), current_bias=some(20000, 4, HIDDEN),
        hidden=some(300, HIDDEN, HIDDEN), hidden_bias=some(20000, HIDDEN),
        classes=some(150, 2, HIDDEN), classes_bias=some(20000, 2),
        class_embedding=some(200, classes, HIDDEN),
        values=some(120, 2 * channels, HIDDEN), values_bias=some(20000, 2 * channels),
        taps=some(80, 4, channels, 9), previous=some(128, channels if previous else 0),
        shift=chance.randint(2, 4),
    )  # fmt: skip


def make_model() -> EntropyModel:
    """The model of the vectors; its file is committed, and this says where it came from."""
    chance = random.Random(20)
    channels = CUTS[-1]
    shapes = ((channels, len(CUTS), 1, False), (channels, len(CUTS), channels + 4, True))
    priors = {name: prior(chance, *shape) for name, shape in zip(PRIORS, shapes, strict=True)}
    return EntropyModel(Tables(value_tables(), {len(CUTS): build_class_tables(len(CUTS))}), priors, CUTS, b"")


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
            classes = choices(len(CUTS)).astype(np.uint8)
            coded = np.arange(CUTS[-1])[:, None, None] < np.array(CUTS)[classes]
            y = np.where(coded, planes(CUTS[-1], bitplane.LATENT_LIMIT), 0).astype(np.int16)
        result.append(FrameLatents(kind, motion, classes, y, quality))
    return result


def gop(
    model: EntropyModel,
    latents: list[FrameLatents],
    interval: int,
    quality: int,
    pts: Iterable[int] | None = None,
    last_duration: int = 512,
) -> Gop:
    """A chunk that holds these latents."""
    times = tuple(pts or (512 * i for i in range(len(latents))))
    streams = bitplane.encode(model, latents, quality)
    return Gop(times, last_duration, quality, interval, streams, bitplane.digest(latents))


def base() -> Gop:
    """A chunk with a base layer (that is none) in place of latents."""
    return Gop((0, 512), 512, 0, 1, {Substream.BASE: b"AV1 packets"}, bitplane.digest([]), BaseLayer(2, 1, 50))


def filled(
    model: EntropyModel,
    chance: random.Random,
    size: tuple[int, int],
    frames: int,
    divisor: int,
    detail: int,
    quality: int,
) -> Gop:
    """A chunk whose base layer (that is none) has every `divisor`-th frame, and detail on every `detail`-th of them."""
    whole = chunk(chance, size, frames, divisor)
    types = [frame.type for frame in whole]
    wanted = layered.detailed(types, detail)
    latents = []
    for index, frame in enumerate(whole):
        moves = frame.type is FrameType.S or (index > 0 and types[index - 1] is FrameType.S)
        planes = (frame.classes, frame.y) if index in wanted else (None, None)
        latents.append(FrameLatents(frame.type, frame.motion if moves else None, *planes))
    grid = (-(-size[1] // 16), -(-size[0] // 16))
    streams = {Substream.BASE: b"AV1 packets", **layered.encode(model, latents, grid, quality, detail)}
    pts = tuple(512 * i for i in range(frames))
    return Gop(pts, 512, quality, 1, streams, bitplane.digest(latents), BaseLayer(1, divisor, 50))


def hinted(model: EntropyModel, chance: random.Random, size: tuple[int, int]) -> Gop:
    """A native chunk with all side streams that it may have."""
    edges = np.array([[chance.random() < 0.3 for _ in range(-(-size[0] // 8))] for _ in range(-(-size[1] // 8))])
    streams = {Substream.CAPTION: CAPTION, Substream.SKETCH: sketch.encode(edges), Substream.TEXTURE: b"\x2a",
               Substream.TEXTURE_MAP: texture.encode(levels(chance, size))}  # fmt: skip
    whole = gop(model, chunk(chance, size, 4, 2), 2, 25)
    return replace(whole, substreams=whole.substreams | streams)


def coded(chance: random.Random, size: tuple[int, int]) -> Gop:
    """A chunk with coded heads of a base layer (OBUs of random bytes) and a texture gap."""
    rows = [b"".join(obu(chance) for _ in range(chance.choice([1, 1, 2, 3]))) for _ in range(6)]
    gap = {Substream.TEXTURE: b"\x07", Substream.TEXTURE_GAP: texture.encode(levels(chance, size))}
    return replace(base(), pts=tuple(range(6)), substreams=packets.encode(rows) | gap)


def strong(gop: Gop, strength: int, start: int = 0) -> Gop:
    """A chunk with a strength of the generator, this much later."""
    pts = tuple(start + moment for moment in gop.pts)
    return replace(gop, pts=pts, substreams=gop.substreams | {Substream.STRENGTH: bytes([strength])})


def obu(chance: random.Random) -> bytes:
    """An OBU whose first bytes are often the same."""
    size = chance.choice([0, 5, 19, 20, 150])
    payload = bytes(chance.choice([0, 16, 255, chance.randrange(256)]) for _ in range(size))
    return bytes([chance.choice([0x0A, 0x32])]) + pack_uvar(len(payload)) + payload


def levels(chance: random.Random, size: tuple[int, int]) -> np.ndarray:
    """A texture map of a picture of this size."""
    columns = -(-size[0] // 32)
    return np.array([[chance.randrange(3, 16) for _ in range(columns)] for _ in range(-(-size[1] // 32))])


def pack(model: EntropyModel, size: tuple[int, int], gops: Iterable[Gop], rate: int = 25, minor: int = 0) -> bytes:
    """A file."""
    file = io.BytesIO()
    gops = list(gops)
    profile = Profile.LAYERED if gops[0].base else Profile.NATIVE
    header = Header(*size, Fraction(1, 12800), Fraction(rate), profile=profile)
    writer = Writer(file, header, ModelInfo("vectors", bytes(16), model.hash[:16]), minor=minor)
    for item in gops:
        writer.write_gop(item)
    writer.close()
    return file.getvalue()


def good(model: EntropyModel) -> dict[str, bytes]:
    """The files that must decode, each of one kind of chunk, and one of several chunks with listed times."""
    chance = random.Random(4)
    kinds: dict[str, tuple[tuple[int, int], int, int, int, Source]] = {
        "intra": ((64, 48), 1, 1, 0, small),
        "one_position": ((1, 1), 3, 2, 63, small),
        "one_row": ((200, 10), 3, 2, 5, small),
        "one_column": ((16, 90), 3, 1, 58, small),
        "backbone": ((61, 35), 4, 1, 63, small),
        "sparse2": ((80, 49), 5, 2, 20, small),
        "sparse3": ((79, 50), 8, 3, 31, small),
        "sparse4": ((66, 64), 10, 4, 45, small),
        "escapes": ((33, 47), 5, 3, 0, extreme),
        "zero": ((96, 96), 6, 4, 32, zero),
    }
    files = {
        name: pack(model, size, [gop(model, chunk(chance, size, frames, interval, source), interval, quality)])
        for name, (size, frames, interval, quality, source) in kinds.items()
    }
    size = (47, 31)
    gops = [
        gop(model, chunk(chance, size, 4, 3), 3, 0, (-700, 0, 7, 1900), 11),
        gop(model, chunk(chance, size, 1, 4), 4, 63, (2000,), 1),
        gop(model, chunk(chance, size, 6, 2), 2, 17, (2001, 2100, 2240, 2999, 3000, 9000), 0),
    ]
    files |= {"chunks": pack(model, size, gops, rate=0), "layered": pack(model, size, [base()])}
    added = {"filled": (9, 3, 0), "detail": (5, 1, 2), "filled_detail": (8, 2, 3), "one_detail": (6, 4, 255)}
    wide, other = (333, 130), random.Random(14)
    files["hinted"] = pack(model, wide, [hinted(model, other, wide)], minor=2)
    files["coded"] = pack(model, wide, [coded(other, wide)], minor=4)
    files["strengths"] = pack(model, size, [strong(base(), 0), strong(base(), 7, 1024)], minor=5)
    return files | {
        name: pack(model, size, [filled(model, chance, size, *shape, quality=33)], minor=1)
        for name, shape in added.items()
    }


def bad(model: EntropyModel) -> dict[str, tuple[str, bytes]]:
    """The files whose structure is right and whose latents must be refused, and how."""
    chance = random.Random(8)
    size = (64, 48)
    whole = gop(model, chunk(chance, size, 5, 2), 2, 30)
    intra = gop(model, chunk(chance, size, 1, 1), 1, 30)
    with patch.object(motion_plane, "MOTION_LIMIT", 512):
        far = chunk(chance, size, 2, 1)
        far[1].motion[1, 0, 0] = 512
        wide = gop(model, far, 1, 30)
    with patch.object(bitplane, "LATENT_LIMIT", 32001):
        large = chunk(chance, size, 1, 1)
        large[0].classes[0, 0], large[0].y[0, 0, 0] = 2, 32001
        loud = gop(model, large, 1, 30)

    gap = filled(model, chance, size, 5, 2, 0, 30)
    detailed = filled(model, chance, size, 5, 2, 1, 30)

    def streams(**parts: bytes) -> Gop:
        return replace(whole, substreams=whole.substreams | {Substream[name.upper()]: parts[name] for name in parts})

    motion, latents = whole.substreams[Substream.MOTION], whole.substreams[Substream.LATENTS_P]
    middle = len(latents) // 2
    other = replace(model, hash=bytes(reversed(model.hash)))
    return {
        "digest": ("DamageError", pack(model, size, [replace(whole, latents_digest=bytes(8))])),
        "changed": ("DamageError", pack(model, size, [streams(
            latents_p=latents[:middle] + bytes([latents[middle] ^ 16]) + latents[middle + 1 :])])),
        "exchanged": ("DamageError", pack(model, size, [streams(motion=latents, latents_p=motion)])),
        "cut": ("DamageError", pack(model, size, [streams(latents_p=latents[:middle])])),
        "left_over": ("DamageError", pack(model, size, [streams(motion=motion + b"left over")])),
        "unused": ("DamageError", pack(model, size, [replace(
            intra, substreams=intra.substreams | {Substream.MOTION: b"\1"})])),
        "undecodable": ("DamageError", pack(model, size, [streams(latents_i=b"\xff" * 8)])),
        "far_motion": ("DamageError", pack(model, size, [wide])),
        "large_latent": ("DamageError", pack(model, size, [loud])),
        "quality": ("DamageError", pack(model, size, [replace(detailed, quality=0)])),
        "layered_latents": ("DamageError", pack(model, size, [replace(
            base(), substreams=base().substreams | {Substream.MOTION: motion})])),
        "layered_digest": ("DamageError", pack(model, size, [replace(base(), latents_digest=whole.latents_digest)])),
        "detail_interval": ("DamageError", pack(model, size, [replace(
            base(), substreams=base().substreams | {Substream.LATENTS_P: b"\1"})])),
        "layered_intra": ("DamageError", pack(model, size, [replace(
            base(), substreams=base().substreams | {Substream.LATENTS_I: latents})])),
        "filled_motion": ("DamageError", pack(model, size, [replace(
            gap, substreams={Substream.BASE: b"AV1 packets"})])),
        "no_base": ("DamageError", pack(model, size, [
            base(), replace(whole, pts=tuple(range(1024, 1029)))])),
        "no_packets": ("DamageError", pack(model, size, [replace(base(), substreams={})])),
        "thin_gap": ("DamageError", pack(model, (1, 40), [replace(
            base(), substreams=base().substreams | {Substream.TEXTURE_GAP: texture.encode(levels(chance, (1, 40)))})])),
        "strength": ("DamageError", pack(model, size, [strong(base(), 16)])),
        "other_model": ("ModelError", pack(other, size, [whole])),
    }  # fmt: skip


def load() -> EntropyModel:
    """The committed model."""
    return EntropyModel.load(MODEL)


def write(folder: Path, files: dict[str, bytes], name: str, facts: object) -> None:
    """Write the files of one folder, and what is known of them as JSON."""
    folder.mkdir(exist_ok=True)
    for stem, data in files.items():
        (folder / f"{stem}.nvc").write_bytes(data)
    (folder / name).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def digests(data: bytes) -> list[str]:
    """The latents digest of every chunk, as written."""
    from neurcodec.container import Reader

    return [item.latents_digest.hex() for item in Reader(io.BytesIO(data)).gops()]


if __name__ == "__main__":
    if not MODEL.exists():
        MODEL.parent.mkdir(exist_ok=True)
        make_model().save(MODEL)
    entropy = load()
    files = good(entropy)
    write(VECTORS / "latents", files, "digests.json", {name: digests(data) for name, data in files.items()})
    refused = bad(entropy)
    errors = {name: error for name, (error, _) in refused.items()}
    write(VECTORS / "bad_latents", {name: data for name, (_, data) in refused.items()}, "errors.json", errors)
