"""Encodes and decodes the example clip, prints sizes, speed and quality, and writes pictures to demo/ (`make demo`)."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path

import click
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


def sound(path: Path) -> int:
    """Bytes of the streams beside the video."""
    with VideoReader(path) as reader:
        return sum(len(item.data) for item in reader.items() if not isinstance(item, Frame))


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
    """Run the demonstration: first what matters, how small it became and how near it is, then how long it took."""
    FOLDER.mkdir(exist_ok=True)
    coded, coarse, full = FOLDER / "flight.nvc", FOLDER / "flight-coarse.mkv", FOLDER / "flight.mp4"
    start = time.perf_counter()
    report = neurcodec.encode(SOURCE, coded, quality=QUALITY, audio=False, overwrite=True)
    speeds = [report.frames / (time.perf_counter() - start)]
    for target, diffusion in ((coarse, False), (full, True)):
        start = time.perf_counter()
        neurcodec.decode(coded, target, diffusion=diffusion, overwrite=True)
        speeds.append(report.frames / (time.perf_counter() - start))
    before = SOURCE.stat().st_size - sound(SOURCE)
    times = f"{before / report.bytes:.0f} times smaller, {report.kbps:.1f} kbps"
    print(f"{before:,} bytes of video became {report.bytes:,}: {times}")
    print(f"PSNR {psnr(SOURCE, full):.2f} dB ({psnr(SOURCE, coarse):.2f} dB without the generator)")
    print("frames/s: encoded {:.1f}, decoded without the generator {:.1f}, with it {:.1f}".format(*speeds))
    picture = FOLDER / "flight.png"
    save_picture(picture, np.concatenate([frame(path, report.frames // 3) for path in (SOURCE, coarse, full)], axis=1))
    print(f"{picture} shows the source, the picture without the generator, and the whole, side by side")
    if sys.stdout.isatty():
        click.launch(str(picture))


if __name__ == "__main__":
    main()
