"""Render the example clip, examples/flight.mp4: 4 s, 640x360, 24 frames/s, two scenes, synthesised sound.

Everything is computed here with numpy and OpenCV from fixed seeds. Each frame is the mean of four passes that differ
in their place within the pixel and their moment within the shutter time (anti-aliasing and motion blur), then a film
curve and a little sensor noise. Takes about five minutes on two idle cores. (The comment in
the committed clip still has the place where this script was before.)

    python -m tools.scenes.render [--out examples/flight.mp4] [--jobs 2] [--first 0] [--last 96]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from neurcodec.container.values import Packet, StreamInfo, StreamKind
from neurcodec.media import Frame, VideoInfo, VideoWriter
from tools.scenes import flight, flight_objects, globe

WIDTH, HEIGHT, RATE, FRAMES, CUT = 640, 360, 24, 96, 60
PASSES = ((-0.25, -0.125), (0.25, -0.375), (0.375, 0.25), (-0.375, 0.375))
SHUTTER = 0.45
SAMPLE_RATE = 48000
ZOOM = {0: 0.62, 1: 0.55}
EXPOSURE = {0: 0.72, 1: 0.66}
landscape = cache(flight.build)
textures = cache(globe.build)


def rays(zoom: float, right: float, down: float) -> NDArray[np.floating[Any]]:
    """Return unit vectors (HEIGHT, WIDTH, 3) in camera axes, moved by parts of a pixel."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    across, up = (x + 0.5 + right - WIDTH / 2) * 2 / WIDTH * zoom, (HEIGHT / 2 - y - 0.5 - down) * 2 / WIDTH * zoom
    way = np.stack([across, up, np.ones_like(x)], -1)
    return (way / np.linalg.norm(way, axis=-1, keepdims=True)).astype(np.float32)


def film(linear: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return display values 0..1 of scene light: a soft shoulder and the display's gamma."""
    curve = linear * (2.51 * linear + 0.03) / (linear * (2.43 * linear + 0.59) + 0.14)
    return np.clip(curve, 0, 1) ** np.float32(1 / 2.2)


def render(number: int) -> NDArray[np.uint8]:
    """Return frame `number` as uint8 RGB (HEIGHT, WIDTH, 3)."""
    cv2.setNumThreads(1)
    scene = int(number >= CUT)
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for k, (right, down) in enumerate(PASSES):
        time = ((number - CUT if scene else number) + SHUTTER * (k + 0.5) / len(PASSES)) / RATE
        view = rays(ZOOM[scene], right, down)
        if scene:
            picture = globe.render(textures(3), time, view)
        else:
            picture = flight_objects.render(landscape(7), time, CUT / RATE, view)
        total += np.minimum(picture, 6) / len(PASSES)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    total *= (EXPOSURE[scene] * (1 - 0.10 * (x * x + 0.6 * y * y)))[..., None].astype(np.float32)
    shown = film(total) * 255
    rng = np.random.default_rng(1000 + number)
    grain = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 0.6)
    grain = 0.5 * grain + 0.9 * grain.mean(2, keepdims=True)
    level = 1.1 + 1.4 * (1 - shown.mean(2, keepdims=True) / 255) if scene else 1.2
    return np.clip(np.rint(shown + level * grain), 0, 255).astype(np.uint8)


def noise(rng: np.random.Generator, count: int, low: float, high: float) -> NDArray[np.floating[Any]]:
    """Return noise between two frequencies in Hz, unit variance."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    band = np.fft.irfft(spectrum * np.exp(-((np.log2(np.maximum(frequency, 1) / np.sqrt(low * high))) ** 2)), count)
    return band / band.std()


def sound() -> NDArray[np.floating[Any]]:
    """Return the sound track (2, samples): wind, a burner and a motor, then a room with a clock and a creak."""
    count, cut = FRAMES * SAMPLE_RATE // RATE, CUT * SAMPLE_RATE // RATE
    rng, t = np.random.default_rng(5), np.arange(count) / SAMPLE_RATE
    outside, inside = (t < cut / SAMPLE_RATE).astype(float), (t >= cut / SAMPLE_RATE).astype(float)
    channels = []
    for side in (-1, 1):
        gust = 0.75 + 0.25 * np.sin(2 * np.pi * 0.4 * t + side)
        track = 0.050 * gust * noise(rng, count, 150, 900) + 0.03 * noise(rng, count, 40, 160)
        burner = np.exp(-(((t - 1.3) / 0.35) ** 2)) * (0.75 - 0.25 * side)
        track += 0.11 * burner * noise(rng, count, 250, 2500)
        motor = sum(np.sin(2 * np.pi * 57 * k * t + 0.4 * np.sin(2 * np.pi * 5.3 * t)) / k for k in (1, 2, 3, 5))
        track += 0.016 * motor * (0.3 + t / 3)
        track *= outside
        room = 0.004 * noise(rng, count, 80, 700)
        for beat in np.arange(cut / SAMPLE_RATE + 0.2, 4, 0.5):
            since = np.maximum(t - beat, 0)
            ring = np.sin(2 * np.pi * 2900 * since) + 0.6 * np.sin(2 * np.pi * 4700 * since)
            room += 0.10 * (1 + 0.3 * side) * ring * np.exp(-since * 180) * (t >= beat)
        creak = np.exp(-(((t - 3.25) / 0.22) ** 2)) * np.sign(np.sin(2 * np.pi * (90 + 30 * np.sin(3 * t)) * t))
        room += 0.02 * creak * (0.5 + 0.5 * noise(rng, count, 300, 1500))
        chord = sum(np.sin(2 * np.pi * f * (1 + 0.001 * side) * t) for f in (130.81, 196.0, 261.63, 329.63))
        channels.append(track + room * inside + 0.018 * chord * np.minimum(1, t) * np.minimum(1, (4 - t) * 2))
    return np.tanh(np.stack(channels)).astype(np.float32)


def encoded_sound() -> tuple[StreamInfo, list[Packet]]:
    """Return the sound track as AAC."""
    encoder: Any = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = SAMPLE_RATE, "stereo", "fltp", 96000
    encoder.time_base = Fraction(1, SAMPLE_RATE)
    samples, packets = sound(), []
    for start in range(0, samples.shape[1], 1024):
        block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + 1024]), "fltp", "stereo")
        block.sample_rate, block.pts = SAMPLE_RATE, start
        packets += encoder.encode(block)
    packets += encoder.encode(None)
    info = StreamInfo(
        StreamKind.AUDIO, "aac", Fraction(1, SAMPLE_RATE), bit_rate=96000, sample_rate=SAMPLE_RATE,
        channel_layout="stereo", sample_format="fltp", frame_size=1024, disposition=1,
        extradata=encoder.extradata or b"",
    )  # fmt: skip
    return info, [Packet(0, bytes(packet), packet.pts, packet.dts, packet.duration or 1024) for packet in packets]


def pictures(first: int, last: int, jobs: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames first..last-1 in order."""
    with ProcessPoolExecutor(jobs, initializer=os.nice, initargs=(19,)) as pool:
        yield from pool.map(render, range(first, last))


def main() -> None:
    """Render, encode and write the clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "examples" / "flight.mp4")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=FRAMES)
    choice = parser.parse_args()
    stream, packets = encoded_sound()
    info = VideoInfo(
        WIDTH, HEIGHT, Fraction(1, RATE), Fraction(RATE), Fraction(1), color_primaries=1, color_transfer=1,
        color_matrix=1, metadata={"title": "Flight", "comment": "Rendered by tools/scenes/render.py"},
        streams=(stream,),
    )  # fmt: skip
    options = {"crf": "17", "preset": "veryslow", "threads": "1"}
    with VideoWriter(choice.out, info, "libx264", options) as writer:
        for number, picture in enumerate(pictures(choice.first, choice.last, choice.jobs)):
            writer.write(Frame(picture, number, 1))
            while packets and (packets[0].pts or 0) <= number * SAMPLE_RATE // RATE:
                writer.write_packet(packets.pop(0))
        for packet in packets:
            writer.write_packet(packet)


if __name__ == "__main__":
    main()
