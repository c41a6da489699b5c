"""Real AV1 for the vectors of latents: small closed GOPs, recorded in av1_units.json, so that vectors stay the same.

python -m tools.format.av1_units records them again: plain pictures coded by SVT-AV1, for the sizes in RECORDED.
"""

from __future__ import annotations

import base64
import json
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np

from neurcodec.media.av1 import TEMPORAL_DELIMITER, decode_gop, packets_of

FILE = Path(__file__).with_suffix(".json")
RECORDED = {
    (2, 2): 2, (2, 20): 2, (20, 2): 2, (24, 16): 2, (32, 16): 2, (32, 24): 2, (48, 32): 5, (64, 32): 5, (64, 48): 3,
    (168, 66): 6,
}  # fmt: skip
"""Width and height of a base, and how many frames it has at most."""
LEAST = 4
"""The smallest side that SVT-AV1 codes; to the blocks of AV1 a side of 2 is the same."""
WIDTH_BITS, WIDTH = 29, 37
"""Bits of SVT-AV1's sequence header before frame_width_bits_minus_1 and before max_frame_width_minus_1."""


@cache
def recorded() -> dict[str, list[str]]:
    """What is in the file."""
    found: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def units(width: int, height: int, count: int) -> list[bytes]:
    """The temporal units of a base of this size and number of frames."""
    return [base64.b64decode(unit) for unit in recorded()[f"{width}x{height}x{count}"]]


def coded(width: int, height: int, count: int) -> list[bytes]:
    """Make them."""
    encoder: Any = av.CodecContext.create("libsvtav1", "w")
    encoder.width, encoder.height, encoder.pix_fmt = max(LEAST, width), max(LEAST, height), "yuv420p"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, 25), Fraction(25), count
    encoder.options = {"preset": "8", "svtav1-params": "crf=50:lp=1"}
    encoder.open()
    pictures = [np.full((encoder.height, encoder.width, 3), 40 + 10 * number, np.uint8) for number in range(count)]
    first, *rest = (bytes(unit).removeprefix(TEMPORAL_DELIMITER) for unit in packets_of(encoder, np.stack(pictures)))
    return [narrowed(first, width, height), *rest]


def narrowed(unit: bytes, width: int, height: int) -> bytes:
    """A unit that starts with a sequence header, with another size in it that takes as many bits."""
    bits = f"{int.from_bytes(unit[2:], 'big'):0{8 * len(unit) - 16}b}"
    wide, high = (int(bits[start : start + 4], 2) + 1 for start in (WIDTH_BITS, WIDTH_BITS + 4))
    bits = bits[:WIDTH] + f"{width - 1:0{wide}b}{height - 1:0{high}b}" + bits[WIDTH + wide + high :]
    return unit[:2] + int(bits, 2).to_bytes(len(unit) - 2, "big")


def main() -> None:
    """Record all sizes and numbers of frames."""
    made = {}
    for (width, height), most in RECORDED.items():
        for count in range(1, most + 1):
            made[f"{width}x{height}x{count}"] = coded(width, height, count)
            decode_gop(made[f"{width}x{height}x{count}"], count, width, height)
    text = {name: [base64.b64encode(unit).decode() for unit in row] for name, row in made.items()}
    FILE.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
