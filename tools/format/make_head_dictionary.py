"""Make neurcodec/entropy/head_dictionary.py (spec section 6.10): python -m tools.format.make_head_dictionary.

The dictionary is the heads of the example clip's AV1 temporal units at several lengths and qualities, as the layered
profile codes them. It belongs to the format: run this only for a new major version. Takes some minutes. What it writes
today is another dictionary than the one in use, because the base's tuning has changed since (docs/decisions/0028).
"""

from __future__ import annotations

import base64
import textwrap
from pathlib import Path

import numpy as np

from neurcodec.codec.base import RANGES, setting
from neurcodec.codec.layered import encode_base
from neurcodec.entropy.rangecoder import Encoder
from neurcodec.entropy.temporal_units import Heads, split
from neurcodec.training.sources import read_frames

ROOT = Path(__file__).parents[2]
CHUNKS = {24: 8, 48: 0, 96: 16, 160: 4}
"""Frames of each chunk, and its quality."""
TEXT = '''"""What the unit coder has learned before a chunk: heads of OBUs, coded by itself (spec section 6.10).

Made by tools/format/make_head_dictionary.py. Never changed: files need it to decode.
"""

UNITS = {counts}
"""Temporal units of each chunk of the dictionary."""

CODED = (
{lines}
)
"""Their heads as base64."""
'''


def main() -> None:
    """Write the module."""
    forth = read_frames(ROOT / "examples" / "flight.mp4", 255)
    frames = np.concatenate([forth, forth[::-1]])
    coder, heads, counts = Encoder(), None, []
    for length, quality in CHUNKS.items():
        base = encode_base(frames[:length], *setting(quality, list(RANGES)))
        heads = Heads(coder, length, heads)
        for unit in base:
            heads.unit(split(unit))
        counts.append(len(base))
    text = base64.b64encode(coder.finish()).decode()
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(text, 100))
    (ROOT / "neurcodec" / "entropy" / "head_dictionary.py").write_text(TEXT.format(counts=tuple(counts), lines=lines))


if __name__ == "__main__":
    main()
