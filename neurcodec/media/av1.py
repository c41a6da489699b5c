"""AV1 base layers: RGB frames to one closed GOP with SVT-AV1, and back with dav1d (yuv420p, BT.709, limited range)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from neurcodec.container.values import ColorRange
from neurcodec.errors import DamageError, InputError, LimitError
from neurcodec.media import priority
from neurcodec.media.colour import BT709, Converter

MAX_PIXELS = 1 << 28
MIN_SIDE, MAX_SIDE = 64, 16384
TEMPORAL_DELIMITER = b"\x12\x00"
TUNING = "tune=2"
"""For structural similarity, which the judges prefer (docs/decisions/0028)."""

os.environ.setdefault("SVT_LOG", "0")  # no banner and, after Ctrl-C, no complaint on stderr; errors are raised


def encode_gop(
    frames: NDArray[np.uint8], crf: int, preset: int = 8, threads: int = 0, tuning: str = TUNING
) -> list[bytes]:
    """Encode uint8 RGB frames (frames, height, width, 3) as one closed GOP; return its units in decoding order.

    `crf` is 1..70 (above 63 the quantiser stays and the encoder spends still less), `preset` 0 (slow) to 13; `threads`
    0 is one per core; `tuning` other parameters of SVT-AV1. Temporal delimiters (2 bytes a unit) are left out: the
    unit boundaries say the same. Sides
    must be 64 to 16384.
    """
    count, height, width, _ = frames.shape
    if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
        raise InputError(f"an AV1 base layer of {width}x{height} cannot be coded; sides must be {MIN_SIDE}..{MAX_SIDE}")
    encoder: Any = av.CodecContext.create("libsvtav1", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.gop_size = count
    encoder.options = {"preset": str(preset), "svtav1-params": f"{tuning}:crf={crf}:lp={threads}"}
    with priority.kept():
        encoder.open()
    return [bytes(unit).removeprefix(TEMPORAL_DELIMITER) for unit in packets_of(encoder, frames)]


def packets_of(encoder: Any, frames: NDArray[np.uint8]) -> list[Any]:
    """What an open encoder of yuv420p makes of RGB frames (frames, height, width, 3)."""
    converter = Converter(BT709, ColorRange.LIMITED, frames.shape[1])
    units: list[Any] = []
    for number, rgb in enumerate(frames):
        frame = converter.from_rgb(rgb, "yuv420p")
        frame.pts = number
        units += encoder.encode(frame)
    return units + encoder.encode(None)


def decode_gop(units: Sequence[bytes], count: int, width: int, height: int) -> NDArray[np.uint8]:
    """Decode units of `encode_gop` to uint8 RGB (count, height, width, 3), in display order.

    The sizes are what the file declares. LimitError when they are too large; DamageError when the units do not
    decode, or not to exactly this. The AV1 decoder is told the size before it allocates anything.
    """
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise LimitError(f"the AV1 base layer is declared as {width}x{height}, above the limit")
    decoder: Any = av.CodecContext.create("libdav1d", "r")
    decoder.thread_count = 1  # dav1d's frame threads can hang for ever on damaged units (measured)
    decoder.options = {"max_pixels": str(width * height)}
    converter = Converter(BT709, ColorRange.LIMITED, height)
    out: NDArray[np.uint8] | None = None  # allocated when a frame has shown the declared size to be true
    done = 0
    for unit in [*units, None]:
        if unit == b"":
            raise DamageError("the AV1 base layer holds an empty unit")
        try:
            decoded = decoder.decode(None if unit is None else av.Packet(unit))
        except av.error.FFmpegError as error:
            raise DamageError(f"the AV1 base layer does not decode ({error.strerror or error})") from None
        for frame in decoded:
            if (frame.width, frame.height) != (width, height) or frame.format.name != "yuv420p":
                raise DamageError(
                    f"the AV1 base layer holds {frame.width}x{frame.height} {frame.format.name} "
                    f"where {width}x{height} yuv420p is declared"
                )
            if done == count:
                raise DamageError(f"the AV1 base layer holds more than the {count} frames declared")
            if out is None:
                out = np.empty((count, height, width, 3), np.uint8)
            out[done] = converter.to_rgb(frame)
            done += 1
    if out is None or done < count:
        raise DamageError(f"the AV1 base layer holds {done} frames where {count} are declared")
    return out
