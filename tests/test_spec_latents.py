"""the latents of bitstream_spec.md: vectors through the package and the reference decoder, and both on damage."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from neurcodec.codec import symbols
from neurcodec.codec.symbols import Symbols
from neurcodec.container import FrameType, Gop, Reader, Substream
from neurcodec.entropy import latent_coder
from neurcodec.entropy.latent_coder import FrameLatents
from neurcodec.entropy.model import EntropyModel
from neurcodec.entropy.rangecoder import Decoder, Encoder, ModelCache
from neurcodec.errors import DamageError, ModelError
from reference_decoder import Model, Refused
from reference_decoder import container as spec_reader
from reference_decoder import latent_decoder as spec_latents
from reference_decoder import side as spec_side
from reference_decoder import temporal_units as spec_units
from reference_decoder.ranges import RangeDecoder, Table
from tools.format import make_latents

ROOT = Path(__file__).parent.parent
VECTORS = ROOT / "tests" / "vectors"
MODEL = VECTORS / "model" / "entropy.safetensors"
GOOD: dict[str, list[str]] = json.loads((VECTORS / "latents" / "digests.json").read_text())
BAD: dict[str, str] = json.loads((VECTORS / "bad_latents" / "errors.json").read_text())
KINDS = {"DamageError": "damage", "ModelError": "model"}


@pytest.fixture(scope="module")
def model() -> EntropyModel:
    return EntropyModel.load(MODEL)


@pytest.fixture(scope="module")
def other() -> Model:
    return Model(MODEL.read_bytes())


def by_package(model: EntropyModel, data: bytes) -> list[Symbols]:
    reader = Reader(io.BytesIO(data))
    if reader.model.entropy_hash != model.hash[:16]:
        raise ModelError("another model")
    return [symbols.parse(model, gop, reader.header) for gop in reader.gops()]


def by_spec(model: Model, data: bytes) -> list[list[spec_latents.Frame]]:
    content = spec_reader.read(data)
    return [spec_latents.latents(model, content, gop) for gop in content["gops"]]


def plain(frame: FrameLatents) -> spec_latents.Frame:
    """A frame's integers in the words of the reference decoder."""
    motion = None if frame.motion is None else frame.motion.tolist()
    classes = None if frame.classes is None else frame.classes.tolist()
    y = None if frame.y is None else frame.y.tolist()
    return frame.quality, motion and motion[0], motion and motion[1:], classes, y


@pytest.mark.parametrize("name", GOOD)
def test_good_latents(name: str, model: EntropyModel, other: Model) -> None:
    """Files of every released version decode to what they held when they were made."""
    data = (VECTORS / "latents" / f"{name}.nvc").read_bytes()
    ours, theirs = by_package(model, data), by_spec(other, data)
    assert [gop.digest.hex() for gop in Reader(io.BytesIO(data)).gops()] == GOOD[name]
    assert [[plain(frame) for frame in one.latents] for one in ours] == theirs


def beside_by_package(one: Symbols) -> dict[str, object]:
    """What a chunk says beside its latents."""
    told, layered = one.conditioning, one.base is not None
    sketch = told.extensions.get("sketch")
    planes = {"sketch": sketch, "levels": told.texture_gap if layered else told.texture_map}
    return {
        "caption": told.extensions.get("caption", ""),
        "texture": told.texture,
        "strength": told.strength,
        **{name: None if plane is None else plane.astype(int).tolist() for name, plane in planes.items()},
        "units": list(one.temporal_units),
    }


def beside_by_spec(content: dict[str, Any], gop: dict[str, Any]) -> dict[str, object]:
    """The same from the reference decoder."""
    size, streams = (content["header"]["width"], content["header"]["height"]), gop["substreams"]
    bases = sum(kind != "S" for kind in gop["types"])
    return {
        "caption": spec_side.caption(streams[7]) if 7 in streams else "",
        "texture": streams[4][0] if 4 in streams else 0,
        "strength": streams[6][0] if 6 in streams else 16,
        "sketch": spec_side.sketch(streams[8], *size) if 8 in streams else None,
        "levels": spec_side.texture_map(streams[5], *size) if 5 in streams else None,
        "units": spec_units.units(streams[3], bases) if 3 in streams else [],
    }


@pytest.mark.parametrize("name", GOOD)
def test_good_conditioning_and_bases(name: str, model: EntropyModel) -> None:
    """The same for captions, sketches, textures and the temporal units of base layers."""
    data = (VECTORS / "latents" / f"{name}.nvc").read_bytes()
    content = spec_reader.read(data)
    said = [beside_by_package(one) for one in by_package(model, data)]
    assert said == [beside_by_spec(content, gop) for gop in content["gops"]]


def test_every_vector_is_listed() -> None:
    assert {path.stem for path in (VECTORS / "latents").glob("*.nvc")} == GOOD.keys()
    assert {path.stem for path in (VECTORS / "bad_latents").glob("*.nvc")} == BAD.keys()


@pytest.mark.parametrize("name", BAD)
def test_bad_latents(name: str, model: EntropyModel, other: Model) -> None:
    data = (VECTORS / "bad_latents" / f"{name}.nvc").read_bytes()
    spec_reader.read(data)  # the structure is right
    with pytest.raises((DamageError, ModelError)) as caught:
        by_package(model, data)
    assert type(caught.value).__name__ == BAD[name]
    with pytest.raises(Refused) as refused:
        by_spec(other, data)
    assert refused.value.kind == KINDS[BAD[name]]


def test_the_latents_are_what_the_script_makes() -> None:
    """The encoder writes the bytes that it wrote when the vectors were made."""
    model = make_latents.load()
    bad = {name: data for name, (_, data) in make_latents.bad(model).items()}
    for folder, files in (("latents", make_latents.good(model)), ("bad_latents", bad)):
        assert files == {path.stem: path.read_bytes() for path in (VECTORS / folder).glob("*.nvc")}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A substream with one change."""
    place = chance.randrange(len(data) + 1)
    action = chance.randrange(5)
    if action == 0:
        return data[:place]
    if action == 1:
        return data + bytes([chance.choice([0, 1, 255])]) * chance.randint(1, 9)
    if action == 2:
        return data[:place] + chance.choice([b"\xff" * 8, bytes(3), b"\x80"]) + data[place:]
    place = max(0, len(data) - chance.randint(1, 9)) if action == 3 else min(place, len(data) - 1)
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :] if data else b"\1"


@given(
    st.sampled_from(["sparse2", "backbone", "one_row", "intra", "one_position", "filled_detail"]),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_both_decoders_agree_on_damage(model: EntropyModel, other: Model, name: str, seed: int) -> None:
    """The same latents, or both refuse; the digest is left out, so that the rules before it are what refuses."""
    chance = random.Random(seed)
    reader = Reader(io.BytesIO((VECTORS / "latents" / f"{name}.nvc").read_bytes()))
    gop = next(reader.gops())
    assert isinstance(gop, Gop)
    grid = symbols.grid(reader.header.width, reader.header.height)
    streams = dict(gop.substreams)
    which = chance.choice(latent_coder.STREAMS)
    streams[which] = damaged(streams.get(which, b""), chance)
    quality = chance.choice([gop.quality, chance.randrange(64)])
    outcomes: list[object] = []
    try:
        if gop.base:
            frames = symbols.beside_base(model, streams, gop.frame_types, grid, quality)
        else:
            frames = latent_coder.decode(model, streams, gop.frames, gop.mini_gop, grid, quality)
        outcomes.append([plain(frame) for frame in frames])
    except DamageError:
        outcomes.append("refused")
    try:
        types = "".join(kind.name for kind in gop.frame_types)
        parts = {int(number): data for number, data in streams.items()}
        decoder = spec_latents.ChunkDecoder(other, grid, quality, parts)
        outcomes.append(decoder.layered(types, bool(parts.get(2))) if gop.base else decoder.frames(types))
    except Refused:
        outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


TABLES = ([1, 2**24 - 2, 1], [2**23, 2**22, 2**22], [2**24 - 3, 1, 1, 1], [1] * 15 + [2**24 - 15])


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_range_coders_agree(indexes: list[int], seed: int) -> None:
    """Symbols, refusals and the check at the end, on whole and on damaged substreams."""
    chance = random.Random(seed)
    models = ModelCache(lambda index: np.array(TABLES[index]))
    likely = [max(range(len(TABLES[i])), key=TABLES[i].__getitem__) for i in indexes]
    pairs = zip(indexes, likely, strict=True)
    symbols = [chance.randrange(len(TABLES[i])) if chance.random() < 0.3 else symbol for i, symbol in pairs]
    encoder = Encoder()
    encoder.symbols(np.array(symbols, dtype=np.int64), np.array(indexes, dtype=np.int64), models)
    data = encoder.finish()
    whole = chance.random() < 0.3
    data = data if whole else damaged(data, chance)
    outcomes: list[object] = []
    ours, theirs = Decoder(data), RangeDecoder(data)
    try:
        found = ours.symbols(np.array(indexes, dtype=np.int64), models).tolist()
        ours.finish()
        outcomes.append(found)
    except DamageError:
        outcomes.append("refused")
    try:
        found = theirs.together([(i, Table(TABLES[i])) for i in indexes])
        theirs.end()
        outcomes.append(found)
    except Refused:
        outcomes.append("refused")
    assert outcomes[0] == outcomes[1]
    if whole:
        assert outcomes[0] == symbols


def test_undecodable_escape_is_damage() -> None:
    """Equiprobable bits meet the same rule as symbols: a quotient of 2^24 is damage, not a crash."""
    with pytest.raises(DamageError):
        Decoder(b"\xff" * 8).bits(1)


def test_a_substream_nothing_is_read_from_is_damage(model: EntropyModel) -> None:
    grid = (2, 2)
    empty = np.zeros((model.class_channels[-1], *grid), np.int16)
    zero = FrameLatents(FrameType.I, None, np.zeros(grid, np.uint8), empty)
    streams = latent_coder.encode(model, [zero], 0)
    assert streams.keys() <= {Substream.LATENTS_I}
    with pytest.raises(DamageError):
        latent_coder.decode(model, {**streams, Substream.LATENTS_P: b"\1"}, 1, 1, grid, 0)


def rewritten(folder: Path, change: Callable[[dict[str, np.ndarray], dict[str, str]], object]) -> Path:
    """The vectors' model with some of its tensors or metadata changed."""
    with safe_open(MODEL, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    change(tensors, metadata)
    save_file(tensors, folder / "entropy.safetensors", metadata=metadata)
    return folder / "entropy.safetensors"


WRONG_MODELS: dict[str, tuple[Callable[[dict[str, np.ndarray], dict[str, str]], object], str]] = {
    "float": (lambda t, m: t.update(cuts=t["cuts"].astype(np.float32)), "cuts"),
    "missing": (lambda t, m: t.pop("latents_p.hidden"), "latents_p.hidden"),
    "sizes": (lambda t, m: t.update({"tables.value_sizes": t["tables.value_sizes"][1:]}), "value table sizes"),
    "sum": (lambda t, m: t["tables.value"].__setitem__(0, 7), "2\\^24"),
    "zero": (lambda t, m: t["tables.classes.3"].__setitem__((0, slice(None)), [0, 0, 2**24]), "2\\^24"),
    "class_shape": (lambda t, m: t.update({"tables.classes.3": t["tables.classes.3"][:-1]}), "class table shape"),
    "class_name": (lambda t, m: t.update({"tables.classes.x": t["tables.classes.3"]}), "invalid literal"),
    "no_classes": (lambda t, m: t.pop("tables.classes.3"), "no class tables"),
    "cuts": (lambda t, m: t["cuts"].__setitem__(0, 1), "ascend"),
    "shape": (lambda t, m: t.update({"latents_p.context": t["latents_p.context"][:, 9:]}), "latents_p.context"),
    "weight": (lambda t, m: t["latents_i.hidden"].__setitem__((0, 0), 40000), "beyond 32768"),
    "shift": (lambda t, m: m.update(shifts=m["shifts"].replace('_p": ', '_p": 9')), "shift of latents_p"),
    "shifts": (lambda t, m: m.update(shifts="[]"), "entropy model"),
    "json": (lambda t, m: m.update(shifts="{"), "entropy model"),
}


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_a_model_file_that_breaks_a_rule_is_refused(name: str, tmp_path: Path) -> None:
    change, message = WRONG_MODELS[name]
    with pytest.raises(ModelError, match=message):
        EntropyModel.load(rewritten(tmp_path, change))


def test_a_huge_model_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "entropy.safetensors"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(ModelError, match="larger than 64 MiB"):
        EntropyModel.load(path)


def test_a_wide_prior_is_refused(tmp_path: Path) -> None:
    def widen(tensors: dict[str, np.ndarray], _: dict[str, str]) -> None:
        shapes = {"context": (1025, 9), "current": (4, 1025, 63), "current_bias": (4, 1025), "hidden": (1025, 1025),
                  "classes": (2, 1025), "class_embedding": (3, 1025), "values": (10, 1025)}  # fmt: skip
        shapes |= dict.fromkeys(("context_bias", "hidden_bias"), (1025,))
        tensors.update({f"latents_i.{name}": np.zeros(shape, np.int32) for name, shape in shapes.items()})

    with pytest.raises(ModelError, match="hidden units"):
        EntropyModel.load(rewritten(tmp_path, widen))


@pytest.mark.parametrize("kind", FrameType)
def test_frames_without_their_integers_cannot_be_coded(model: EntropyModel, kind: FrameType) -> None:
    empty = FrameLatents(kind, None, None, None)
    grid = (2, 2)
    y = np.zeros((model.class_channels[-1], *grid), np.int16)
    first = [] if kind is FrameType.I else [FrameLatents(FrameType.I, None, np.zeros(grid, np.uint8), y)]
    with pytest.raises(ValueError, match=r"symbols|starts with an I frame"):
        latent_coder.encode(model, [*first, empty, *first], 0)
