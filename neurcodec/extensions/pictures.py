"""What the extensions make of the frames of a base layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from neurcodec.extensions.detail import pictures as detail
from neurcodec.extensions.filling import pictures as filling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurcodec.coarse.codec import CoarseFrame
    from neurcodec.coarse.model import CoarseCodec
    from neurcodec.entropy.latent_coder import FrameLatents

Bases = Callable[[], "Iterator[CoarseFrame]"]
"""Gives a chunk's decoded base frames, as often as it is called."""


class BeforeGenerator(Protocol):
    """An extension that changes the frames of a base layer, or adds some."""

    @property
    def NAME(self) -> str:
        """As in `streams`."""

    def search(
        self,
        codec: CoarseCodec,
        class_channels: Sequence[int],
        sources: NDArray[np.uint8],
        latents: Sequence[FrameLatents],
        bases: Bases,
        quality: int,
        wanted: Any,
    ) -> list[FrameLatents]:
        """The latents of a chunk with the extension's part, found in its source frames uint8 (T, H, W, 3)."""

    def apply(
        self, codec: CoarseCodec, latents: Sequence[FrameLatents], bases: Iterable[CoarseFrame], quality: int
    ) -> Iterator[CoarseFrame]:
        """The frames that its part of the latents makes of base frames."""


PICTURES: tuple[BeforeGenerator, ...] = (detail, filling)
"""In the order in which they are applied: filled frames are made of base frames with their detail."""
