"""What pictures, chunks and files must keep within before anything of their size is allocated (spec section 12)."""

from __future__ import annotations

from neurcodec.container.values import Header, Limits, Profile
from neurcodec.errors import LimitError


def check_picture(header: Header, limits: Limits, place: str) -> None:
    """LimitError if the picture is larger than the limits allow."""
    width, height = header.width, header.height
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise LimitError(
            f"{place}: a picture of {width}x{height} is above the limit of {limits.side} a side (side) "
            f"or {limits.pixels} in all (pixels)"
        )


FREE_PICTURE = 1 << 20
"""Samples of a native picture that need no bytes."""


def check_chunk(frames: int, size: int, header: Header, limits: Limits, place: str) -> None:
    """LimitError if a chunk whose substreams have `size` bytes has more frames or samples than the limits allow."""
    if frames > limits.chunk_frames or frames * header.width * header.height > limits.chunk_pixels:
        raise LimitError(
            f"{place}: a chunk of {frames} frames of {header.width}x{header.height} is above the limit of "
            f"{limits.chunk_frames} frames (chunk_frames) or {limits.chunk_pixels} samples (chunk_pixels)"
        )
    native, picture = header.profile is Profile.NATIVE, header.width * header.height
    bounds = [
        ("native_pixels_per_byte", limits.native_pixels_per_byte, frames * picture),
        ("native_picture_per_byte", limits.native_picture_per_byte, picture - FREE_PICTURE),
    ]
    for name, most, pixels in bounds if native else [("pixels_per_byte", limits.pixels_per_byte, frames * picture)]:
        if pixels > most * max(1, size):
            raise LimitError(
                f"{place}: {size} bytes are too few for {frames} frames of {header.width}x{header.height}, the limit "
                f"is {most} samples a byte ({name})"
            )


def check_file(frames: int, header: Header, limits: Limits, place: str) -> None:
    """LimitError if a file with so many frames has more samples than the limits allow."""
    if frames * header.width * header.height > limits.file_pixels:
        raise LimitError(
            f"{place}: {frames} frames of {header.width}x{header.height} are above the limit of {limits.file_pixels} "
            "samples in a file (file_pixels)"
        )
