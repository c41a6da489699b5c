"""The layered profile through files on the seeded tiny model: filled frames, detail latents, what tools say of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Run, scene, write_clip

from neurcodec import container
from neurcodec.analysis.laplacian import cell_levels, detail, fitted
from neurcodec.codec import networks
from neurcodec.codec.layered import LayeredCodec
from neurcodec.codec.strength import best_share, fitting_strength
from neurcodec.container import FrameType, Gop, Profile, Reader, Substream, Writer
from neurcodec.container.schema import pack_uvar
from neurcodec.entropy import bitplane, packets, texture
from neurcodec.errors import DamageError
from neurcodec.files import models
from neurcodec.files.span import Span
from neurcodec.generator.restore import GROUP
from neurcodec.jobs.decode import decode_file
from neurcodec.jobs.encode import encode_file
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions
from neurcodec.media import VideoReader
from reference_decoder import side as spec_side

SIZE = (80, 64)
CELLS = (2, 3)
Pictures = npt.NDArray[np.uint8]
Encode = Callable[..., Path]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven frames, moving."""
    return write_clip(tmp_path_factory.mktemp("layered") / "clip.mkv", scene(11, SIZE), pixel_format="bgr0")


@pytest.fixture(scope="module")
def encode(source: Path, tiny_model: Path) -> Encode:
    """Code the clip with some options; the file is kept for the tests that ask for the same."""

    def run(**options: int | Fraction | str) -> Path:
        name = "-".join(f"{name}{value}" for name, value in options.items()).replace("/", "_")
        target = source.with_name(f"{name}.nvc")
        if not target.exists():
            given = {"quality": 40, "preset": "fast", **options}
            encode_file(source, target, EncodeOptions(Profile.LAYERED, model=str(tiny_model), device="cpu", **given))
        return target

    return run


def chunks(path: Path) -> list[Gop]:
    with path.open("rb") as file:
        return list(Reader(file).gops())


def shown(path: Path, model: Path, **options: object) -> Pictures:
    """The decoded frames; their times are checked."""
    target = path.with_suffix(".mkv")
    given = {"diffusion": False, "video_codec": "ffv1", "device": "cpu", "overwrite": True, **options}
    decode_file(path, target, DecodeOptions(model=str(model), **given))  # type: ignore[arg-type]
    with VideoReader(target) as reader:
        frames = list(reader)
        assert [frame.pts * reader.info.time_base for frame in frames] == [Fraction(i, 25) for i in range(len(frames))]
    return np.stack([frame.rgb for frame in frames])


def original(source: Path) -> Pictures:
    with VideoReader(source) as reader:
        return np.stack([frame.rgb for frame in reader])


def error(first: Pictures, second: Pictures) -> float:
    return float(np.square(first.astype(float) - second).mean())


@pytest.mark.parametrize(("divisor", "base"), [(1, 11), (2, 6), (3, 5), (4, 4)])
def test_the_base_skips_frames_and_they_are_filled(
    divisor: int, base: int, encode: Encode, source: Path, tiny_model: Path, ncodec: Run
) -> None:
    path = encode(backbone_interval=divisor)
    (gop,) = chunks(path)
    assert gop.base is not None and gop.base.rate_divisor == divisor
    assert (Substream.MOTION in gop.substreams) == (divisor > 1)
    assert verify_file(path, model=str(tiny_model)).frames == 11
    facts = json.loads(ncodec("info", path, "--json").stdout)
    assert facts["frame_types"] == {"base": base, "filled": 11 - base}
    assert (facts["format_version"], facts["backbone_intervals"]) == ("1.5", [divisor])
    filled, truth = shown(path, tiny_model), original(source)
    kept = [index for index, kind in enumerate(gop.frame_types) if kind is not FrameType.S]
    held = filled[[max(k for k in kept if k <= index) for index in range(11)]]
    assert divisor == 1 or error(filled, truth) < 0.7 * error(held, truth)


def test_filling_moves_what_moves(encode: Encode, source: Path, tiny_model: Path) -> None:
    """Without its motion a filled frame is further from the source."""
    (gop,) = chunks(encode(backbone_interval=3))
    codec = LayeredCodec(networks.load(models.find(str(tiny_model)), "cpu", diffusion=False))
    symbols = codec.parse(gop, container.Header(*SIZE, Fraction(1, 25), profile=Profile.LAYERED))
    still = [f if f.motion is None else replace(f, motion=np.zeros_like(f.motion)) for f in symbols.latents]
    truth = original(source)
    sparse = [index for index, frame in enumerate(still) if frame.type is FrameType.S]
    both = symbols, replace(symbols, latents=tuple(still))
    with_motion, without = (np.stack(list(codec.decode(one)))[sparse] for one in both)
    assert error(with_motion, truth[sparse]) < error(without, truth[sparse])


@pytest.mark.parametrize(("detail", "finer"), [(1, range(11)), (4, (0, 4, 8)), (255, (0,))])
def test_detail_brings_base_frames_nearer(
    detail: int, finer: tuple[int, ...], encode: Encode, source: Path, tiny_model: Path
) -> None:
    plain, path = encode(backbone_interval=1), encode(detail=detail)
    (before,), (gop,) = chunks(plain), chunks(path)
    assert gop.substreams[Substream.PACKETS] == before.substreams[Substream.PACKETS]
    assert len(gop.substreams[Substream.LATENTS_P]) > 4
    truth, coarse, detailed = original(source), shown(plain, tiny_model), shown(path, tiny_model)
    changed = [index for index in range(11) if (coarse[index] != detailed[index]).any()]
    assert changed == list(finer)
    assert error(detailed[changed], truth[changed]) < 0.995 * error(coarse[changed], truth[changed])


def test_filled_frames_take_detail_from_their_neighbours(encode: Encode, source: Path, tiny_model: Path) -> None:
    truth = original(source)
    errors = [
        error(shown(encode(backbone_interval=2, **options), tiny_model)[1::2], truth[1::2])
        for options in ({}, {"detail": 1})
    ]
    assert errors[1] < errors[0]


def test_the_texture_gap_is_lowered_where_the_generator_draws_too_much() -> None:
    source = np.repeat(np.random.default_rng(1).integers(96, 160, (4, 64, 96, 1), dtype=np.uint8), 3, 3)
    shown = source.copy()
    shown[:, :, 64:] = 128 + 2 * (shown[:, :, 64:].astype(np.int16) - 128)  # more texture in the last column of cells
    levels = np.full((2, 3), 9.0)
    lowered = fitted(levels, source, shown)
    assert (lowered <= levels).all() and (lowered[:, 2] < 7).all() and np.allclose(lowered[:, 0], 9, atol=0.1)
    assert np.allclose(fitted(levels, shown, source)[:, 2], 9, atol=0.1)


def test_the_generator_is_left_out_where_it_does_harm(encode: Encode, tiny_model: Path) -> None:
    """The tiny model's is random, so that nothing of it is worth to be shown; a fast encode does not look."""
    (gop,), (fast,) = chunks(path := encode(preset="medium")), chunks(encode())
    assert gop.substreams[Substream.STRENGTH] == b"\0" and Substream.STRENGTH not in fast.substreams
    assert Substream.TEXTURE_GAP not in gop.substreams
    assert (shown(path, tiny_model, diffusion=True) == shown(path, tiny_model)).all()


@pytest.mark.parametrize(
    ("scale", "share", "strength"),
    [(1, 1.0, 8), (1, 0.5, 3), (1, 0.1, 0), (2, 0.5, 12), (2, -0.5, 0), (3, 0.1, 5), (4, 0.7, 16)],
)
def test_strength_follows_what_the_change_is_worth(scale: int, share: float, strength: int) -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(64, 192, (4, 64, 96, 3)).astype(np.uint8)
    change = rng.choice((-40, 40), base.shape)
    source, restored = ((base + part * change).astype(np.uint8) for part in (share, 1))
    assert best_share(source, base, restored) == pytest.approx(share, abs=0.01)
    assert fitting_strength(source, base, restored, scale) == strength
    assert fitting_strength(source, base, base, scale) == 0


def test_a_strength_shows_a_part_of_the_change(encode: Encode, tiny_model: Path) -> None:
    (gop,) = chunks(encode())
    header = container.Header(*SIZE, Fraction(1, 25), profile=Profile.LAYERED)

    def decoded(diffusion: bool, streams: dict[Substream, bytes]) -> npt.NDArray[np.int64]:
        codec = LayeredCodec(networks.load(models.find(str(tiny_model)), "cpu", diffusion))
        chunk = replace(gop, substreams=gop.substreams | streams)
        return np.stack(list(codec.decode(codec.parse(chunk, header)))).astype(int)

    coarse, whole = decoded(False, {}), decoded(True, {})
    none, half = (decoded(True, {Substream.STRENGTH: bytes([strength])}) for strength in (0, 8))
    assert (none == coarse).all() and (whole != coarse).mean() > 0.2
    inside = (whole > 0) & (whole < 255)
    assert np.abs(2 * half - coarse - whole)[inside].max() <= 2


def test_the_levels_told_are_those_of_the_source(encode: Encode, source: Path, tiny_model: Path) -> None:
    (gop,) = chunks(encode(preset="fast"))
    gap = texture.decode(gop.substreams[Substream.TEXTURE_GAP], *CELLS)
    truth, coarse = original(source), shown(encode(preset="fast"), tiny_model)
    missed = []
    for start in (0, 8):
        wanted = cell_levels(detail(truth[start : start + GROUP], 1))
        frames = coarse[start : start + GROUP] / 255
        told = np.mean([spec_side.frame_levels(gap.tolist(), frame) for frame in frames], 0)
        missed.append(told - wanted)
    assert np.abs(np.mean(missed, 0)).max() < 1


def test_the_generator_runs_on_them(encode: Encode, tiny_model: Path) -> None:
    path = encode(backbone_interval=2, detail=2)
    assert (shown(path, tiny_model, diffusion=True) != shown(path, tiny_model)).any()


def test_seeking_gives_the_frames_of_a_whole_decode(encode: Encode, tiny_model: Path) -> None:
    path = encode(backbone_interval=3, detail=2, gop_seconds=Fraction(4, 25))
    assert len(chunks(path)) == 3
    whole = shown(path, tiny_model, diffusion=True)
    part = shown(path, tiny_model, diffusion=True, span=Span(Fraction(5), Fraction(8)))
    assert (part == whole[5:8]).all()


def forged(path: Path, change: Callable[[Gop], Gop]) -> Path:
    """The file with its second chunk changed and all CRCs right."""
    target = path.with_name(f"forged-{path.name}")
    with path.open("rb") as file, target.open("wb") as out:
        reader = Reader(file)
        writer = Writer(out, reader.header, reader.model, minor=1)
        for number, gop in enumerate(reader.gops()):
            writer.write_gop(change(gop) if number == 1 else gop)
        writer.close()
    return target


def without(kind: Substream) -> Callable[[Gop], Gop]:
    return lambda gop: replace(gop, substreams={k: data for k, data in gop.substreams.items() if k is not kind})


def plain_packets(gop: Gop) -> Gop:
    """The chunk as files of format 1.2 and older have it."""
    raw = b"".join(pack_uvar(len(packet)) + packet for packet in packets.decode(gop))
    streams = {k: data for k, data in gop.substreams.items() if k is not Substream.PACKETS}
    return replace(gop, substreams=dict(sorted({**streams, Substream.BASE: raw}.items())))


def test_packets_as_they_are_decode_to_the_same(encode: Encode, tiny_model: Path) -> None:
    whole = encode(backbone_interval=3, detail=2, gop_seconds=Fraction(4, 25))
    path = forged(whole, plain_packets)
    assert path.stat().st_size > whole.stat().st_size
    assert verify_file(path, model=str(tiny_model)).frames == 11
    assert (shown(path, tiny_model) == shown(whole, tiny_model)).all()


FORGERIES = {
    "heads": lambda gop: replace(gop, substreams={**gop.substreams, Substream.PACKETS: b"\x04\xff\xff\xff\xff"}),
    "no motion": without(Substream.MOTION),
    "no detail": without(Substream.LATENTS_P),
    "digest": lambda gop: replace(gop, latents_digest=bitplane.digest([])),
    "divisor": lambda gop: replace(gop, base=replace(gop.base, rate_divisor=2)),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_forged_is_damage_and_salvaged(name: str, encode: Encode, tiny_model: Path) -> None:
    whole = encode(backbone_interval=3, detail=2, gop_seconds=Fraction(4, 25))
    path = forged(whole, FORGERIES[name])
    assert verify_file(path, quick=True).chunks == 3
    with pytest.raises(DamageError, match="the chunk of frames 4 to 7"):
        verify_file(path, model=str(tiny_model))
    with pytest.raises(DamageError, match="the chunk of frames 4 to 7"):
        shown(path, tiny_model)
    options = DecodeOptions(model=str(tiny_model), device="cpu", salvage=True, diffusion=False, overwrite=True)
    report = decode_file(path, path.with_suffix(".y4m"), options)
    assert (report.frames, report.chunks) == (7, 2)


def test_detail_is_for_the_layered_profile(ncodec: Run, source: Path, tmp_path: Path) -> None:
    run = ncodec("encode", source, tmp_path / "a.nvc", "--profile", "native", "--detail", "1")
    assert run.returncode == 2
    assert "--detail is for --profile layered" in run.stderr
