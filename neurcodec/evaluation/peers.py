"""The peers: x264, x265 and SVT-AV1 through PyAV, each run in a process of its own (`python -m` this module).

A child process reads the same lossless file that our command gets, so time and memory are measured alike. RGB goes to
8-bit 4:2:0 BT.709 limited range and back; at half size OpenCV scales down (area) and back up (bicubic).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from neurcodec.errors import NcodecError
from neurcodec.evaluation.clips import Clip, Frames, frame_rate, iterate, write_lossless
from neurcodec.evaluation.codecs import GOP_SECONDS, RateWindow, Setting
from neurcodec.evaluation.processes import Cost, run_process
from neurcodec.media import priority
from neurcodec.media.colour import SCALING

SMALLEST = 64
"""The fewest pixels on a side that all encoders take (SVT-AV1 aborts below)."""


@dataclass(frozen=True)
class Peer:
    """One encoder configuration: FFmpeg options, where {crf} is the rate, and its CRF values at full and half size."""

    name: str
    encoder: str
    options: tuple[tuple[str, str], ...]
    crf: tuple[int, ...]
    half_crf: tuple[int, ...]

    ours = False

    @property
    def curves(self) -> Sequence[str]:
        return (self.name,)

    def describe(self) -> dict[str, str]:
        options = " ".join(f"{key}={value}" for key, value in self.options)
        version = f"FFmpeg libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}, PyAV {av.__version__}"
        gop = f"closed GOP of at most {GOP_SECONDS} s"
        return {"encoder": self.encoder, "options": options, "gop": gop, "pixels": "yuv420p BT.709", "build": version}

    def settings(self, width: int, height: int) -> Sequence[Setting]:
        full = self.crf if min(width, height) >= SMALLEST else ()
        half = self.half_crf if min(width, height) >= 2 * SMALLEST else ()
        return [Setting(value) for value in full] + [Setting(value, half=True) for value in half]

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        return WINDOW.holds(setting, size, clip)

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        target = folder / "coded.mkv"
        output, cost = self._child("encode", setting, source, target)
        return target, int(json.loads(output)["bytes"]), cost

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        target = coded.with_name(f"{curve}.nut")
        height, width = clip.frames.shape[1:3]
        return target, self._child("decode", setting, coded, target, str(width), str(height))[1]

    def _child(self, action: str, setting: Setting, source: Path, target: Path, *size: str) -> tuple[str, Cost]:
        job = [action, self.name, str(setting.value), "half" if setting.half else "full", str(source), str(target)]
        return run_process([sys.executable, "-m", "neurcodec.evaluation.peers", *job, *size], {"SVT_LOG": "1"})


X26_CRF, X26_HALF_CRF = (21, 27, 33, 39, 45, 51), (27, 33, 39, 45, 51)
SVT_CRF, SVT_HALF_CRF = (30, 38, 48, 57, 63, 70), (44, 55, 63, 70)
X264 = (("preset", "medium"), ("crf", "{crf}"), ("threads", "1"))
X265 = (("preset", "medium"), ("crf", "{crf}"), ("x265-params", "open-gop=0:pools=1:frame-threads=1:log-level=error"))
SVT_PARAMS = ("svtav1-params", "crf={crf}:lp=1")  # FFmpeg's own crf option ends at 63, the encoder's at 70
PEERS = (
    Peer("x264", "libx264", X264, X26_CRF, X26_HALF_CRF),
    Peer("x265", "libx265", X265, X26_CRF, X26_HALF_CRF),
    Peer("svtav1-p6", "libsvtav1", (("preset", "6"), SVT_PARAMS), SVT_CRF, SVT_HALF_CRF),
    Peer("svtav1-p4", "libsvtav1", (("preset", "4"), SVT_PARAMS), SVT_CRF, SVT_HALF_CRF),
)
WINDOW = RateWindow()


def select(names: Sequence[str]) -> list[Peer]:
    """The peers of these names; a family ("svtav1") stands for all its presets; NcodecError for an unknown one."""
    found = []
    for name in names:
        group = [peer for peer in PEERS if name in (peer.name, peer.name.split("-")[0])]
        if not group:
            raise NcodecError(f"unknown peer '{name}'; known are {', '.join(peer.name for peer in PEERS)}")
        found += group
    return found


def encode(peer: Peer, setting: Setting, source: Path, target: Path) -> int:
    """Encode a lossless file; returns the sum of the packets' bytes."""
    rate, size = frame_rate(source), 0
    options = {key: value.format(crf=setting.value) for key, value in peer.options}
    with av.open(str(target), "w") as container:
        stream = cast(VideoStream, container.add_stream(peer.encoder, rate=rate, options=options))
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = round(GOP_SECONDS * rate)
        for index, pixels in enumerate(iterate(source)):
            pixels = prepare(pixels, setting.half)
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
                with priority.kept():
                    stream.codec_context.open()
            frame = to_yuv(pixels)
            frame.pts, frame.time_base = index, 1 / rate
            size += _mux(container, stream, frame)
        return size + _mux(container, stream, None)


def _mux(container: av.container.OutputContainer, stream: VideoStream, frame: av.VideoFrame | None) -> int:
    size = 0
    for packet in stream.encode(frame):
        size += packet.size
        container.mux(packet)
    return size


def to_yuv(pixels: Frames) -> av.VideoFrame:
    """An RGB picture as 4:2:0 BT.709 limited range."""
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    return frame.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=SCALING,
        threads=1,
    )


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


def prepare(pixels: Frames, half: bool) -> Frames:
    """The picture that is coded: halved when asked, with odd sides made even by repeating the last row or column."""
    if half:
        height, width = pixels.shape[:2]
        pixels = np.asarray(cv2.resize(pixels, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA))
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def restore(pixels: Frames, half: bool, width: int, height: int) -> Frames:
    """The inverse of `prepare` for a decoded picture of a source of this size."""
    if not half:
        return pixels[:height, :width]
    pixels = pixels[: (height + 1) // 2, : (width + 1) // 2]
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def decoded(coded: Path, half: bool, width: int, height: int) -> Iterator[Frames]:
    """The RGB frames of a peer's file at the source's size."""
    with av.open(str(coded)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            yield restore(to_rgb(frame), half, width, height)


def main(arguments: Sequence[str]) -> None:
    """The child process: encode|decode PEER CRF full|half SOURCE TARGET [WIDTH HEIGHT]; prints JSON."""
    action, name, crf, scale, source, target, *picture = arguments
    cv2.setNumThreads(1)
    setting = Setting(int(crf), scale == "half")
    if action == "encode":
        size = encode(select([name])[0], setting, Path(source), Path(target))
        sys.stdout.write(json.dumps({"bytes": size}))
    else:
        width, height = map(int, picture)
        frames = decoded(Path(source), setting.half, width, height)
        write_lossless(Path(target), frames, frame_rate(Path(source)))


if __name__ == "__main__":
    main(sys.argv[1:])
