"""Small clips for tests and tools: a moving square on a smooth texture, with exact timestamps and a tone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def scene(count: int, size: tuple[int, int] = (64, 48), seed: int = 0) -> list[Picture]:
    """`count` frames (width, height) of a smooth texture with a moving square; `seed` chooses the texture."""
    width, height = size
    rng = np.random.default_rng(seed)
    phase, colour = rng.uniform(0, 6, 3), rng.integers(40, 200, 3)
    rows, columns = np.mgrid[:height, :width]
    pictures = []
    for i in range(count):
        waves = [np.sin((columns + 2 * i) / (9 + 2 * k) + phase[k]) + np.cos(rows / (7 + k)) for k in range(3)]
        picture = (np.stack(waves, -1) * 30 + colour).clip(0, 255).astype(np.uint8)
        left = (3 * i + 5) % max(1, width - 12)
        picture[height // 3 : height // 3 + 10, left : left + 10] = 255 - colour
        pictures.append(picture)
    return pictures


def write_clip(
    path: Path,
    pictures: Sequence[Picture],
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: int = 25,
    sound: bool = False,
    pixel_format: str = "yuv420p",
) -> Path:
    """A clip with exact timestamps (in `time_base`), and on request a tone as long as the video."""
    height, width = pictures[0].shape[:2]
    times = list(pts) if pts is not None else list(range(len(pictures)))
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=rate)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        video.codec_context.time_base = video.time_base = time_base
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = time, time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            seconds = float((times[-1] + 1) * time_base)
            for start in range(0, int(seconds * 16000), 1024):
                wave = 0.3 * np.sin(np.arange(start, start + 1024) * 0.17, dtype=np.float32)
                block = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                block.sample_rate, block.pts = 16000, start
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path
