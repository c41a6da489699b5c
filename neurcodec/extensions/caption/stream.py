"""The caption of a chunk (spec annex A): UTF-8 text as raw deflate with a preset dictionary."""

from __future__ import annotations

import zlib

from neurcodec.container import Substream
from neurcodec.errors import ArgumentError, DamageError, InputError

NAME = "caption"
SUBSTREAM = Substream.CAPTION

CAPTION_BYTES = 1024
"""Longest caption, in bytes of UTF-8."""

PACKED_BYTES = CAPTION_BYTES + 16
"""Longest substream; text that does not compress takes 5 bytes more than it has."""

DICTIONARY = (
    b"television kitchen mountain sky snow ice fire wind rain sunset sunrise night day light bright dark blue "
    b"red green yellow white black orange brown pink old young small large big long short high low fast slow "
    b"wide distant blurred microphone computer keyboard screen phone camera lens glass bottle cup plate food "
    b"fruit vegetables cooking eating drinking reading writing drawing painting singing dancing playing guitar "
    b"piano drums music concert stage theatre football basketball baseball tennis golf skateboard surfing "
    b"swimming skiing running jumping climbing throwing riding bicycle motorcycle horse truck bus train boat "
    b"ship airplane helicopter drone robot machine factory office classroom school hospital restaurant shop "
    b"shopping market station airport bridge tower house building buildings roof window door wall floor table "
    b"chair bed garden grass flowers flower leaves tree trees forest field desert beach sea ocean waves lake "
    b"river waterfall water clouds smoke dust sand stone rock cliff valley village town road highway crossing "
    b"traffic cars passing driving parking street city crowd people group children child boy girl baby face "
    b"portrait hands close-up of talking speaking smiling laughing sitting standing walking through looking "
    b"dog cat bird birds fish butterfly insect elephant lion bear monkey cow sheep aquarium animation cartoon "
    b"computer graphics video game animated characters slow motion time-lapse aerial view from above hand-held "
    b"camera moves over fixed camera indoors outdoors facing the camera in front of the background with a man "
    b"and a woman in the "
)
"""What the compressor may refer to; what is last costs least. Never changed."""


def check(wanted: object) -> None:
    """ArgumentError for what is no text; InputError for one that is too long."""
    if not isinstance(wanted, str):
        raise ArgumentError(f"a caption is a text, not {wanted!r}")
    encode(wanted)


def encode(wanted: str, first: object = None) -> bytes:
    """The substream of a caption; InputError when it is empty or too long."""
    try:
        data = wanted.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the caption is not valid Unicode text") from None
    if not 1 <= len(data) <= CAPTION_BYTES:
        raise InputError(f"the caption has {len(data)} bytes; it must have 1 to {CAPTION_BYTES}")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=DICTIONARY)
    return packer.compress(data) + packer.flush()


def decode(data: bytes, height: int = 0, width: int = 0) -> str:
    """The caption of a substream; DamageError when it holds anything else."""
    if len(data) > PACKED_BYTES:
        raise DamageError(f"the caption's substream has {len(data)} bytes, above {PACKED_BYTES}")
    unpacker = zlib.decompressobj(-15, zdict=DICTIONARY)
    try:
        text = unpacker.decompress(data, CAPTION_BYTES + 1)
    except zlib.error:
        raise DamageError("the caption is not a deflate stream") from None
    if not unpacker.eof or unpacker.unused_data or not 1 <= len(text) <= CAPTION_BYTES:
        raise DamageError(f"the caption is cut off, or has not 1 to {CAPTION_BYTES} bytes")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise DamageError("the caption is not UTF-8") from None


def exact(value: str) -> bytes:
    """The text in UTF-8."""
    return value.encode("utf-8")
