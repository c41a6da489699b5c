"""A second decoder of .nvc files, written from bitstream_spec.md alone, without code of neurcodec: see README.md.

`read(data)` checks a whole file and returns what is in it as plain dicts and lists, down to the substreams;
`latents(Model(data), content, gop)` gives the integers of one of its chunks. Both raise Refused.
"""

from __future__ import annotations

from reference_decoder.container import read
from reference_decoder.errors import Refused
from reference_decoder.latent_decoder import latents
from reference_decoder.model import Model

__all__ = ["Model", "Refused", "latents", "read"]
