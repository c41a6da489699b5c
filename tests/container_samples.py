"""Small files and hypothesis strategies for the container tests."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from hypothesis import strategies as st

from neurcodec.container import (
    BaseLayer,
    ColorRange,
    Gop,
    Header,
    ModelInfo,
    Packet,
    Profile,
    StreamInfo,
    StreamKind,
    Substream,
    VideoTrack,
)
from neurcodec.container.framing import pack_preamble, pack_record
from neurcodec.container.payloads import pack_end
from neurcodec.extensions.caption import stream as caption
from tools.format.files import Content, pack

HEADER = Header(64, 48, Fraction(1, 30000), Fraction(30000, 1001), Fraction(1), color_primaries=1)
MODEL = ModelInfo("tiny", bytes(range(16)), bytes(range(16, 32)))
AUDIO = StreamInfo(StreamKind.AUDIO, "aac", Fraction(1, 48000), sample_rate=48000, extradata=b"\x11\x90")


def gop(start: int, frames: int, size: int = 20) -> Gop:
    """A record of `frames` evenly spaced frames that starts with frame number `start`."""
    parts = {kind: bytes([65 + kind]) * size for kind in (Substream.MOTION, Substream.LATENTS_I, Substream.LATENTS_P)}
    return Gop(tuple((start + i) * 1001 for i in range(frames)), 1001, 20, 3, parts, b"digest%02d" % (start % 100))


def audio(first: int, count: int) -> tuple[Packet, ...]:
    """Packets of 1024 samples of stream 0."""
    return tuple(Packet(0, b"sound%d" % i, i * 1024, i * 1024, 1024) for i in range(first, first + count))


def write(
    items: Iterable[Content], header: Header = HEADER, streams: Iterable[StreamInfo] = (), model: ModelInfo = MODEL
) -> bytes:
    """The file with these items."""
    return pack(items, header, streams, model)


def small() -> bytes:
    """A file with everything in it: three records, audio, metadata."""
    items: list[Content] = [{"title": "small"}]
    for k in range(3):
        items += [gop(k * 5, 5), audio(k * 3, 3)]
    return write(items, streams=[AUDIO])


def build(*records: tuple[bytes, bytes], preamble: bytes | None = None) -> bytes:
    """A file of raw records, each with a right CRC."""
    return (pack_preamble() if preamble is None else preamble) + b"".join(pack_record(*record) for record in records)


def file_id(data: bytes) -> int:
    """The id of a file."""
    return int.from_bytes(data[12:16], "little")


def end(frames: int, records: int) -> bytes:
    """A FEND payload whose chain is not right."""
    return pack_end(frames, records, 0, 0)


_ratio = st.builds(Fraction, st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1))
_positive = st.builds(Fraction, st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
_text = st.text(st.characters(codec="utf-8"), max_size=20)
_pairs = st.dictionaries(_text.filter(bool), _text, max_size=4)
_time = st.integers(-(2**40), 2**40)

headers = st.builds(
    Header,
    st.integers(1, 16384),
    st.integers(1, 16384),
    st.sampled_from([Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 1000), Fraction(1, 10**9)]),
    _ratio,
    _ratio,
    st.none() | st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 9),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from(ColorRange),
    st.integers(0, 6),
    st.integers(1, 32),
    st.just(Profile.LAYERED),
)
models = st.builds(
    ModelInfo,
    _text.filter(lambda name: 1 <= len(name.encode()) <= 64),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
)
tracks = st.builds(
    VideoTrack,
    st.integers(0, 2**32 - 1),
    st.integers(0, 5),
    st.none() | st.tuples(*[st.integers(0, 2**32 - 1)] * 10),
    st.none() | st.tuples(*[st.integers(0, 2**32 - 1)] * 2),
    _pairs,
)
streams = st.builds(
    StreamInfo,
    st.sampled_from(StreamKind),
    st.text("abcdefgh", min_size=1, max_size=10),
    _positive,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**40),
    st.integers(0, 2**31 - 1),
    _text,
    st.text("fltps16", max_size=8),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=40),
    _pairs,
)


def packets(stream_count: int) -> st.SearchStrategy[tuple[Packet, ...]]:
    """Runs of packets of one stream."""

    def of(stream: int) -> st.SearchStrategy[tuple[Packet, ...]]:
        packet = st.builds(
            Packet,
            st.just(stream),
            st.binary(min_size=1, max_size=20),
            st.none() | _time,
            st.none() | _time,
            st.integers(0, 2**40),
            st.booleans(),
            st.booleans(),
        )
        return st.lists(packet, min_size=1, max_size=6).map(tuple)

    return st.integers(0, stream_count - 1).flatmap(of)


@st.composite
def gops(draw: st.DrawFn, first_pts: int, first_frame: int, layered: bool) -> Gop:
    """A record with constant, even or free timestamps from `first_pts` on."""
    frames = draw(st.integers(1, 255) | st.integers(1, 5))
    start = first_pts + draw(st.integers(0, 1000))
    step = draw(st.builds(Fraction, st.integers(1000, 5000), st.integers(1, 1000)))
    phase = draw(st.fractions(0, 1))
    even = [start + int(phase + step * i) - int(phase) for i in range(frames)]
    jumps = draw(st.lists(st.integers(1, 2**20), min_size=frames - 1, max_size=frames - 1)) if frames < 9 else None
    pts = [start + sum(jumps[:i]) for i in range(frames)] if jumps and draw(st.booleans()) else even
    parts = draw(st.dictionaries(st.sampled_from(Substream), st.binary(min_size=1, max_size=30)))
    if Substream.CAPTION in parts:
        parts[Substream.CAPTION] = caption.encode(
            draw(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=50))
        )
    parts.pop(Substream.BASE, None)
    if layered:
        parts[Substream.BASE] = draw(st.binary(min_size=1, max_size=30))
    base = draw(st.builds(BaseLayer, st.integers(1, 16), st.integers(0, 255))) if layered else None
    return Gop(
        tuple(pts),
        draw(st.integers(0, 2**20)),
        draw(st.integers(0, 63)),
        draw(st.integers(1, 4)),
        parts,
        draw(st.binary(min_size=8, max_size=8)),
        base,
        first_frame,
    )


@st.composite
def contents(draw: st.DrawFn) -> tuple[Header, ModelInfo, list[StreamInfo], list[Content]]:
    """Everything that one file is made of."""
    header, model = draw(headers), draw(models)
    declared = draw(st.lists(streams, max_size=3))
    items: list[Content] = []
    pts = frame = 0
    for _ in range(draw(st.integers(1, 4))):
        if declared and draw(st.booleans()):
            items.append(draw(packets(len(declared))))
        if pairs := draw(_pairs):
            items.append(pairs)
        part = draw(gops(pts, frame, header.profile is Profile.LAYERED))
        pts, frame = part.pts[-1] + 1, frame + part.frames
        items.append(part)
    return header, model, declared, items
