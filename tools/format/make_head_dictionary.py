"""Make neurcodec/entropy/dictionaries/heads.bin (spec section 6.10): python -m tools.format.make_head_dictionary.

The dictionary is the heads of the example clip's AV1 temporal units at several lengths and qualities, as the layered
profile codes them. It belongs to the format: run this only for a new major version. Takes some minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurcodec.codec.base import RANGES, setting
from neurcodec.codec.layered import encode_base
from neurcodec.entropy.rangecoder import Encoder
from neurcodec.entropy.temporal_units import DICTIONARY, DICTIONARY_UNITS, Heads, split
from neurcodec.training.sources import read_frames

ROOT = Path(__file__).parents[2]
QUALITIES = (8, 0, 16, 4)
"""Of each chunk."""


def main() -> None:
    """Write the file."""
    forth = read_frames(ROOT / "examples" / "flight.mp4", 255)
    frames = np.concatenate([forth, forth[::-1]])
    coder, heads = Encoder(), None
    for length, quality in zip(DICTIONARY_UNITS, QUALITIES, strict=True):
        heads = Heads(coder, length, heads)
        for unit in encode_base(frames[:length], *setting(quality, list(RANGES))):
            heads.unit(split(unit))
    DICTIONARY.write_bytes(coder.finish())


if __name__ == "__main__":
    main()
