"""What a chunk's side streams tell the generator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FULL = 16
"""The strength at which all that the generator changes is shown."""


class Hints(NamedTuple):
    """What the encoder tells the generator about a chunk, as far as it does.

    caption: a text. sketch: edges bool (ceil(height / 8), ceil(width / 8)) of the first frame. texture: the texture
    index 1..63, or 0. texture_map: levels int64 (ceil(height / 32), ceil(width / 32)), 0..15. texture_gap: of the same
    shape and range, how many levels more than the coarse picture's, and NO_GAP. strength: how much of what the
    generator changes is shown, 0 (nothing: it is left out) to FULL (all).
    """

    caption: str = ""
    sketch: NDArray[np.bool_] | None = None
    texture: int = 0
    texture_map: NDArray[np.int64] | None = None
    texture_gap: NDArray[np.int64] | None = None
    strength: int = FULL


NO_HINTS = Hints()
