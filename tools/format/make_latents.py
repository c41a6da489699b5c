"""Write the test vectors of latents again: python -m tools.format.make_latents. The same bytes come out every time.

tests/vectors/latents/*.nvc decode to the latents whose digests tests/vectors/latents/digests.json lists, chunk by
chunk; tests/vectors/bad_latents/*.nvc are whole files whose latents must be refused, with the class of error that
errors.json there names. Their model is tests/vectors/model/entropy.safetensors: random integers, smaller than a real
model's but in the same format. It is made once and never changes, because files that name it must decode for ever.
"""

from __future__ import annotations

import io
import json
import random
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from neurcodec.codec.symbols import grid
from neurcodec.container import BaseLayer, Gop, Reader, Substream
from neurcodec.entropy import latent_coder, temporal_units, texture
from neurcodec.entropy import motion as motion_plane
from neurcodec.entropy.model import PRIORS, EntropyModel
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
from neurcodec.extensions.detail import stream as detail_stream
from reference_decoder import Model
from tools.format import edge_latents, scripted
from tools.format.latent_chunks import (
    CLASS_CHANNELS,
    Source,
    base,
    chunk,
    coded,
    extreme,
    filled,
    gop,
    levels,
    pack,
    small,
    told,
    units,
    zero,
)

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
MODEL = VECTORS / "model" / "entropy.safetensors"
HIDDEN = 6


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
    channels = CLASS_CHANNELS[-1]
    shapes = ((channels, len(CLASS_CHANNELS), 1, False), (channels, len(CLASS_CHANNELS), channels + 4, True))
    priors = {name: prior(chance, *shape) for name, shape in zip(PRIORS, shapes, strict=True)}
    classes = len(CLASS_CHANNELS)
    tables = Tables(value_tables(), {classes: build_class_tables(classes)})
    return EntropyModel(tables, priors, CLASS_CHANNELS, b"")


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
        name: pack(model, size, [gop(model, size, chunk(chance, size, frames, interval, source), interval, quality)])
        for name, (size, frames, interval, quality, source) in kinds.items()
    }
    size = (47, 31)
    gops = [
        gop(model, size, chunk(chance, size, 4, 3), 3, 0, (-700, 0, 7, 1900), 11),
        gop(model, size, chunk(chance, size, 1, 4), 4, 63, (2000,), 1),
        gop(model, size, chunk(chance, size, 6, 2), 2, 17, (2001, 2100, 2240, 2999, 3000, 9000), 0),
    ]
    files |= {"chunks": pack(model, size, gops, rate=0), "layered": pack(model, size, [base(size)])}
    added = {"filled": (9, 3, 0), "detail": (5, 1, 2), "filled_detail": (8, 2, 3), "one_detail": (6, 4, 3)}
    wide, other = (333, 130), random.Random(14)
    files["told"] = pack(model, wide, [told(model, other, wide)])
    files["coded"] = pack(model, wide, [coded(other, wide)])
    files["strengths"] = pack(model, size, [base(size, strength(0)), base(size, strength(7), 1024)])
    return (
        files
        | {name: pack(model, size, [filled(model, chance, size, *shape, quality=33)]) for name, shape in added.items()}
        | edge_latents.good(model)
    )


def strength(value: int) -> dict[Substream, bytes]:
    """The substream of a strength."""
    return {Substream.STRENGTH: bytes([value])}


def beyond(model: EntropyModel, chance: random.Random, size: tuple[int, int]) -> tuple[Gop, Gop]:
    """A chunk with a vector and one with a latent that are too large."""
    with patch.object(motion_plane, "MOTION_LIMIT", 512):
        far = chunk(chance, size, 2, 1)
        assert far[1].motion is not None
        far[1].motion[1, 0, 0] = 512
        wide = gop(model, size, far, 1, 30)
    with patch.object(latent_coder, "LATENT_LIMIT", 32001):
        large = chunk(chance, size, 1, 1)
        assert large[0].classes is not None and large[0].y is not None
        large[0].classes[0, 0], large[0].y[0, 0, 0] = 2, 32001
        loud = gop(model, size, large, 1, 30)
    return wide, loud


def bad(model: EntropyModel) -> dict[str, tuple[str, bytes]]:
    """The files whose structure is right and whose latents must be refused, and how."""
    chance, spec = random.Random(8), Model(MODEL.read_bytes())
    size = (64, 48)
    whole = gop(model, size, chunk(chance, size, 5, 2), 2, 30)
    intra = gop(model, size, chunk(chance, size, 1, 1), 1, 30)
    wide, loud = beyond(model, chance, size)
    still = gop(model, (16, 16), chunk(chance, (16, 16), 2, 1, zero), 1, 30)
    gap = filled(model, chance, size, 5, 2, 0, 30)
    detailed = filled(model, chance, size, 5, 2, 1, 30)

    def streams(**parts: bytes) -> Gop:
        changed = {Substream[name.upper()]: part for name, part in parts.items()}
        return replace(whole, substreams={**whole.substreams, **changed})

    def extra(kind: Substream, data: bytes) -> Gop:
        return replace(base(size), substreams=dict(sorted({**base(size).substreams, kind: data}.items())))

    motion, latents = whole.substreams[Substream.MOTION], whole.substreams[Substream.LATENTS_P]
    middle = len(latents) // 2
    other = replace(model, hash=bytes(reversed(model.hash)))
    return {
        "digest": ("DamageError", pack(model, size, [replace(whole, digest=bytes(8))])),
        "changed": ("DamageError", pack(model, size, [streams(
            latents_p=latents[:middle] + bytes([latents[middle] ^ 16]) + latents[middle + 1 :])])),
        "exchanged": ("DamageError", pack(model, size, [streams(motion=latents, latents_p=motion)])),
        "cut": ("DamageError", pack(model, size, [streams(latents_p=latents[:middle])])),
        "left_over": ("DamageError", pack(model, size, [streams(motion=motion + b"left over")])),
        "unused": ("DamageError", pack(model, size, [replace(
            intra, substreams={**intra.substreams, Substream.MOTION: b"\1"})])),
        "undecodable": ("DamageError", pack(model, size, [streams(latents_i=b"\xff" * 8)])),
        "far_motion": ("DamageError", pack(model, size, [wide])),
        "large_latent": ("DamageError", pack(model, size, [loud])),
        "quality": ("DamageError", pack(model, size, [replace(detailed, quality=0)])),
        "layered_latents": ("DamageError", pack(model, size, [extra(Substream.MOTION, motion)])),
        "layered_digest": ("DamageError", pack(model, size, [replace(base(size), digest=whole.digest)])),
        "detail_interval": ("DamageError", pack(model, size, [extra(Substream.LATENTS_P, b"\0\1")])),
        "layered_intra": ("DamageError", pack(model, size, [extra(Substream.LATENTS_I, latents)])),
        "filled_motion": ("DamageError", pack(model, size, [replace(
            gap, substreams={Substream.BASE: gap.substreams[Substream.BASE]})])),
        "other_base": ("DamageError", pack(model, size, [extra(
            Substream.BASE, temporal_units.encode([*units(size, 2, 1), *units((333, 130), 2, 2)[1:]]))])),
        "fewer_units": ("DamageError", pack(model, size, [extra(
            Substream.BASE, temporal_units.encode(units(size, 2, 1)))])),
        "other_quality": ("DamageError", pack(model, size, [replace(base(size), quality=1)])),
        "other_quantiser": ("DamageError", pack(model, size, [replace(base(size), base=BaseLayer(2, 51))])),
        "other_strength": ("DamageError", pack(model, size, [replace(
            base(size, strength(3)), substreams=base(size, strength(4)).substreams)])),
        "other_texture": ("DamageError", pack(model, size, [extra(Substream.TEXTURE, b"\7")])),
        "thin_gap": ("DamageError", pack(model, (1, 40), [replace(base((1, 40)), substreams={
            **base((1, 40)).substreams, Substream.TEXTURE_LEVELS: texture.encode(levels(chance, (1, 40)))})])),
        "strength": ("DamageError", pack(model, size, [extra(Substream.STRENGTH, b"\x10")])),
        "other_model": ("ModelError", pack(other, size, [whole])),
        "motion_by_difference": ("DamageError", pack(model, (16, 16), [replace(still, substreams={
            kind: data for kind, data in still.substreams.items() if kind is not Substream.MOTION})])),
        **detail(model, spec), **edge_latents.bad(model, spec),
    }  # fmt: skip


def detail(model: EntropyModel, spec: Model) -> dict[str, tuple[str, bytes]]:
    """Detail latents of which each breaks one rule."""
    size, chance = (64, 48), random.Random(21)
    nothing = [replace(frame, motion=None) for frame in chunk(chance, size, 2, 1, zero)]
    silent = detail_stream.encode(model, nothing, grid(*size), 0, 1)
    plain = base(size)
    with patch.object(detail_stream, "base_frames", lambda _: 3):
        seldom = filled(model, chance, size, 2, 1, 3, 30)
    with_nothing = replace(plain, substreams=dict(sorted({**plain.substreams, **silent}.items())))
    return {
        "detail_of_nothing": ("DamageError", scripted.unruly(model, spec, size, with_nothing)),
        "detail_seldom": ("DamageError", pack(model, size, [seldom])),
    }


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
    """The digest of every chunk, as written."""
    return [item.digest.hex() for item in Reader(io.BytesIO(data)).gops()]


def main() -> None:
    """Write all vectors."""
    if not MODEL.exists():
        MODEL.parent.mkdir(exist_ok=True)
        make_model().save(MODEL)
    entropy = load()
    files = good(entropy)
    refused = bad(entropy)
    for path in (*VECTORS.glob("latents/*.nvc"), *VECTORS.glob("bad_latents/*.nvc")):
        path.unlink()
    write(VECTORS / "latents", files, "digests.json", {name: digests(data) for name, data in files.items()})
    errors = {name: error for name, (error, _) in refused.items()}
    write(VECTORS / "bad_latents", {name: data for name, (_, data) in refused.items()}, "errors.json", errors)


if __name__ == "__main__":
    main()
