"""Encodes and decodes the example clip, prints sizes, speed and quality, and writes pictures to demo/ (`make demo`)."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import numpy as np

from neurcodec.media import Frame, VideoInfo, VideoReader, VideoWriter
from neurcodec.pipeline.decoder import decode_file
from neurcodec.pipeline.encoder import encode_file
from neurcodec.pipeline.options import DecodeOptions, EncodeOptions

HERE = Path(__file__).parent
SOURCE = HERE / "flight.mp4"
FOLDER = HERE.parent / "demo"
QUALITIES = (8, 24, 40)


def psnr(one: Path, other: Path) -> float:
    """Mean over the frames of the RGB PSNR in dB."""
    with VideoReader(one) as first, VideoReader(other) as second:
        errors = [
            float(np.square(a.rgb.astype(np.float32) - b.rgb).mean()) for a, b in zip(first, second, strict=True)
        ]
    return float(np.mean([10 * np.log10(255**2 / max(error, 1e-6)) for error in errors]))


def frame(path: Path, number: int) -> np.ndarray:
    """One frame of a video, uint8 (H, W, 3)."""
    with VideoReader(path) as reader:
        return next(islice(reader, number, None)).rgb


def save_picture(path: Path, rgb: np.ndarray) -> None:
    """Write an RGB array as a PNG."""
    info = VideoInfo(width=rgb.shape[1], height=rgb.shape[0], time_base=1)  # type: ignore[arg-type]
    pattern = path.with_name(f"%d-{path.name}")
    with VideoWriter(pattern, info) as writer:
        writer.write(Frame(rgb, 0, 1))
    Path(str(pattern) % 1).replace(path)


def main() -> None:
    """Run the demonstration."""
    FOLDER.mkdir(exist_ok=True)
    print(f"{SOURCE.name}: {SOURCE.stat().st_size:,} bytes")
    print("quality      bytes  bits/pixel    kbps  PSNR coarse  PSNR  encode  decode (frames/s)")
    for quality in QUALITIES:
        coded = FOLDER / f"flight-q{quality}.nvc"
        coarse, full = FOLDER / f"flight-q{quality}-coarse.mkv", FOLDER / f"flight-q{quality}.mp4"
        start = time.perf_counter()
        report = encode_file(SOURCE, coded, EncodeOptions(quality=quality, audio=False, overwrite=True))
        encoding = time.perf_counter() - start
        decode_file(coded, coarse, DecodeOptions(diffusion=False, overwrite=True))
        start = time.perf_counter()
        decode_file(coded, full, DecodeOptions(overwrite=True))
        decoding = time.perf_counter() - start
        rate = f"{report.bytes:10,} {report.bits_per_pixel:11.5f} {report.kbps:7.1f}"
        picture_quality = f"{psnr(SOURCE, coarse):12.2f}{psnr(SOURCE, full):6.2f}"
        print(f"{quality:7} {rate} {picture_quality} {report.frames / encoding:7.1f} {report.frames / decoding:7.1f}")
        middle = report.frames // 3
        picture = np.concatenate([frame(path, middle) for path in (SOURCE, coarse, full)], axis=1)
        save_picture(FOLDER / f"flight-q{quality}.png", picture)
    print(f"source | coarse | restored, side by side: {FOLDER}/flight-q*.png")


if __name__ == "__main__":
    main()
