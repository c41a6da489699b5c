"""The out-of-loop one-step diffusion generator."""

from neurcodec.generator.model import FrameKind, Generator
from neurcodec.generator.restore import restore

__all__ = ["FrameKind", "Generator", "restore"]
