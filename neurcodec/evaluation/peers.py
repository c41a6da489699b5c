"""The peers, each run in a process of its own (`python -m` this module): x264, x265, SVT-AV1 by PyAV, VVenC by FFmpeg.

A child process reads the same lossless file that our command gets, so time and memory are measured alike. RGB goes to
8-bit 4:2:0 BT.709 limited range and back; at smaller sizes OpenCV scales down (area) and back up (bicubic).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from neurcodec.errors import NcodecError
from neurcodec.evaluation.clips import Clip, Frames, bits_per_pixel, frame_rate, iterate, write_lossless
from neurcodec.evaluation.codecs import GOP_SECONDS, Setting
from neurcodec.evaluation.processes import Cost, run_process
from neurcodec.evaluation.programs import even, find, to_yuv, version
from neurcodec.media import priority
from neurcodec.media.colour import SCALING

SMALLEST = 64
"""The fewest pixels on a side that all encoders take (SVT-AV1 aborts below)."""


@dataclass(frozen=True)
class Peer:
    """One encoder configuration: FFmpeg options, where {rate} is the quantiser, and its values at each scale.

    step: the smallest difference of the quantiser that the encoder knows; span: its smallest and largest value.
    """

    name: str
    encoder: str
    options: tuple[tuple[str, str], ...]
    ladder: tuple[tuple[int, tuple[float, ...]], ...]
    step: float
    span: tuple[float, float]

    ours = False

    @property
    def curves(self) -> Sequence[str]:
        return (self.name,)

    def describe(self) -> dict[str, str]:
        words = " ".join(f"{key}={value}" for key, value in self.options)
        build = version() if self.encoder == VVENC else f"libavcodec of PyAV {av.__version__}"
        gop = f"closed GOP of at most {GOP_SECONDS} s"
        return {"encoder": self.encoder, "options": words, "gop": gop, "pixels": "yuv420p BT.709", "build": build}

    def settings(self, width: int, height: int) -> Sequence[Setting]:
        fitting = [(scale, values) for scale, values in self.ladder if min(width, height) >= scale * SMALLEST]
        return [Setting(value, scale) for scale, values in fitting for value in values]

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        return RATES[0] <= bits_per_pixel(size, clip) <= RATES[setting.scale]

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        target = folder / "coded.mkv"
        output, cost = self._child("encode", setting, source, target)
        return target, int(json.loads(output)["bytes"]), cost

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        target = coded.with_name(f"{curve}.nut")
        height, width = clip.frames.shape[1:3]
        return target, self._child("decode", setting, coded, target, str(width), str(height))[1]

    def _child(self, action: str, setting: Setting, source: Path, target: Path, *size: str) -> tuple[str, Cost]:
        job = [action, self.name, f"{setting.value:g}", str(setting.scale), str(source), str(target)]
        return run_process([sys.executable, "-m", "neurcodec.evaluation.peers", *job, *size], {"SVT_LOG": "1"})


VVENC = "libvvenc"
X26_LADDER = ((1, (27, 33, 39, 45, 51)), (2, (33, 39, 45, 51)))
SVT_PLAIN = ((1, (38, 46, 54, 61, 68)), (2, (46, 54, 61, 68)), (4, (46, 54, 61, 68)))
SVT_LADDER = ((1, (38, 46, 54, 61, 68)), (2, (46, 54, 61, 68)), (3, (54, 61, 68)), (4, (46, 54, 61, 68)))
VVENC_LADDER = ((1, (33, 38, 43, 48)), (2, (33, 38, 43, 48)), (4, (28, 33, 38, 43, 48)))
X264 = (("preset", "medium"), ("crf", "{rate}"), ("threads", "1"))
X265 = (("preset", "medium"), ("crf", "{rate}"), ("x265-params", "open-gop=0:pools=1:frame-threads=1:log-level=error"))
SVT_PARAMS = "crf={rate}:lp=1"  # FFmpeg's own crf option ends at 63, the encoder's at 70
TEXTURE = "tune=0:sharpness=3:ac-bias=2.0:enable-variance-boost=1:variance-boost-strength=1:tf-strength=2"
"""The tuning for texture of docs/decisions/0014, which was our base's until 0028."""
SVT_6 = (("preset", "6"), ("svtav1-params", SVT_PARAMS))
SVT_4 = (("preset", "4"), ("svtav1-params", f"{TEXTURE}:{SVT_PARAMS}"))
VVENC_FAST = (("preset", "fast"), ("qp", "{rate}"), ("period", str(GOP_SECONDS)), ("threads", "1"))
PEERS = (
    Peer("x264", "libx264", X264, X26_LADDER, 0.1, (0, 51)),
    Peer("x265", "libx265", X265, X26_LADDER, 0.1, (0, 51)),
    Peer("svtav1-p6", "libsvtav1", SVT_6, SVT_PLAIN, 0.25, (1, 70)),
    Peer("svtav1-p4", "libsvtav1", SVT_4, SVT_LADDER, 0.25, (1, 70)),
    Peer("vvenc", VVENC, VVENC_FAST, VVENC_LADDER, 1, (0, 63)),
)
RATES = (0.0005, 0.09, 0.03, 0.012, 0.008)
"""Bits per pixel that are compared: from the first on, up to the one of a point's scale."""


def select(names: Sequence[str]) -> list[Peer]:
    """The peers of these names; a family ("svtav1") stands for all its presets; NcodecError for an unknown one."""
    found = []
    for name in names:
        group = [peer for peer in PEERS if name in (peer.name, peer.name.split("-")[0])]
        if not group:
            raise NcodecError(f"unknown peer '{name}'; known are {', '.join(peer.name for peer in PEERS)}")
        found += group
    return found


def options(peer: Peer, setting: Setting) -> dict[str, str]:
    """The encoder's options for a setting."""
    return {key: value.format(rate=f"{setting.value:g}") for key, value in peer.options}


def encode(peer: Peer, setting: Setting, source: Path, target: Path) -> int:
    """Encode a lossless file to Matroska; returns the sum of the packets' bytes."""
    rate = frame_rate(source)
    pictures = (to_yuv(prepare(pixels, setting.scale)) for pixels in iterate(source))
    if peer.encoder == VVENC:
        return _encode_by_ffmpeg(peer, setting, pictures, rate, target)
    size = 0
    with av.open(str(target), "w") as container:
        stream = cast(VideoStream, container.add_stream(peer.encoder, rate=rate, options=options(peer, setting)))
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = round(GOP_SECONDS * rate)
        for index, frame in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = frame.height, frame.width
                with priority.kept():
                    stream.codec_context.open()
            frame.pts, frame.time_base = index, 1 / rate
            size += _mux(container, stream, frame)
        return size + _mux(container, stream, None)


def _encode_by_ffmpeg(
    peer: Peer, setting: Setting, pictures: Iterator[av.VideoFrame], rate: Fraction, target: Path
) -> int:
    """As `encode`, by an encoder that PyAV's FFmpeg has not; it is given raw pictures."""
    first = next(pictures)
    size = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{first.width}x{first.height}", "-r", str(rate), "-i", "-"]
    coder = ["-c:v", peer.encoder, "-pix_fmt", "yuv420p10le"]
    coder += [word for key, value in options(peer, setting).items() for word in (f"-{key}", value)]
    command = [str(find("ffmpeg")), "-v", "error", "-y", *size, *coder, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        for frame in chain([first], pictures):
            child.stdin.write(frame.to_ndarray().tobytes())
    if child.returncode != 0:
        raise NcodecError(f"{command[0]}: {peer.encoder} failed with exit code {child.returncode}")
    with av.open(str(target)) as container:
        return sum(packet.size for packet in container.demux(video=0))


def _mux(container: av.container.OutputContainer, stream: VideoStream, frame: av.VideoFrame | None) -> int:
    size = 0
    for packet in stream.encode(frame):
        size += packet.size
        container.mux(packet)
    return size


def to_rgb(frame: av.VideoFrame) -> Frames:
    """The RGB picture of a decoded 4:2:0 BT.709 limited range frame."""
    converted = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        interpolation=SCALING,
        threads=1,
    )
    return np.asarray(converted.to_ndarray(), dtype=np.uint8)


def prepare(pixels: Frames, scale: int) -> Frames:
    """The picture that is coded: made smaller, with odd sides made even by repeating the last row or column."""
    if scale > 1:
        height, width = pixels.shape[:2]
        size = -(-width // scale), -(-height // scale)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return even(pixels)


def restore(pixels: Frames, scale: int, width: int, height: int) -> Frames:
    """The inverse of `prepare` for a decoded picture of a source of this size."""
    pixels = pixels[: -(-height // scale), : -(-width // scale)]
    if scale == 1:
        return pixels
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def decoded(coded: Path, scale: int, width: int, height: int) -> Iterator[Frames]:
    """The RGB frames of a peer's file at the source's size."""
    with av.open(str(coded)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            yield restore(to_rgb(frame), scale, width, height)


def main(arguments: Sequence[str]) -> None:
    """The child process: encode|decode PEER QUANTISER SCALE SOURCE TARGET [WIDTH HEIGHT]; prints JSON."""
    action, name, rate, scale, source, target, *picture = arguments
    cv2.setNumThreads(1)
    setting = Setting(float(rate), int(scale))
    if action == "encode":
        size = encode(select([name])[0], setting, Path(source), Path(target))
        sys.stdout.write(json.dumps({"bytes": size}))
    else:
        width, height = map(int, picture)
        frames = decoded(Path(source), setting.scale, width, height)
        write_lossless(Path(target), frames, frame_rate(Path(source)))


if __name__ == "__main__":
    main(sys.argv[1:])
