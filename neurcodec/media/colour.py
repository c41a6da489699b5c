"""Colour: how frames are converted between YCbCr and RGB.

Only the YCbCr matrix and the range are applied. Primaries and transfer stay as they are: RGB values are those of the
source's own colour space (an HDR picture keeps its PQ or HLG values), and the tags travel beside them.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from neurcodec.container.values import ColorRange
from neurcodec.errors import InputError

SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
"""Conversion flags; without them swscale darkens every conversion by about one level (measured)."""

RGB, BT709, UNSPECIFIED, BT601 = 0, 1, 2, 6
HD_HEIGHT = 720

# CICP matrix -> swscale's coefficient set; 0 (RGB) needs none.
SWS_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}


def effective_matrix(matrix: int, height: int) -> int:
    """Return the CICP matrix to convert with: the tagged one, or by height (BT.709 from 720 lines) when untagged."""
    if matrix in (RGB, UNSPECIFIED):
        return BT709 if height >= HD_HEIGHT else BT601
    return matrix


class Converter:
    """Converts decoded frames to RGB arrays and back; one object per video, for its buffers are kept."""

    def __init__(self, matrix: int, color_range: ColorRange, height: int) -> None:
        """Take the YCbCr side's CICP matrix and range (unspecified = limited); InputError if it is not supported."""
        self.matrix = effective_matrix(matrix, height)
        if self.matrix not in SWS_MATRIX:
            raise InputError(f"colour matrix {matrix} (CICP) is not supported; convert the video to BT.709 first")
        self.range = ColorRange.FULL if color_range == ColorRange.FULL else ColorRange.LIMITED
        self._reformatter, self._second = VideoReformatter(), VideoReformatter()

    def to_rgb(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Return a decoded frame as uint8 (height, width, 3)."""
        converted = self._reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=SWS_MATRIX[self.matrix],
            src_color_range=self.range,
            dst_color_range=ColorRange.FULL,
            interpolation=SCALING,
            threads=1,
        )
        array: NDArray[np.uint8] = converted.to_ndarray().astype(np.uint8, copy=False)
        return array

    def from_rgb(self, rgb: NDArray[np.uint8], pixel_format: str) -> av.VideoFrame:
        """Return uint8 (height, width, 3) as a frame of a YCbCr or RGB `pixel_format`."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        if av.VideoFormat(pixel_format).is_rgb:
            return frame.reformat(format=pixel_format)
        if self.range == ColorRange.LIMITED:
            return self._to_ycbcr(self._reformatter, frame, pixel_format)
        # Straight to 8 bits, swscale's change of range cuts half a level off the chroma (measured).
        return self._to_ycbcr(self._second, self._to_ycbcr(self._reformatter, frame, "yuv444p12le"), pixel_format)

    def _to_ycbcr(self, reformatter: VideoReformatter, frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        return reformatter.reformat(
            frame,
            format=pixel_format,
            src_colorspace=None if frame.format.is_rgb else SWS_MATRIX[self.matrix],
            dst_colorspace=SWS_MATRIX[self.matrix],
            src_color_range=ColorRange.FULL,
            dst_color_range=self.range,
            interpolation=SCALING,
            threads=1,
        )
