"""How much of what the generator changes is shown of a chunk (spec 8.6): its encoder measures it on some groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.hints import FULL

Frames = NDArray[np.uint8]

TRUST = 2.0
"""How many times the share of least error is shown: detail that is a little off is worth more than none
(docs/decisions/0029-strength.md)."""


def best_share(source: Frames, base: Frames, restored: Frames) -> float:
    """The share of the generator's changes that is nearest to the source in squared error; frames (T, H, W, 3)."""
    energy = likeness = 0.0
    for wanted, coarse, shown in zip(source, base, restored, strict=True):
        change = shown.astype(np.float32) - coarse
        energy += float(np.square(change).sum())
        likeness += float((change * (wanted.astype(np.float32) - coarse)).sum())
    return likeness / energy if energy else 0.0


def fitting_strength(source: Frames, base: Frames, restored: Frames) -> int:
    """The strength 0..FULL for frames like these."""
    return int(np.clip(np.rint(FULL * TRUST * best_share(source, base, restored)), 0, FULL))
