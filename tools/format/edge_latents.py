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
from neurcodec.entropy.binary import Binary
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.rangecoder import Encoder
from neurcodec.extensions.caption import stream as caption
from reference_decoder.model import Model
from tools.format import scripted
from tools.format.latent_chunks import PADDING, base, chunk, filled, gop, levels, pack, signed, units

SIZE = (64, 32)
"""Of most pictures here: two cells of texture."""
LONGEST = [1, 0, *[1] * 14]
"""The decisions of a texture level that is 15 above its prediction."""


def spelled(text: bytes) -> bytes:
    """The substream of a caption, whatever it holds."""
    coder = Encoder()
    with patch.object(caption, "CAPTION_BYTES", len(text)):
        caption.code_text(Binary(coder, caption.primed()), text)
    return coder.finish()


def padding(size: int) -> bytes:
    """An OBU of padding whose payload is of one letter."""
    return bytes([PADDING]) + pack_uvar(size) + b"u" * size


def far(chance: random.Random) -> int:
    """Large latents, of which activations leave their range."""
    return chance.choice([127, -127, 300, -300, 32000])


def good(model: EntropyModel) -> dict[str, bytes]:
    """The files that must decode."""
    chance = random.Random(31)

    def beside(streams: dict[Substream, bytes], size: tuple[int, int] = SIZE) -> bytes:
        return pack(model, size, [base(size, streams)])

    first, second = units(SIZE, 2, 2)
    rows = [first + b"".join(map(padding, (0, 1, 1, 19, 20, 21, 127, 128, 255, 300))), padding(1) * 3 + second]
    most = temporal_units.most(2) - len(temporal_units.split(first + second) or ())
    latents = chunk(chance, (1, 40), 1, 1)
    native = gop(model, (1, 40), latents, 1, 30)
    thin = {**native.substreams, Substream.TEXTURE_LEVELS: texture.encode(levels(chance, (1, 40)))}
    runs = scripted.texture([*LONGEST, 1, 1, *LONGEST[2:]], SIZE)
    texts = (b"a", b"b" * 1024, " a grey\1fish, \u9b5a".encode())
    told = [base(SIZE, {Substream.CAPTION: spelled(text)}, 1024 * number) for number, text in enumerate(texts)]
    return {
        "least_told": beside({Substream.TEXTURE: b"\1", Substream.STRENGTH: b"\x0f"}),
        "runs": beside({Substream.TEXTURE: b"\x3f", Substream.TEXTURE_LEVELS: runs.coded()}),
        "captions": pack(model, SIZE, told),
        "thin": beside({}, (1, 40)),
        "thin_native": pack(model, (1, 40), [signed(replace(native, substreams=thin), (1, 40), latents)]),
        "two_wide": beside({Substream.TEXTURE_LEVELS: texture.encode(levels(chance, (2, 2)))}, (2, 2)),
        "most_obus": beside({Substream.BASE: temporal_units.encode([first + padding(0) * most, second])}),
        "obus": beside({Substream.BASE: temporal_units.encode(rows)}),
        "saturated": pack(model, (96, 96), [gop(model, (96, 96), chunk(random.Random(0), (96, 96), 3, 1, far), 1, 30)]),
        "last_detail": pack(model, SIZE, [filled(model, chance, SIZE, 4, 2, 1, 30)]),
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


def conditioning() -> dict[str, dict[Substream, bytes]]:
    """Substreams beside a base layer that must be refused."""
    level, other = scripted.texture([1, 0, 0, 1, 0, 1, 0], SIZE).ends()
    edges = scripted.sketch([1, 0] * 16, SIZE).coded()
    text = {
        "long": spelled(b"d" * 1025), "trailing": spelled(b"a") + b"\1",
        "cut": spelled(b"a bridge over a river at night")[:-1], "not_text": spelled(b"\xff"),
    }  # fmt: skip
    textures = {
        "other_end": other, "zero_behind": level + b"\0", "bytes_behind": level.ljust(8, b"\0") + b"\1",
        "above": scripted.texture([*LONGEST, 1, 0, 0], SIZE).coded(),
        "below": scripted.texture([1, 1, 0, 0], SIZE).coded(),
    }  # fmt: skip
    return {
        **{f"caption_{name}": {Substream.CAPTION: data} for name, data in text.items()},
        **{f"levels_{name}": {Substream.TEXTURE_LEVELS: data} for name, data in textures.items()},
        "sketch_bytes_behind": {Substream.SKETCH: edges + b"more"},
        "texture_zero": {Substream.TEXTURE: b"\0"},
        "texture_above": {Substream.TEXTURE: b"\x40"},
        "texture_twice": {Substream.TEXTURE: b"\1\1"},
        "strength_twice": {Substream.STRENGTH: b"\1\1"},
    }


def bases() -> dict[str, bytes]:
    """Base layers of two units that must be refused."""
    small, (first, second) = b"\x32\0", units(SIZE, 2, 2)
    plain = temporal_units.encode([first, second + padding(30)])
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
    for name, streams in conditioning().items():
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
    parts = dict(sorted({Substream.BASE: temporal_units.encode(units(size, 2, 2)), **streams}.items()))
    return Gop((0, 512), 512, 0, 1, parts, bytes(8), BaseLayer(2, 50))
