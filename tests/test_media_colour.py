"""Colour conversion against the equations of BT.601, BT.709 and BT.2020."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from neurcodec.container import ColorRange
from neurcodec.errors import InputError
from neurcodec.media import VideoReader
from neurcodec.media.colour import Converter, effective_matrix

COEFFICIENTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def patches(seed: int = 1) -> NDArray[np.float64]:
    """Return 64x64 RGB of 8x8 flat patches, 0..255."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(10, 246, (8, 8, 3)).astype(np.float64)
    colours[0, :4] = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]
    return colours.repeat(8, 0).repeat(8, 1)


def ycbcr(rgb: NDArray[np.float64], matrix: int, full: bool, bits: int) -> list[NDArray[np.float64]]:
    """Return the three planes by the definition of the standards."""
    red, blue = COEFFICIENTS[matrix]
    r, g, b = (rgb[..., k] / 255 for k in range(3))
    luma = red * r + (1 - red - blue) * g + blue * b
    cb, cr = (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)
    scale, top = 2 ** (bits - 8), 2**bits - 1
    if full:
        planes = [luma * top, cb * top + 128 * scale, cr * top + 128 * scale]
    else:
        planes = [(219 * luma + 16) * scale, (224 * cb + 128) * scale, (224 * cr + 128) * scale]
    return [np.clip(np.rint(plane), 0, top) for plane in planes]


def frame_of(planes: list[NDArray[np.float64]], pixel_format: str) -> av.VideoFrame:
    """Return a frame with these planes (chroma subsampled by two for 4:2:0)."""
    frame = av.VideoFrame(64, 64, pixel_format)
    kind: type[Any] = np.uint16 if "10le" in pixel_format else np.uint8
    for k, (plane, values) in enumerate(zip(frame.planes, planes, strict=True)):
        part = values[::2, ::2] if k and "420" in pixel_format else values
        padded = np.zeros((part.shape[0], plane.line_size // kind().itemsize), kind)
        padded[:, : part.shape[1]] = part
        plane.update(padded.tobytes())
    return frame


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p", "yuv444p10le", "yuv420p10le"])
@pytest.mark.parametrize("color_range", [ColorRange.LIMITED, ColorRange.FULL])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
def test_to_rgb(matrix: int, color_range: ColorRange, pixel_format: str) -> None:
    rgb = patches()
    planes = ycbcr(rgb, matrix, color_range == ColorRange.FULL, 10 if "10le" in pixel_format else 8)
    out = Converter(matrix, color_range, 64).to_rgb(frame_of(planes, pixel_format)).astype(float)
    error = (out - rgb)[3::8, 3::8]  # at the middle of the patches
    assert np.abs(error).max() <= 2.5
    assert abs(error.mean()) < 0.5


@pytest.mark.parametrize("color_range", [ColorRange.LIMITED, ColorRange.FULL])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_from_rgb(matrix: int, color_range: ColorRange) -> None:
    rgb = patches(2)
    converter = Converter(matrix, color_range, 64)
    frame = converter.from_rgb(rgb.astype(np.uint8), "yuv444p")
    for plane, want in zip(frame.planes, ycbcr(rgb, matrix, color_range == ColorRange.FULL, 8), strict=True):
        values = np.frombuffer(plane, np.uint8).reshape(64, -1)[:, :64].astype(float)
        assert np.abs(values - want).max() <= 2
        assert abs((values - want).mean()) < 0.25
    assert np.abs(converter.to_rgb(frame).astype(float) - rgb).max() <= 4


@pytest.mark.parametrize(("height", "matrix"), [(576, 6), (719, 6), (720, 1), (2160, 1)])
def test_an_untagged_matrix_follows_the_height(height: int, matrix: int) -> None:
    assert effective_matrix(2, height) == effective_matrix(0, height) == matrix
    assert effective_matrix(9, height) == 9


def test_unknown_matrix() -> None:
    with pytest.raises(InputError, match="colour matrix 8"):
        Converter(8, ColorRange.LIMITED, 64)


@pytest.mark.parametrize(("matrix", "full"), [(1, False), (6, False), (1, True), (9, False)])
def test_a_tagged_file_is_read_with_its_own_matrix_and_range(tmp_path: Path, matrix: int, full: bool) -> None:
    rgb = patches(3)
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame = frame_of(ycbcr(rgb, matrix, full, 8), "yuv444p")
        frame.pts = 0
        out.mux(stream.encode(frame) + stream.encode(None))
    with VideoReader(tmp_path / "a.mkv") as reader:
        assert (reader.info.color_matrix, reader.info.color_range) == (
            matrix,
            ColorRange.FULL if full else ColorRange.LIMITED,
        )
        assert not reader.warnings()
        assert np.abs(next(iter(reader)).rgb - rgb).max() <= 2.5
