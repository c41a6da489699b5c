"""What the checks of `gpu_check.py` share: test clips, jobs on a device, the time they take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import torch

from neurcodec.jobs import decode as decoder
from neurcodec.jobs import encode as encoder
from neurcodec.jobs.options import DecodeOptions, EncodeOptions

ROOT = Path(__file__).resolve().parents[2]


Row = tuple[str, str, bool | None]
"""What was looked at, what came out, and whether it is right (None: a figure only)."""


def clip(path: Path, source: Path, size: tuple[int, int] | None, frames: int) -> Path:
    """`frames` frames of a source, scaled to a size, forwards and backwards again and again."""
    with av.open(str(source)) as file:
        shots = [frame.to_ndarray(format="rgb24") for frame in islice(file.decode(video=0), frames)]
    size = size or (shots[0].shape[1], shots[0].shape[0])
    scaled = [cv2.resize(shot, size, interpolation=cv2.INTER_AREA) for shot in shots]
    loop = [*scaled, *scaled[-2:0:-1]]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(loop[number % len(loop)], format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


class Bench:
    """The device, the model and the folder that all checks share."""

    def __init__(self, device: str, model: str, folder: Path, threads: int | None) -> None:
        self.device, self.model, self.folder, self.threads = device, model, folder, threads

    def encode(self, source: Path, device: str, **options: Any) -> Path:
        """A file coded on a device."""
        target = self.folder / "coded.nvc"
        encoder.encode_file(source, target, EncodeOptions(
            model=self.model, device=device, overwrite=True, threads=self.threads, **options))  # fmt: skip
        return target.rename(self.folder / f"{source.stem}-{device.replace(':', '')}.nvc")

    def decode(self, source: Path, device: str, video_codec: str | None = None) -> Path:
        """A video decoded on a device with the generator, written by an encoder (None: libx264)."""
        target = self.folder / "decoded.mp4"
        options = DecodeOptions(
            model=self.model, device=device, overwrite=True, threads=self.threads, video_codec=video_codec
        )
        decoder.decode_file(source, target, options)
        return target

    def pictures(self, source: Path, device: str, compile: bool = False) -> list[Any]:
        """The frames of a file, uint8, decoded on a device."""
        from neurcodec.jobs.video import Video

        options = DecodeOptions(model=self.model, device=device, threads=self.threads, compile=compile)
        with Video(source, options) as video:
            return [frame.rgb for frame in video]


def timed(job: Callable[[], object], device: str) -> float:
    """Seconds of a job, with what the device still has to do."""
    start = time.perf_counter()
    job()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - start


def guarded(name: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Rows; any error in them is a row too, so that what comes after is looked at."""
    try:
        yield from rows
    except Exception as error:  # noqa: BLE001
        yield name, f"{type(error).__name__}: {error}".splitlines()[0], False
