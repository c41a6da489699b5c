"""The out-of-loop one-step diffusion generator."""

from neurcodec.generator.condition import FrameKind
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import restore

__all__ = ["FrameKind", "Generator", "restore"]
