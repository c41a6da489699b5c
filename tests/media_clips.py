"""Small media files for the tests, made with PyAV alone (not with neurcodec.media)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

SUBTITLES = b"1\n00:00:00,100 --> 00:00:00,500\nFirst line\n\n2\n00:00:00,600 --> 00:00:00,900\nSecond line\n"


def picture(width: int, height: int, number: int) -> NDArray[np.uint8]:
    """Return a smooth moving RGB picture (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [np.sin((x + 3 * number) / 9 + k) + np.cos((y - 2 * number) / 7 - k) for k in range(3)]
    return (128 + 45 * np.stack(waves, -1)).astype(np.uint8)


def tone(rate: int, seconds: float, layout: str = "stereo") -> NDArray[np.float32]:
    """Return a test tone (channels, samples)."""
    t = np.arange(int(rate * seconds)) / rate
    channels = 1 if layout == "mono" else 2
    return np.stack([0.3 * np.sin(2 * np.pi * 440 * (k + 1) * t) for k in range(channels)]).astype(np.float32)


def encoded_frames(stream: Any, frames: Sequence[NDArray[np.uint8]], pts: Sequence[int]) -> list[Any]:
    """Encode RGB frames, converted by swscale with the stream's own tags; return the packets."""
    packets = []
    context = stream.codec_context
    for rgb, stamp in zip(frames, pts, strict=True):
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame = frame.reformat(
            format=context.pix_fmt, dst_colorspace=context.colorspace if context.colorspace else None
        )
        frame.pts, frame.time_base = stamp, context.time_base
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def encoded_tone(stream: Any, seconds: float) -> list[Any]:
    """Encode a tone with an audio stream; return the packets."""
    context = stream.codec_context
    packed = not context.format.name.endswith("p")
    samples = tone(context.sample_rate, seconds, context.layout.name)
    if context.format.name.startswith("s16"):
        samples = (samples * 32767).astype(np.int16)
    elif context.format.name.startswith("s32"):
        samples = (samples * 2**31).astype(np.int32)
    packets, block = [], 960
    for start in range(0, samples.shape[1], block):
        part = np.ascontiguousarray(samples[:, start : start + block])
        data = np.ascontiguousarray(part.T.reshape(1, -1)) if packed else part
        frame = av.AudioFrame.from_ndarray(data, format=context.format.name, layout=context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = context.sample_rate, start, Fraction(1, context.sample_rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def make_clip(
    path: Path,
    *,
    width: int = 64,
    height: int = 48,
    count: int = 12,
    rate: Fraction = Fraction(25),
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    colour: tuple[int, int, int, int] | None = None,
    sar: Fraction | None = None,
    matrix: Sequence[int] | None = None,
    audio: tuple[str, ...] = (),
    subtitles: bool = False,
    metadata: dict[str, str] | None = None,
    chapters: list[Any] | None = None,
    attachment: bytes = b"",
    frames: Sequence[NDArray[np.uint8]] | None = None,
    muxing: dict[str, str] | None = None,
) -> Path:
    """Write a clip. `colour` is (primaries, transfer, matrix, range); `audio` names encoders."""
    stamps = list(range(count)) if pts is None else list(pts)
    with av.open(str(path), "w", container_options=muxing or {}) as out:
        video: Any = out.add_stream(codec, rate=rate, options=options or {})
        context = video.codec_context
        context.width, context.height, context.pix_fmt = width, height, pix_fmt
        context.time_base = video.time_base = time_base or 1 / rate
        if colour:
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = colour
        if sar:
            context.sample_aspect_ratio = sar
        if matrix:
            video.set_display_matrix(matrix)
        tracks: list[Any] = [out.add_stream(name, rate=48000) for name in audio]
        for number, track in enumerate(tracks):
            track.codec_context.layout = "stereo"
            track.metadata["language"] = ("fra", "eng")[number % 2]
        texts = _add_subtitles(out) if subtitles else []
        if attachment:
            out.add_attachment("font.ttf", "font/ttf", attachment)
        out.metadata.update(metadata or {})
        if chapters:
            out.set_chapters(chapters)
        pictures = [picture(width, height, k) for k in range(len(stamps))] if frames is None else frames
        packets = encoded_frames(video, pictures, stamps)
        for track in tracks:
            packets += encoded_tone(track, 1.0)
        for packet in sorted([*packets, *texts], key=lambda one: one.dts * one.time_base):
            out.mux(packet)
    return path


def _add_subtitles(out: Any) -> list[Any]:
    packets = []
    with av.open(io.BytesIO(SUBTITLES), "r", format="srt") as source:
        stream = out.add_stream_from_template(source.streams.subtitles[0])
        stream.metadata["language"] = "eng"
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                packets.append(packet)
    return packets


def packet_facts(path: Path, kind: str) -> list[list[tuple[str, Fraction | None, Fraction | None, Fraction]]]:
    """Return for each stream of a kind its packets' (hash, pts, dts, duration), times in seconds."""
    with av.open(str(path)) as source:
        wanted = [stream for stream in source.streams if stream.type == kind]
        facts: dict[int, list[Any]] = {stream.index: [] for stream in wanted}
        for packet in source.demux(wanted):
            if packet.size:
                base = packet.time_base
                times = [None if value is None else value * base for value in (packet.pts, packet.dts)]
                digest = hashlib.sha256(bytes(packet)).hexdigest()
                facts[packet.stream.index].append((digest, *times, (packet.duration or 0) * base))
        return list(facts.values())


def rewrite(path: Path, change: Any) -> Path:
    """Apply `change` (bytes -> bytes) to a file and return its path."""
    path.write_bytes(change(path.read_bytes()))
    return path
