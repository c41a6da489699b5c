"""neurcodec: a neural video codec for very low bitrates, with exact entropy coding and a one-step diffusion decoder."""

__version__ = "0.1.0"
