"""neurcodec: a neural video codec for very low bitrates, with exact entropy coding and a one-step diffusion decoder.

    neurcodec.encode("in.mp4", "out.nvc", target_kbps=60)
    neurcodec.decode("out.nvc", "back.mp4")
    with neurcodec.open("out.nvc") as video:
        video.seek(time=2.5)
        for frame in video:
            show(frame.rgb, frame.time)
    data = neurcodec.encode_chunk(frames, quality=24)   # one chunk in memory
    frames = neurcodec.decode_chunk(data)

Nothing heavy is imported before a function needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from neurcodec.jobs.options import DecodeReport, EncodeReport
    from neurcodec.jobs.video import Video

__all__ = ["__version__", "decode", "decode_chunk", "encode", "encode_chunk", "open"]

__version__ = "0.1.0"


def encode(
    source: str | Path,
    target: str | Path,
    *,
    target_ms_ssim: float | None = None,
    target_lpips: float | None = None,
    weights: str | Path | None = None,
    **options: Any,
) -> EncodeReport:
    """Code the video `source` as the .nvc file `target`.

    `options` are the fields of neurcodec.jobs.options.EncodeOptions: quality, target_size, overwrite...
    target_ms_ssim, target_lpips: the smallest file with this metric; weights: the folder of the LPIPS weights.
    Raises the errors of neurcodec.errors.
    """
    from neurcodec.evaluation.target import MetricTarget
    from neurcodec.jobs.encode import encode_file
    from neurcodec.jobs.options import EncodeOptions

    folder = None if weights is None else Path(weights)
    wanted = {"ms-ssim": target_ms_ssim, "lpips": target_lpips}
    targets = [MetricTarget(name, value, folder) for name, value in wanted.items() if value is not None]
    if len(targets) > 1:
        raise ValueError("give one target only")
    return encode_file(Path(source), Path(target), EncodeOptions(target=targets[0] if targets else None, **options))


def decode(source: str | Path, target: str | Path, **options: Any) -> DecodeReport:
    """Turn the .nvc file `source` back into the video `target`.

    `options` are the fields of neurcodec.jobs.options.DecodeOptions: diffusion, span, salvage, overwrite...
    Raises the errors of neurcodec.errors.
    """
    from neurcodec.jobs.decode import decode_file
    from neurcodec.jobs.options import DecodeOptions

    return decode_file(Path(source), Path(target), DecodeOptions(**options))


def open(path: str | Path, **options: Any) -> Video:
    """Open an .nvc file as an iterator of frames with times; `options` as for `decode`.

    Raises the errors of neurcodec.errors.
    """
    from neurcodec.jobs.options import DecodeOptions
    from neurcodec.jobs.video import Video

    return Video(Path(path), DecodeOptions(**options))


def encode_chunk(frames: NDArray[np.uint8], frame_rate: float | Fraction = 25, **options: Any) -> bytes:
    """The bytes of a whole .nvc file with these frames, uint8 (1 to 255, height, width, 3) RGB, as one chunk.

    `options` as for `encode`, without targets. Raises the errors of neurcodec.errors.
    """
    from fractions import Fraction

    from neurcodec.jobs import chunk
    from neurcodec.jobs.options import EncodeOptions

    return chunk.encode(frames, Fraction(frame_rate).limit_denominator(1001), EncodeOptions(**options))


def decode_chunk(data: bytes, **options: Any) -> NDArray[np.uint8]:
    """The frames, uint8 (T, height, width, 3) RGB, of what `encode_chunk` gave; `options` as for `decode`.

    Raises the errors of neurcodec.errors.
    """
    from neurcodec.jobs import chunk
    from neurcodec.jobs.options import DecodeOptions

    return chunk.decode(data, DecodeOptions(**options))
