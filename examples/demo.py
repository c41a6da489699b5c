"""Encodes and decodes the example clip, prints sizes, speed and quality, and writes pictures to demo/ (`make demo`)."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import numpy as np

import neurcodec
from neurcodec.media import Frame, VideoInfo, VideoReader, VideoWriter

HERE = Path(__file__).parent
SOURCE = HERE / "flight.mp4"
FOLDER = HERE.parent / "demo"
QUALITY = 15


def psnr(one: Path, other: Path) -> float:
    """Mean over the frames of the RGB PSNR in dB."""
    with VideoReader(one) as first, VideoReader(other) as second:
        errors = [float(np.square(a.rgb.astype(np.float32) - b.rgb).mean()) for a, b in zip(first, second, strict=True)]
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
    coded, coarse, full = FOLDER / "flight.nvc", FOLDER / "flight-coarse.mkv", FOLDER / "flight.mp4"
    start = time.perf_counter()
    report = neurcodec.encode(SOURCE, coded, quality=QUALITY, audio=False, overwrite=True)
    encoding = report.frames / (time.perf_counter() - start)
    print(f"source   {SOURCE.stat().st_size:>9,} bytes, {report.frames} frames, {report.width}x{report.height}")
    print(
        f"encoded  {report.bytes:>9,} bytes, {report.bits_per_pixel:.5f} bits/pixel, {report.kbps:.1f} kbps,"
        f" {encoding:.1f} frames/s"
    )
    for name, target, diffusion in (("coarse", coarse, False), ("restored", full, True)):
        start = time.perf_counter()
        neurcodec.decode(coded, target, diffusion=diffusion, overwrite=True)
        decoding = report.frames / (time.perf_counter() - start)
        print(f"{name:<8} PSNR {psnr(SOURCE, target):.2f} dB, {decoding:.1f} frames/s")
    pictures = [frame(path, report.frames // 3) for path in (SOURCE, coarse, full)]
    save_picture(FOLDER / "flight.png", np.concatenate(pictures, axis=1))
    print(f"{FOLDER}/flight.png shows source, coarse and restored side by side")


if __name__ == "__main__":
    main()
