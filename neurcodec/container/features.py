"""Which minor version of the format brought what a chunk may use (spec section 13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from neurcodec.container.values import FrameType, Gop, Substream

EXTENSIONS = 1
"""The minor version that has the extensions of annexes A to D."""


@dataclass(frozen=True)
class Feature:
    """What readers of older minor versions cannot decode; `mark`: how a chunk that has it is told, in words."""

    name: str
    mark: str
    minor: int
    used: Callable[[Gop], bool]


FEATURES = (
    Feature("captions", "substream 7", EXTENSIONS, lambda gop: Substream.CAPTION in gop.substreams),
    Feature("sketches", "substream 8", EXTENSIONS, lambda gop: Substream.SKETCH in gop.substreams),
    Feature(
        "filled frames", "an S frame beside a base layer", EXTENSIONS,
        lambda gop: gop.base is not None and FrameType.S in gop.frame_types,
    ),
    Feature(
        "detail latents", "substream 2 beside a base layer", EXTENSIONS,
        lambda gop: gop.base is not None and Substream.LATENTS_P in gop.substreams,
    ),
)  # fmt: skip
"""What is in the table of the specification."""


def lacking(gop: Gop, minor: int) -> str | None:
    """The first feature that a chunk uses and a reader of this minor version does not have; None where it has all."""
    return next((feature.name for feature in FEATURES if feature.minor > minor and feature.used(gop)), None)
