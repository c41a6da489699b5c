"""What a caption may be. Needs nothing heavy."""

from __future__ import annotations

from neurcodec.errors import InputError

CAPTION_BYTES = 1024
"""Longest caption, in bytes of UTF-8."""


def utf8(caption: str) -> bytes:
    """A caption in UTF-8; InputError where it is empty, too long, or holds a character 0."""
    try:
        data = caption.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the caption is not valid Unicode text") from None
    if not 1 <= len(data) <= CAPTION_BYTES:
        raise InputError(f"the caption has {len(data)} bytes; it must have 1 to {CAPTION_BYTES}")
    if 0 in data:
        raise InputError("the caption holds a character with the number 0")
    return data
