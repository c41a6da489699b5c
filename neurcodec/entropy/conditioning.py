"""What a chunk tells the generator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FULL = 16
"""The strength at which all that the generator changes is shown."""


class Conditioning(NamedTuple):
    """What the encoder tells the generator about a chunk, as far as it does.

    texture: the texture index 1..63, or 0. texture_map: levels int64 (ceil(height / 32), ceil(width / 32)), 0..15, of
    the native profile. texture_gap: of the layered one, of the same shape and range, how many levels more than the
    coarse picture's, and NO_GAP. strength: how much of what the
    generator changes is shown, 0 (nothing: it is left out) to FULL (all). extensions: by name.
    """

    texture: int = 0
    texture_map: NDArray[np.int64] | None = None
    texture_gap: NDArray[np.int64] | None = None
    strength: int = FULL
    extensions: Mapping[str, Any] = MappingProxyType({})


NO_CONDITIONING = Conditioning()
