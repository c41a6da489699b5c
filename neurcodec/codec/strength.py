"""How much of what the generator changes is shown of a chunk (spec 8.5): its encoder measures it on some groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurcodec.entropy.conditioning import FULL

Frames = NDArray[np.uint8]

TRUST = {1: (2.0, 0.4, 0.5), 2: (1.5, 0.0, 1.0), 3: (3.0, 0.0, 1.0), 4: (3.0, 0.0, 1.0)}
"""By the base's scale: how many times the share of least error is shown, what is taken off it before, and the most that
is shown. Detail that is a little off is worth more than none where much is missing (docs/decisions/0029-strength.md).
"""


def best_share(source: Frames, base: Frames, restored: Frames) -> float:
    """The share of the generator's changes that is nearest to the source in squared error; frames (T, H, W, 3)."""
    energy = likeness = 0.0
    for wanted, coarse, shown in zip(source, base, restored, strict=True):
        change = shown.astype(np.float32) - coarse
        energy += float(np.square(change).sum())
        likeness += float((change * (wanted.astype(np.float32) - coarse)).sum())
    return likeness / energy if energy else 0.0


def fitting_strength(source: Frames, base: Frames, restored: Frames, scale: int) -> int:
    """The strength 0..FULL for frames like these on a base of this scale."""
    times, less, most = TRUST[scale]
    share = times * (best_share(source, base, restored) - less)
    return int(np.rint(FULL * np.clip(share, 0, most)))
