"""Write the container's test vectors again: python -m tools.format.make_vectors. The same bytes come out every time.

tests/vectors/good/*.nvc are read by every reader; tests/vectors/bad/*.nvc are refused, with the class of error that
tests/vectors/bad/errors.json names. Their substreams are text, not latents.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from neurcodec.container import BaseLayer, Packet, StreamInfo, StreamKind, Substream
from tools.format import edges
from tools.format.files import (
    AUDIO,
    HEADER,
    LAYERED,
    changed,
    even,
    example,
    gop,
    holding,
    pack,
    record,
    sealed,
    split,
)

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"


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
        "example": example(),
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
        "streams": pack(
            [even(0, 3), *((packet,) for packet in packets), {"title": "streams", "ü": ""}],
            streams=[AUDIO, subtitle, font],
        ),
        "long": pack([even(2 * k, 2, k) for k in range(10)]),
        **edges.good(),
    }


def bad() -> dict[str, tuple[str, bytes]]:
    """The files that must be refused, and how."""
    whole = example()
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
        "substream_sizes": ("DamageError", changed(parts, 5, 20, b"\x05")),
        "frame_number": ("DamageError", changed(parts, 7, 0, b"\x04")),
        "frames_exchanged": ("DamageError", sealed([*parts[:5], parts[7], parts[6], parts[5], *parts[8:]])),
        "late_stream": ("DamageError", sealed([*parts[:3], *parts[4:6], parts[3], *parts[6:]])),
        "no_stream": ("DamageError", sealed([*parts[:3], *parts[4:]])),
        "chain": ("DamageError", b"".join([*parts[:4], record(b"meta", b"\x01\x05Title\x07example"), *parts[5:]])),
        "frame_count": ("DamageError", changed(parts, 9, 0, b"\x06")),
        "too_wide": ("LimitError", changed(parts, 1, 1, b"\x80\x80\x02")),
        **edges.bad(),
    }


def main() -> None:
    """Write all vectors."""
    for path in (*VECTORS.glob("good/*.nvc"), *VECTORS.glob("bad/*.nvc")):
        path.unlink()
    for name, data in good().items():
        (VECTORS / "good" / f"{name}.nvc").write_bytes(data)
    refused = bad()
    for name, (_, data) in refused.items():
        (VECTORS / "bad" / f"{name}.nvc").write_bytes(data)
    errors = {name: error for name, (error, _) in sorted(refused.items())}
    (VECTORS / "bad" / "errors.json").write_text(json.dumps(errors, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
