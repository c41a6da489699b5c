"""The extensions' substreams, and what an encode may ask for. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from neurcodec.container import Substream
from neurcodec.extensions.caption import stream as caption
from neurcodec.extensions.detail import stream as detail
from neurcodec.extensions.filling import stream as filling
from neurcodec.extensions.sketch import stream as sketch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurcodec.entropy.latent_coder import FrameLatents
    from neurcodec.entropy.model import EntropyModel

Wanted = tuple[tuple[str, Any], ...]
"""What an encode asks for: pairs of an extension's name and a value that is not false."""


class ConditioningStream(Protocol):
    """An extension with a substream of its own that the generator is told."""

    @property
    def NAME(self) -> str:
        """Of its keyword and option."""

    @property
    def SUBSTREAM(self) -> Substream:
        """Where it lies."""

    def encode(self, wanted: Any, first: NDArray[np.uint8]) -> bytes:
        """The substream of what is asked for; first: the chunk's first frame, uint8 (H, W, 3). Empty: none."""

    def decode(self, data: bytes, height: int, width: int) -> Any:
        """What a substream holds for pictures of this size; DamageError where that is nothing."""

    def exact(self, value: Any) -> bytes:
        """What counts in the digest of what a substream holds (spec 6.11)."""


class LatentStream(Protocol):
    """An extension that adds to the latents of a chunk with a base layer."""

    @property
    def NAME(self) -> str:
        """Of its keyword and option, if it has one."""

    def encode(
        self, model: EntropyModel, latents: Sequence[FrameLatents], grid: tuple[int, int], quality: int, wanted: Any
    ) -> dict[Substream, bytes]:
        """The substreams of its part of latents in display order, on a grid (h, w)."""

    def decode(
        self,
        model: EntropyModel,
        streams: Mapping[Substream, bytes],
        latents: Sequence[FrameLatents],
        grid: tuple[int, int],
        quality: int,
    ) -> list[FrameLatents]:
        """The latents with its part; DamageError where its substreams do not fit them."""


CONDITIONING: tuple[ConditioningStream, ...] = (caption, sketch)
LATENTS: tuple[LatentStream, ...] = (filling, detail)
"""In the order of decoding: the contexts of detail have the motion."""
WORDS = {"captions": caption}
"""Those that are words, by the name under which `info` lists them."""
_CHECKS = {one.NAME: one.check for one in (caption, detail)}


def asked(**wanted: Any) -> Wanted:
    """What is asked for of the extensions of these names; InputError or ArgumentError where that cannot be."""
    pairs = tuple((name, value) for name, value in wanted.items() if value)
    for name, value in pairs:
        if name in _CHECKS:
            _CHECKS[name](value)
    return pairs
