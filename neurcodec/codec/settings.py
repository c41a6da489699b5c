"""What a group of pictures is coded from and with: immutable values that go into a codec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from neurcodec.errors import DeviceError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neurcodec.extensions.streams import Wanted

MAX_QUALITY = 63
PRESETS = {"slow": 1, "medium": 2, "fast": 6}
"""Speed against size: the preset of SVT-AV1 that codes the layered profile's base."""


class Pictures(NamedTuple):
    """The frames of a GOP: uint8 (T, H, W, 3) RGB, the pts of each, how long the last one is shown (0: unknown)."""

    rgb: npt.NDArray[np.uint8]
    pts: tuple[int, ...]
    last_duration: int


@dataclass(frozen=True)
class Settings:
    """How a GOP is coded.

    quality: 0 (smallest) to 63. preset: one of PRESETS (native has one speed). mini_gop: 1 to 4; None measures
    the motion (native) or keeps all frames in the base (layered). extensions: as
    `extensions.streams.asked` gives.
    """

    quality: int
    preset: str = "medium"
    mini_gop: int | None = None
    extensions: Wanted = ()

    def wanted(self, extension: str) -> Any:
        """What is asked for of an extension, or None."""
        return dict(self.extensions).get(extension)


def check_device(name: str) -> None:
    """DeviceError for what is no device's name, before torch is loaded to see which are here."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise DeviceError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N")
