"""The base layer of a layered GOP: its size, its place on the ladder of qualities, its frames. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from neurcodec.codec.settings import MAX_QUALITY
from neurcodec.codec.symbols import Symbols, placed
from neurcodec.container import BaseLayer
from neurcodec.media.av1 import MIN_SIDE, decode_gop

RANGES = {1: (16, 63), 2: (60, 64), 3: (62, 64), 4: (63, 70)}
"""The CRFs of each scale, one a quality index from 63 down: where a smaller picture with a finer quantiser starts to be
better at equal bytes once both are restored (docs/decisions/0008-base-scale.md)."""
MAX_CRF = 70


def base_size(width: int, height: int, scale: int) -> tuple[int, int]:
    """Width and height of a base at 1/scale: even, rounded up."""
    return -(-width // (2 * scale)) * 2, -(-height // (2 * scale)) * 2


def usable_scales(width: int, height: int) -> list[int]:
    """The scales whose base AV1 can code."""
    return [scale for scale in RANGES if min(base_size(width, height, scale)) >= MIN_SIDE]


def setting(quality: int, scales: Sequence[int]) -> tuple[int, int]:
    """The scale and CRF of a quality index 0..63, of the `scales` (1 and on) that a picture's size allows."""
    steps = [
        (scale, crf)
        for scale in scales
        for crf in range(RANGES[scale][0], (MAX_CRF if scale == scales[-1] else RANGES[scale][1]) + 1)
    ]
    return steps[min(MAX_QUALITY - quality, len(steps) - 1)]


def decode_units(units: Sequence[bytes], count: int, width: int, height: int, scale: int) -> npt.NDArray[np.uint8]:
    """The `count` frames uint8 (count, h, w, 3) of a base at 1/scale; DamageError where AV1 does not give them."""
    return decode_gop(units, count, *base_size(width, height, scale))


def decode_base(symbols: Symbols, base: BaseLayer) -> npt.NDArray[np.uint8]:
    """The base frames of a GOP, uint8 (count, h, w, 3); DamageError where AV1 does not give them."""
    with placed(symbols.place):
        return decode_units(symbols.temporal_units, symbols.base_frames, symbols.width, symbols.height, base.scale)
