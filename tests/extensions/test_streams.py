"""Captions and sketches: their substreams, what hostile bytes do to them, and their way through files."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, refusals, scene, write_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from neurcodec.codec import symbols
from neurcodec.container import Gop, Profile, Reader, Substream, Writer
from neurcodec.entropy.binary import Binary
from neurcodec.entropy.rangecoder import Encoder
from neurcodec.errors import ArgumentError, DamageError, InputError
from neurcodec.extensions import streams
from neurcodec.extensions.caption import stream as caption
from neurcodec.extensions.caption.text import CAPTION_BYTES
from neurcodec.extensions.sketch import stream as sketch
from neurcodec.extensions.sketch.edges import edges
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import describe, verify_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
from reference_decoder import Refused
from reference_decoder import side as spec_side

TEXT = "a man walking through a street, caf\u00e9 signs"
BOTH = (("caption", TEXT), ("sketch", True))


@settings(deadline=None, max_examples=25)
@given(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=CAPTION_BYTES).filter(
        lambda text: len(text.encode()) <= CAPTION_BYTES
    )
)
def test_captions_come_back(text: str) -> None:
    assert caption.decode(caption.encode(text)) == text == spec_side.caption(caption.encode(text))


def test_captions_are_compressed() -> None:
    assert len(caption.encode(TEXT)) < 0.7 * len(TEXT.encode())
    assert len(caption.encode("a dog runs across a meadow")) < 16  # 26 letters; most of its words are known


@pytest.mark.parametrize("text", ["", "x" * (CAPTION_BYTES + 1), "\ud800", "a\0b"])
def test_captions_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError):
        caption.encode(text)


@pytest.mark.parametrize(("name", "value"), [("caption", 7), ("caption", "x" * 2000), ("detail", 256), ("detail", -1)])
def test_what_cannot_be_asked_for(name: str, value: object) -> None:
    with pytest.raises((ArgumentError, InputError)):
        streams.asked(**{name: value})


def test_what_is_not_asked_for_leaves_no_trace() -> None:
    assert streams.asked(detail=0, caption="", sketch=False) == ()
    assert streams.asked(detail=4, caption="", sketch=True) == (("detail", 4), ("sketch", True))


def spelled(data: bytes) -> bytes:
    """The substream of a row of bytes, text or not."""
    coder = Encoder()
    binary = Binary(coder, caption.primed())
    with suppress(IndexError):  # an unending text ends where its bytes do
        caption.code_text(binary, data)
    return coder.finish()


@pytest.mark.parametrize(
    "data",
    [
        spelled(b"\xff\xfe"),
        caption.encode(TEXT)[:-1],
        caption.encode(TEXT) + b"\0",
        b"\xff" * 20,
        bytes(2000),
    ],
)
def test_hostile_captions(data: bytes) -> None:
    with pytest.raises(DamageError):
        caption.decode(data)
    with pytest.raises(Refused):
        spec_side.caption(data)


def blobs(height: int, width: int, seed: int) -> np.ndarray:
    """A map with areas, lines and noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = np.sin(rows / rng.uniform(1, 5)) + np.cos(columns / rng.uniform(1, 5)) > rng.uniform(-1, 2)
    return np.asarray(waves ^ (rng.random((height, width)) < 0.05))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 1000))
def test_sketches_come_back(height: int, width: int, seed: int) -> None:
    found = blobs(height, width, seed)
    data = sketch.encode_edges(found)
    if not found.any():
        assert data == b""
        return
    assert np.array_equal(sketch.decode_edges(data, height, width), found)
    assert spec_side.sketch(data, 8 * width, 8 * height - 7) == found.astype(int).tolist()


def test_sketches_are_compressed() -> None:
    lines = np.zeros((45, 80), dtype=bool)
    lines[10:30, [20, 60]] = lines[[10, 30], 20:60] = True
    assert len(sketch.encode_edges(lines)) < 0.2 * lines.size / 8


def test_hostile_sketches() -> None:
    good = sketch.encode_edges(blobs(12, 20, 1))
    assert refusals(lambda data: sketch.decode_edges(data, 12, 20), good) > 20
    with pytest.raises(DamageError):
        sketch.decode_edges(good, 2, 3)


def test_edges_are_where_the_picture_has_them() -> None:
    picture = np.zeros((50, 70, 3), dtype=np.uint8)
    picture[:, 36:] = 200
    found = edges(picture)
    assert found.shape == (7, 9)
    assert found[:6, 4].all() and not found[:, [0, 1, 2, 6, 7, 8]].any()
    assert not edges(np.full((8, 8, 3), 7, np.uint8)).any()


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames: two chunks at 0.16 s."""
    return write_clip(tmp_path_factory.mktemp("side") / "clip.mp4", scene(8, (80, 64)))


@pytest.fixture(scope="module")
def options(tiny_model: Path) -> EncodeOptions:
    return EncodeOptions(
        model=str(tiny_model),
        gop_seconds=Fraction(4, 25),
        device="cpu",
        threads=1,
        quality=10,
        extensions=BOTH,
        preset="fast",
    )


def gops(path: Path) -> list[Gop]:
    with path.open("rb") as file:
        return list(Reader(file).gops())


@pytest.mark.parametrize("profile", list(Profile))
def test_through_a_file(short: Path, options: EncodeOptions, profile: Profile, tmp_path: Path) -> None:
    plain, target = tmp_path / "plain.nvc", tmp_path / "out.nvc"
    encode_file(short, plain, replace(options, profile=profile, extensions=()))
    encode_file(short, target, replace(options, profile=profile))
    facts = describe(target)
    assert facts["captions"] == [TEXT] and describe(plain)["captions"] == []
    assert facts["bytes_by_kind"]["sketch"] > 0 and facts["bytes_by_kind"]["caption"] > 0
    for without, with_both in zip(gops(plain), gops(target), strict=True):
        added = {kind: data for kind, data in with_both.substreams.items() if kind not in without.substreams}
        assert added.keys() == {Substream.CAPTION, Substream.SKETCH}
        where = Substream.TEXTURE_LEVELS
        assert without.substreams.keys() & set(symbols.CONDITIONING_STREAMS) == {Substream.TEXTURE, where}
        assert with_both.substreams == {**without.substreams, **added}
        assert spec_side.caption(added[Substream.CAPTION]) == TEXT
        assert np.array(spec_side.sketch(added[Substream.SKETCH], 80, 64)).shape == (8, 10)
        levels = spec_side.texture_map(with_both.substreams[where], 80, 64)
        assert np.array(levels).shape == (2, 3)
    assert verify_file(target, model=options.model).frames == 8
    model = DecodeOptions(model=options.model, device="cpu", threads=1)
    assert decode_file(target, tmp_path / "out.mkv", model).frames == 8


def forged(path: Path, changed: dict[Substream, bytes], target: Path) -> Path:
    """The file with other conditioning in its first chunk, all CRCs right."""
    with path.open("rb") as file, target.open("wb") as out:
        reader = Reader(file)
        writer = Writer(out, reader.header, reader.model)
        for number, gop in enumerate(reader.gops()):
            writer.write_gop(gop if number else replace(gop, substreams={**gop.substreams, **changed}))
        writer.close()
    return target


def test_forged_side_streams_are_damage(short: Path, options: EncodeOptions, tmp_path: Path) -> None:
    whole = tmp_path / "whole.nvc"
    encode_file(short, whole, options)
    captioned = forged(whole, {Substream.CAPTION: b"\xff" * 9}, tmp_path / "caption.nvc")
    with pytest.raises(DamageError, match="caption"):
        describe(captioned)
    long = gops(whole)[0].substreams[Substream.SKETCH] + b"\x77" * 40
    sketched = forged(whole, {Substream.SKETCH: long}, tmp_path / "sketch.nvc")
    with pytest.raises(DamageError, match="frames 0 to 3"):
        verify_file(sketched, model=options.model)
    salvage = DecodeOptions(model=options.model, device="cpu", threads=1, salvage=True)
    for damaged in (captioned, sketched):
        report = decode_file(damaged, damaged.with_suffix(".mkv"), salvage)
        assert report.frames == 4 and report.lost


def test_the_command(short: Path, tiny_model: Path, tmp_path: Path, ncodec: Run) -> None:
    words = tmp_path / "words.txt"
    words.write_text("two\nlines  of\ttext\n", encoding="utf-8")
    target = tmp_path / "out.nvc"
    run = ncodec("encode", short, target, "--model", tiny_model, "--caption", words, "--profile", "native")
    assert run.returncode == 0, run.stderr
    shown = ncodec("info", target)
    assert "caption     two lines of text" in shown.stdout
    assert json.loads(ncodec("info", target, "--json").stdout)["captions"] == ["two lines of text"]
    words.write_bytes(b"\xff\xfe")
    for bad in (words, " ", "x" * 2000):
        run = ncodec("encode", short, tmp_path / "bad.nvc", "--model", tiny_model, "--caption", bad)
        assert run.returncode == 2 and "error: Invalid value for '--caption'" in run.stderr
