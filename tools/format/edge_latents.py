"""Chunks at the ends of ranges and just outside, and others that break a single rule: part of the vectors of latents.

The digest of a bad one is that of a decoder which obeys no rule, so nothing but the rule refuses it.
"""

from __future__ import annotations

import random
from dataclasses import replace
from unittest.mock import patch

from neurcodec.container import BaseLayer, Gop, Substream
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import motion as motion_plane
from neurcodec.entropy import temporal_units, texture
from neurcodec.entropy.model import EntropyModel
from reference_decoder.model import Model
from tools.format import scripted
from tools.format.latent_chunks import base, chunk, filled, gop, levels, pack, signed, units

SIZE = (64, 32)
"""Of most pictures here: two cells of texture."""
END = 2**33 - 2
"""The largest distance of point and low that an encoder may leave."""
LONGEST = [1, 0, *[1] * 14]
"""The decisions of a texture level that is 15 above its prediction."""


def stored(text: bytes, empty: int = 0, last: int = 1) -> bytes:
    """A caption in a stored block of deflate, behind some empty ones."""
    size = len(text).to_bytes(2, "little") + (65535 - len(text)).to_bytes(2, "little")
    return b"\0\0\0\xff\xff" * empty + bytes([last]) + size + text


def obu(size: int, header: int = 0x32) -> bytes:
    """An OBU whose payload is of one letter."""
    return bytes([header]) + pack_uvar(size) + b"u" * size


def far(chance: random.Random) -> int:
    """Large latents, of which activations leave their range."""
    return chance.choice([127, -127, 300, -300, 32000])


def undecodable(chance: random.Random) -> bytes:
    """A sketch whose last symbol no encoder writes, while its end looks like an encoder's."""
    while True:
        coder = scripted.sketch([*(chance.randrange(2) for _ in range(31)), 1], SIZE)
        if coder.range % 2**32 and coder.range < END:
            return coder.coded(coder.range)


def captions() -> list[bytes]:
    """The shortest caption, the longest one, and the longest substream of one."""
    return [stored(b"a"), stored(b"b" * 1024), stored(b"c" * 1020, 3)]


def good(model: EntropyModel) -> dict[str, bytes]:
    """The files that must decode."""
    chance = random.Random(31)

    def beside(streams: dict[Substream, bytes], size: tuple[int, int] = SIZE) -> bytes:
        return pack(model, size, [base(size, streams)])

    heads = [obu(size) for size in (0, 1, 1, 19, 20, 21, 127, 128, 255, 300)]
    rows = [b"".join(heads), obu(1, 0x0A) + obu(1) + obu(0) + obu(1)]
    latents = chunk(chance, (1, 40), 1, 1)
    native = gop(model, (1, 40), latents, 1, 30)
    thin = {**native.substreams, Substream.TEXTURE_LEVELS: texture.encode(levels(chance, (1, 40)))}
    level = scripted.texture([0, 0], SIZE)
    runs = scripted.texture([*LONGEST, 1, 1, *LONGEST[2:]], SIZE)
    told = [base(SIZE, {Substream.CAPTION: data}, 1024 * number) for number, data in enumerate(captions())]
    return {
        "ends": beside(
            {Substream.TEXTURE: b"\1", Substream.TEXTURE_LEVELS: level.coded(END), Substream.STRENGTH: b"\x0f"}
        ),
        "runs": beside({Substream.TEXTURE: b"\x3f", Substream.TEXTURE_LEVELS: runs.coded()}),
        "zeros_behind": beside({Substream.TEXTURE_LEVELS: level.coded(2**32)}),
        "captions": pack(model, SIZE, told),
        "thin": beside({}, (1, 40)),
        "thin_native": pack(model, (1, 40), [signed(replace(native, substreams=thin), (1, 40), latents)]),
        "two_wide": beside({Substream.TEXTURE_LEVELS: texture.encode(levels(chance, (2, 2)))}, (2, 2)),
        "most_obus": beside({Substream.BASE: temporal_units.encode([obu(0) * 19, obu(0)])}),
        "obus": beside({Substream.BASE: temporal_units.encode(rows)}),
        "saturated": pack(model, (96, 96), [gop(model, (96, 96), chunk(random.Random(0), (96, 96), 3, 1, far), 1, 30)]),
        "each_detail": pack(model, SIZE, [filled(model, chance, SIZE, 5, 2, 1, 30)]),
    }


def moved(model: EntropyModel, chance: random.Random, axis: int) -> Gop:
    """A chunk with a vector that is too large along one axis."""
    with patch.object(motion_plane, "MOTION_LIMIT", 512):
        far = chunk(chance, SIZE, 2, 1)
        assert far[1].motion is not None
        far[1].motion[1:] = far[1].motion[1:].clip(-511, 511)
        far[1].motion[1 + axis, 0, 0] = 512
        return gop(model, SIZE, far, 1, 30)


def conditioning(chance: random.Random) -> dict[str, dict[Substream, bytes]]:
    """Substreams beside a base layer that must be refused."""
    level, edges = scripted.texture([0, 0], SIZE), scripted.sketch([1] * 32, SIZE).coded()
    text = {
        "empty": stored(b""), "long": stored(b"d" * 1025), "long_stream": stored(b"e" * 1021, 3),
        "trailing": stored(b"a") + b"\0", "no_end": stored(b"a", last=0), "not_text": stored(b"\xff"),
        "not_deflate": b"\x07",
    }  # fmt: skip
    textures = {
        "end": level.coded(END + 1), "zero_behind": level.coded(2**32) + b"\0",
        "words_behind": level.coded(2**32) + b"more",
        "above": scripted.texture([*LONGEST, 1, 0, 0], SIZE).coded(),
        "below": scripted.texture([1, 1, 0, 0], SIZE).coded(),
    }  # fmt: skip
    return {
        **{f"caption_{name}": {Substream.CAPTION: data} for name, data in text.items()},
        **{f"levels_{name}": {Substream.TEXTURE_LEVELS: data} for name, data in textures.items()},
        "sketch_words_behind": {Substream.SKETCH: edges.ljust(8, b"\0") + b"more"},
        "sketch_blank": {Substream.SKETCH: scripted.sketch([0] * 32, SIZE).coded()},
        "sketch_undecodable": {Substream.SKETCH: undecodable(chance)},
        "texture_zero": {Substream.TEXTURE: b"\0"},
        "texture_above": {Substream.TEXTURE: b"\x40"},
        "texture_twice": {Substream.TEXTURE: b"\1\1"},
        "strength_twice": {Substream.STRENGTH: b"\1\1"},
    }


def bases() -> dict[str, bytes]:
    """Base layers of two units that must be refused."""
    small, plain = b"\x32\0", units(2)
    return {
        "obu_too_many": scripted.base_layer([[small] * 20, [small]]),
        "obu_extension": scripted.base_layer([[b"\x36\0"], [small]]),
        "obu_without_size": scripted.base_layer([[b"\x30\0"], [small]]),
        "obu_forbidden": scripted.base_layer([[b"\xb2\0"], [small]]),
        "obu_size": scripted.base_layer([[b"\x32\x80\0"], [small]]),
        "obu_long_size": scripted.base_layer([[b"\x32" + b"\xff" * 4 + b"\x80"], [small]]),
        "tails_short": plain[:-1],
        "tails_left": plain + b"0",
        "heads_left": scripted.base_layer([[small], [small]], more=b"more"),
    }


def bad(model: EntropyModel, spec: Model) -> dict[str, tuple[str, bytes]]:
    """The files that must be refused, and how."""
    chance = random.Random(32)
    files: dict[str, Gop] = {}
    for name, streams in conditioning(chance).items():
        files[name] = beside(SIZE, streams)
    for name, data in bases().items():
        files[name] = beside(SIZE, {Substream.BASE: data})
    out = {name: ("DamageError", scripted.unruly(model, spec, SIZE, one)) for name, one in files.items()}
    for name, size in (("thin_gap_column", (1, 40)), ("thin_gap_row", (40, 1))):
        one = beside(size, {Substream.TEXTURE_LEVELS: texture.encode(levels(chance, size))})
        out[name] = ("DamageError", scripted.unruly(model, spec, size, one))
    out["far_dx"] = ("DamageError", pack(model, SIZE, [moved(model, chance, 0)]))
    out["far_dy"] = ("DamageError", pack(model, SIZE, [moved(model, chance, 1)]))
    return out


def beside(size: tuple[int, int], streams: dict[Substream, bytes]) -> Gop:
    """A chunk with a base layer and these substreams, whatever they hold; its digest is none."""
    parts = dict(sorted({Substream.BASE: units(2), **streams}.items()))
    return Gop((0, 512), 512, 0, 1, parts, bytes(8), BaseLayer(2, 50))
