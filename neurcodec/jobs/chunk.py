"""One chunk in memory: frames to the bytes of a whole .nvc file, and back."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import numpy as np
import numpy.typing as npt

from neurcodec.analysis.chunking import MAX_FRAMES
from neurcodec.codec.settings import Pictures
from neurcodec.container import Limits, Reader, Writer
from neurcodec.errors import InputError
from neurcodec.files import models
from neurcodec.jobs import decode as decoding
from neurcodec.jobs import playback
from neurcodec.jobs.coders import Here
from neurcodec.jobs.encode import loading_of
from neurcodec.jobs.options import DecodeOptions, EncodeOptions, fitting
from neurcodec.jobs.writing import header, minor_version
from neurcodec.media import VideoInfo

Frames = npt.NDArray[np.uint8]


def encode(frames: Frames, frame_rate: Fraction, options: EncodeOptions) -> bytes:
    """An .nvc file of one chunk with these frames, uint8 (T, H, W, 3) RGB, at most 255 of them.

    Of the options, those of a file (targets, resume, overwrite, cluster) do not count.
    """
    if not isinstance(frames, np.ndarray):
        raise InputError(
            f"a chunk is an array, uint8 (1 to {MAX_FRAMES}, height, width, 3), no {type(frames).__name__}"
        )
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or not 1 <= len(frames) <= MAX_FRAMES:
        raise InputError(f"a chunk is uint8 (1 to {MAX_FRAMES}, height, width, 3), not {frames.dtype} {frames.shape}")
    if frame_rate <= 0:
        raise InputError(f"a frame rate is above 0, not {float(frame_rate):g}")
    if options.targeted:
        raise InputError("a chunk in memory has no target; give its quality")
    _, height, width, _ = frames.shape
    profile = fitting(options.profile, width, height)
    model = models.find(options.model)
    with Here(loading_of(profile, options, model.info)) as coder:
        gop = coder.submit(Pictures(frames, tuple(range(len(frames))), 1), options.settings, lambda: None)()
    info = VideoInfo(width=width, height=height, time_base=1 / frame_rate, frame_rate=frame_rate)
    file = BytesIO()
    minor = minor_version(profile, options)
    writer = Writer(file, header(info, profile), model.info, bitexact=True, minor=minor)
    writer.write_gop(gop)
    writer.close()
    return file.getvalue()


def decode(data: bytes, options: DecodeOptions) -> Frames:
    """The frames, uint8 (T, H, W, 3) RGB, of an .nvc file of one chunk; InputError for one of several."""
    with Reader(BytesIO(data), Limits() if options.limits else Limits.none()) as reader:
        if len(reader.index) != 1:
            raise InputError(f"there are {len(reader.index)} chunks, not one; open a file for more")
        with playback.Here(decoding.loading_of(reader.header.profile, reader.model, options)) as decoder:
            return np.stack([frame.rgb for frame in playback.Playback(reader, decoder).frames()])
