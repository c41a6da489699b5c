"""What all codecs of a GOP have in common, and which one codes which profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from neurcodec.container import Profile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.codec.networks import Networks
    from neurcodec.codec.settings import Pictures, Settings
    from neurcodec.codec.symbols import Symbols
    from neurcodec.container import Gop, Header

Tick = Callable[[], None]
"""Called for every frame that has been coded."""


def ignore() -> None:
    """The tick that does nothing."""


class ChunkCodec(Protocol):
    """A GOP's frames to its substreams and back. Immutable: threads may share one, whatever each asks it for."""

    networks: Networks

    def encode(self, pictures: Pictures, settings: Settings, tick: Tick = ignore) -> Gop:
        """Code pictures as one closed GOP."""

    def parse(self, gop: Gop, header: Header) -> Symbols:
        """The symbols of a GOP, checked, without torch; DamageError where it does not hold what it should."""

    def decode(self, symbols: Symbols) -> Iterator[npt.NDArray[np.uint8]]:
        """The pictures uint8 (H, W, 3) in display order; DamageError, before the first one, where AV1 fails."""


def codec(profile: Profile, networks: Networks) -> ChunkCodec:
    """The codec of a profile."""
    from neurcodec.codec.layered import LayeredCodec
    from neurcodec.codec.native import NativeCodec

    return LayeredCodec(networks) if profile is Profile.LAYERED else NativeCodec(networks)
