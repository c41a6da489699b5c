"""Colour: how frames are converted between YCbCr and RGB."""

from av.video.reformatter import Interpolation

SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
"""Conversion flags; without them swscale darkens every conversion by about one level (measured)."""
