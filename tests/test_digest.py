"""The digest of a chunk (spec 6.11) notices every change of a coded file that would change a picture."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurcodec.codec import symbols
from neurcodec.codec.symbols import Symbols
from neurcodec.container import Gop, Profile, Reader, Substream
from neurcodec.entropy import latent_coder
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import DamageError
from neurcodec.files import models
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.options import EncodeOptions
from tools.clips import scene, write_clip

BOTH = (("caption", "a red ball"), ("sketch", True))


@pytest.fixture(scope="module", params=list(Profile))
def coded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("digest")
    clip = write_clip(folder / "clip.mkv", scene(6, (96, 80)), pixel_format="bgr0")
    extensions = (*BOTH, ("detail", 2)) if request.param is Profile.LAYERED else BOTH
    options = EncodeOptions(
        request.param, model=str(tiny_model), quality=40, preset="fast", mini_gop=2, device="cpu", extensions=extensions
    )
    encode_file(clip, folder / "coded.nvc", options)
    return folder / "coded.nvc"


def known(one: Symbols) -> tuple[object, ...]:
    """All that pictures are made of."""
    told = one.conditioning
    planes = (told.texture_map, told.texture_gap, told.extensions.get("sketch"))
    return (
        list(map(latent_coder.exact, one.latents)), one.temporal_units, one.base, one.quality, told.texture,
        told.strength, told.extensions.get("caption"), [None if p is None else np.asarray(p).tolist() for p in planes],
    )  # fmt: skip


def changed(gop: Gop, chance: random.Random) -> Gop:
    """A chunk with one change in one of its substreams or numbers."""
    kind = chance.choice([*gop.substreams, None])
    if kind is None:
        other = chance.choice(["quality", "scale", "quantiser"])
        if other == "quality" or gop.base is None:
            return replace(gop, quality=chance.choice([q for q in range(64) if q != gop.quality]))
        return replace(gop, base=replace(gop.base, **{other: getattr(gop.base, other) % 4 + 1}))
    data = bytearray(gop.substreams[kind])
    if chance.random() < 0.2:
        streams = {**gop.substreams, kind: bytes(data[: chance.randrange(len(data))])}
        return replace(gop, substreams={number: part for number, part in streams.items() if part})
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return replace(gop, substreams={**gop.substreams, kind: bytes(data)})


@pytest.mark.parametrize("count", [80, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_changes_are_noticed(coded: Path, tiny_model: Path, count: int) -> None:
    entropy, chance = EntropyModel.load(models.find(str(tiny_model)).entropy_path), random.Random(count)
    with coded.open("rb") as file, Reader(file) as reader:
        gop, header = next(reader.gops()), reader.header
    whole, noticed = symbols.parse(entropy, gop, header), 0
    for _ in range(count):
        other = changed(gop, chance)
        if gop.base is not None and Substream.BASE not in other.substreams:
            continue  # the container refuses it
        try:
            found = symbols.parse(entropy, other, header)
        except DamageError:
            noticed += 1
        else:
            assert known(found) == known(whole)
    assert noticed > 0.9 * count
