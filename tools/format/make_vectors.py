"""Write the container's test vectors again: python -m tools.format.make_vectors. The same bytes come out every time.

tests/vectors/good/*.nvc are read by every reader; tests/vectors/bad/*.nvc are refused, with the class of error that
tests/vectors/bad/errors.json names. Their substreams are text, not latents.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from zlib import crc32

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
    Writer,
)
from neurcodec.container.payloads import pack_header, pack_model

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
HEADER = Header(64, 48, Fraction(1, 12800), Fraction(25), Fraction(1), None, 1, 1, 1, ColorRange.LIMITED, 1)
LAYERED = replace(HEADER, profile=Profile.LAYERED)
MODEL = ModelInfo("none", bytes(range(16)), bytes(range(16, 32)))
AUDIO = StreamInfo(
    StreamKind.AUDIO, "aac", Fraction(1, 48000), 0, 128000, 48000, "stereo", "fltp", 1024, 1, b"\x11\x90",
    {"language": "eng"},
)  # fmt: skip
EXAMPLE_ID = crc32(pack_header(HEADER) + pack_model(MODEL))
Content = Gop | Packet | dict[str, str]


def gop(pts: Sequence[int], last_duration: int, number: int = 0, base: BaseLayer | None = None) -> Gop:
    """A record whose substreams are text."""
    parts = {Substream.MOTION: b"motion", Substream.LATENTS_I: b"intra", Substream.LATENTS_P: b"backbone"}
    if base:
        parts[Substream.BASE] = b"base layer"
    return Gop(tuple(pts), last_duration, 20, 3, parts, b"digest%02d" % number, base)


def pack(contents: Sequence[Content], header: Header = HEADER, streams: Sequence[StreamInfo] = ()) -> bytes:
    """A file."""
    file = io.BytesIO()
    writer = Writer(file, header, MODEL, bitexact=True)
    for stream in streams:
        writer.write_stream(stream)
    for content in contents:
        if isinstance(content, Gop):
            writer.write_gop(content)
        elif isinstance(content, Packet):
            writer.write_packets([content])
        else:
            writer.write_metadata(content)
    writer.close()
    return file.getvalue()


def even(start: int, frames: int, number: int = 0) -> Gop:
    """Frames at 25 frames/s."""
    return gop([512 * i for i in range(start, start + frames)], 512, number)


def holding(substreams: dict[Substream, bytes]) -> Gop:
    """A record of one frame with these substreams."""
    return replace(even(0, 1), substreams=substreams)


def good() -> dict[str, bytes]:
    """The files that must be read."""
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    milliseconds = [i * 1001 // 30 for i in range(40)]
    subtitle = StreamInfo(StreamKind.SUBTITLE, "subrip", Fraction(1, 1000), metadata={"language": "deu"})
    font = StreamInfo(StreamKind.ATTACHMENT, "ttf", Fraction(1, 90000), extradata=b"font" * 20)
    packets = [
        Packet(0, b"first", -1024, -1024, 1024),
        Packet(0, b"second", 0, 0, 1024),
        Packet(0, b"late", 4096, 3072, 1024, False, True),
        Packet(0, b"no times", None, None, 0),
        Packet(1, b"A line of text", 40, None, 1960),
    ]
    return {
        "example": pack(
            [{"title": "example"}, even(0, 3), Packet(0, b"sound", 0, 0, 1024), even(3, 2, 1)], streams=[AUDIO]
        ),
        "one_frame": pack([even(0, 1)]),
        "rotated": pack([even(0, 2)], replace(HEADER, display_matrix=matrix, sample_aspect_ratio=Fraction(4, 3))),
        "milliseconds": pack(
            [gop(milliseconds, 33), gop([milliseconds[-1] + 34], 33, 1)],
            replace(HEADER, time_base=Fraction(1, 1000), frame_rate=Fraction(30000, 1001)),
        ),
        "variable": pack([gop([-40, 0, 7, 2000], 0)], replace(HEADER, frame_rate=Fraction(0))),
        "layered": pack(
            [gop([0, 512, 1024], 512, 0, BaseLayer(2, 140)), gop([1536, 2048], 512, 1, BaseLayer(1, 9))], LAYERED
        ),
        "streams": pack([even(0, 3), *packets, {"title": "streams", "ü": ""}], streams=[AUDIO, subtitle, font]),
        "long": pack([even(2 * k, 2, k) for k in range(10)]),
    }


def split(data: bytes) -> list[bytes]:
    """Preamble and records."""
    parts, at = [data[:16]], 16
    while at < len(data):
        end = at + 13 + int.from_bytes(data[at + 5 : at + 9], "little")
        parts.append(data[at:end])
        at = end
    return parts


def record(kind: bytes, payload: bytes, flags: int = 0, file_id: int | None = None) -> bytes:
    """A record with a right CRC, in `example` or in the file of another id."""
    body = kind + bytes([flags]) + len(payload).to_bytes(4, "little") + payload
    return body + crc32(body, EXAMPLE_ID if file_id is None else file_id).to_bytes(4, "little")


def sealed(parts: Sequence[bytes]) -> bytes:
    """The file of these parts with the chain in its FEND made right."""
    chain = crc32(parts[0])
    for part in parts[1:-1]:
        chain = crc32(part[-4:], chain)
    end = parts[-1]
    return b"".join([*parts[:-1], record(b"FEND", end[9:-8] + chain.to_bytes(4, "little"))])


def changed(parts: Sequence[bytes], number: int, place: int, value: bytes) -> bytes:
    """The file with some bytes of one payload replaced, and all CRCs right."""
    part = parts[number]
    payload = part[9 : 9 + place] + value + part[9 + place + len(value) : -4]
    return sealed([*parts[:number], record(part[:4], payload, part[4]), *parts[number + 1 :]])


def bad() -> dict[str, tuple[str, bytes]]:
    """The files that must be refused, and how. `example` has HEAD, MODL, strm, meta, GOPC, pckt, GOPC, indx, FEND."""
    whole = good()["example"]
    parts = split(whole)
    preamble, head, model, gopc = parts[0], parts[1], parts[2], parts[5]
    flagged = record(b"GOPC", gopc[9:-4], 1)
    return {
        "native_base": ("DamageError", pack([holding({Substream.BASE: b"base"})])),
        "native_scale": ("DamageError", pack([replace(even(0, 1), base=BaseLayer(1, 9))])),
        "no_base": ("DamageError", pack([even(0, 1)], LAYERED)),
        "no_base_stream": ("DamageError", pack([replace(even(0, 1), base=BaseLayer(1, 9))], LAYERED)),
        "other_file": ("DamageError", sealed([*parts[:4], record(b"meta", b"\x01\x01a\x00", file_id=7), *parts[5:]])),
        "signature": ("FormatError", b"\x0b" + whole[1:]),
        "text_mode": ("FormatError", whole.replace(b"\r\n", b"\n")),
        "major": ("FormatError", sealed([preamble[:8] + b"\x01\0\0\0" + preamble[12:], *parts[1:]])),
        "newer_reader": ("FormatError", sealed([preamble[:8] + b"\x02\xff\xff\0" + preamble[12:], *parts[1:]])),
        "file_flags": ("FormatError", sealed([preamble[:11] + b"\x01" + preamble[12:], *parts[1:]])),
        "chunk_flags": ("FormatError", sealed([*parts[:5], flagged, *parts[6:]])),
        "critical": ("FormatError", sealed([*parts[:3], record(b"NEWC", b"?"), *parts[3:]])),
        "mixed_case": ("FormatError", sealed([*parts[:3], record(b"nEWC", b"?"), *parts[3:]])),
        "timing": ("FormatError", changed(parts, 5, 5, b"\x03")),
        "crc": ("DamageError", whole.replace(b"motion", b"notion", 1)),
        "cut": ("DamageError", whole[:-30]),
        "no_end": ("DamageError", b"".join(parts[:-1])),
        "trailing": ("DamageError", whole + b"\0"),
        "no_head": ("DamageError", sealed([preamble, *parts[2:]])),
        "second_head": ("DamageError", sealed([*parts[:3], head, *parts[3:]])),
        "other_copy": ("DamageError", sealed([*parts[:3], record(b"modl", model[9:-5] + b"?"), *parts[3:]])),
        "zero_width": ("DamageError", changed(parts, 1, 1, b"\0")),
        "long_integer": ("DamageError", changed(parts, 1, 1, b"\xc0\x00")),
        "zero_time_base": ("DamageError", changed(parts, 1, 4, b"\0")),
        "quality": ("DamageError", changed(parts, 5, 2, b"\x40")),
        "interval": ("DamageError", changed(parts, 5, 3, b"\0")),
        "substream_sizes": ("DamageError", changed(parts, 5, 19, b"\x05")),
        "frame_number": ("DamageError", changed(parts, 7, 0, b"\x04")),
        "frames_exchanged": ("DamageError", sealed([*parts[:5], parts[7], parts[6], parts[5], *parts[8:]])),
        "late_stream": ("DamageError", sealed([*parts[:3], *parts[4:6], parts[3], *parts[6:]])),
        "no_stream": ("DamageError", sealed([*parts[:3], *parts[4:]])),
        "chain": ("DamageError", b"".join([*parts[:4], record(b"meta", b"\x01\x05Title\x07example"), *parts[5:]])),
        "frame_count": ("DamageError", changed(parts, 9, 0, b"\x06")),
        "too_wide": ("LimitError", changed(parts, 1, 1, b"\x80\x80\x02")),
    }


def main() -> None:
    """Write all vectors."""
    for name, data in good().items():
        (VECTORS / "good" / f"{name}.nvc").write_bytes(data)
    refused = bad()
    for name, (_, data) in refused.items():
        (VECTORS / "bad" / f"{name}.nvc").write_bytes(data)
    errors = {name: error for name, (error, _) in sorted(refused.items())}
    (VECTORS / "bad" / "errors.json").write_text(json.dumps(errors, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
