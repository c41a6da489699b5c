"""The caption of a chunk (spec annex A): UTF-8 text, byte for byte in the mixed decisions of section 6.7."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from neurcodec import entropy
from neurcodec.container import Substream
from neurcodec.entropy.binary import Binary
from neurcodec.entropy.rangecoder import Decoder, Encoder
from neurcodec.errors import ArgumentError, DamageError
from neurcodec.extensions.caption.text import CAPTION_BYTES, utf8

NAME = "caption"
SUBSTREAM = Substream.CAPTION

DICTIONARY = Path(entropy.__file__).parent / "dictionaries" / "captions.txt"
"""Words that the coder has learned before. Files need it to decode."""
_BEFORE = b"  "  # what stands before a text


def check(wanted: object) -> None:
    """ArgumentError for what is no text; InputError for one that is too long."""
    if not isinstance(wanted, str):
        raise ArgumentError(f"a caption is a text, not {wanted!r}")
    utf8(wanted)


def code_text(binary: Binary, given: bytes | None) -> bytes:
    """Code a text and the byte 0 that ends it; `given` is what an encoder writes. Returned without the end."""
    found = bytearray(_BEFORE)
    for place in range(CAPTION_BYTES + 1):
        contexts = ((0,), (1, found[-1]), (2, found[-1], found[-2]), (3, *found.rpartition(b" ")[2]))
        found.append(binary.byte(contexts, 0, None if given is None else (given + b"\0")[place]))
        if not found[-1]:
            return bytes(found[len(_BEFORE) : -1])
    raise DamageError(f"the caption has more than {CAPTION_BYTES} bytes")


@cache
def primed() -> Binary:
    """What every caption's coder has learned before: the dictionary's words."""
    binary = Binary(Encoder())
    for line in DICTIONARY.read_bytes().splitlines():
        code_text(binary, line)
    return binary


def encode(wanted: str, first: object = None) -> bytes:
    """The substream of a caption; InputError as of `utf8`."""
    coder = Encoder()
    code_text(Binary(coder, primed()), utf8(wanted))
    return coder.finish()


def decode(data: bytes, height: int = 0, width: int = 0) -> str:
    """The caption of a substream; DamageError when it holds anything else."""
    coder = Decoder(data)
    text = code_text(Binary(coder, primed()), None)
    coder.finish()
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise DamageError("the caption is not UTF-8") from None


def exact(value: str) -> bytes:
    """The text in UTF-8."""
    return value.encode("utf-8")
