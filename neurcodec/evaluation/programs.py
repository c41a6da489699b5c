"""Metrics that other programs compute: VMAF and XPSNR by FFmpeg, ColorVideoVDP, SSIMULACRA2 (docs/judges.md).

Each program is a command of its own, so that what it was built with need not fit what this package runs on. They read
raw files: 4:2:0 for FFmpeg (what a viewer gets), 4:4:4 for ColorVideoVDP, both 8-bit BT.709 of limited range;
SSIMULACRA2 reads PNG.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from neurcodec.errors import DependencyError, NcodecError
from neurcodec.evaluation.clips import Frames
from neurcodec.evaluation.processes import run_process
from neurcodec.media.colour import SCALING

PROGRAMS = ("ffmpeg", "cvvdp", "ssimulacra2")
DISPLAY = "standard_fhd"
"""What ColorVideoVDP takes the picture to be seen on: 24 inches of 1920x1080 from 0.6 m, 200 cd/m2."""
DB_CAP = 100.0
"""PSNR and XPSNR of equal pictures, in dB."""
_VMAF = "model='version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=vmaf-neg'"
_XPSNR = re.compile(r"XPSNR\s+y: *(\S+)\s+u: *(\S+)\s+v: *([\d.]+|inf)")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 33), "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}
"""For glibc: large tensors come from a heap that is kept, which saves ColorVideoVDP a third of its time."""


def variable(name: str) -> str:
    """The environment variable that says where a program is; child processes see it too."""
    return f"NEURCODEC_{name.upper()}"


@cache
def find(name: str) -> Path:
    """The program of this name: as `variable` says, else on PATH; an FFmpeg first from the package imageio-ffmpeg.

    DependencyError where there is none, or an FFmpeg without libvmaf.
    """
    given = os.environ.get(variable(name))
    path = shutil.which(given) if given else _ffmpeg() if name == "ffmpeg" else shutil.which(name)
    if path is None:
        place = f"{given} is no program" if given else f"{name} is not on PATH"
        raise DependencyError(f"{place}; docs/judges.md says how to install it, --{name} PROGRAM where it is")
    if name == "ffmpeg":
        filters = subprocess.run([path, "-hide_banner", "-filters"], capture_output=True, text=True, check=False).stdout
        if "libvmaf" not in filters:
            raise DependencyError(f"{path} has no libvmaf; docs/judges.md says where one is that has")
    return Path(path)


def _ffmpeg() -> str | None:
    try:
        import imageio_ffmpeg

        path: str = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return shutil.which("ffmpeg")
    return path


def version() -> str:
    """What FFmpeg calls itself."""
    return run_process([str(find("ffmpeg")), "-version"])[0].split(" Copyright")[0]


@dataclass(frozen=True)
class Raw:
    """A file of raw pictures, yuv420p or yuv444p; sides are even."""

    path: Path
    width: int
    height: int
    rate: Fraction

    @staticmethod
    def write(folder: Path, name: str, frames: Frames, rate: Fraction, layout: str) -> Raw:
        """Write RGB frames (T, H, W, 3) below `folder`; the file's name says what is in it, as ColorVideoVDP wants it.

        Odd sides are made even by repeating the last row or column. layout: `420` or `444`.
        """
        height, width = (side + side % 2 for side in frames.shape[1:3])
        path = folder / f"{name}_{width}x{height}_{float(rate):g}fps_{layout}_8b_709.yuv"
        with path.open("wb") as file:
            for pixels in frames:
                file.write(to_yuv(even(pixels), f"yuv{layout}p").to_ndarray().tobytes())
        return Raw(path, width, height, rate)

    @property
    def input(self) -> list[str]:
        """FFmpeg's options that read it."""
        size = ["-s", f"{self.width}x{self.height}", "-r", str(self.rate)]
        return ["-f", "rawvideo", "-pix_fmt", "yuv420p", *size, "-i", str(self.path)]


def even(pixels: Frames) -> Frames:
    """A picture (H, W, 3) with odd sides made even by repeating the last row or column."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def to_yuv(pixels: Frames, layout: str = "yuv420p") -> av.VideoFrame:
    """An RGB picture (H, W, 3) with even sides as 8-bit BT.709 of limited range."""
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format=layout,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=SCALING,
        threads=1,
    )


def vmaf(ffmpeg: Path, source: Raw, other: Raw) -> dict[str, float]:
    """`vmaf` (v0.6.1) and `vmaf-neg` (without credit for enhancement): means over the frames, 0..100."""
    log = other.path.with_suffix(".json")
    filters = f"[0:v][1:v]libvmaf=log_fmt=json:log_path={log.name}:n_threads=1:{_VMAF}"
    command = [str(ffmpeg), "-v", "error", *other.input, *source.input, "-lavfi", filters, "-f", "null", "-"]
    run_process(command, folder=log.parent)  # not any path can be named in FFmpeg's filters, so it runs beside the log
    pooled = json.loads(log.read_text())["pooled_metrics"]
    return {name: float(pooled[name]["mean"]) for name in ("vmaf", "vmaf-neg")}


def xpsnr(ffmpeg: Path, source: Raw, other: Raw) -> float:
    """XPSNR (Helmrich et al. 2020) over all frames, (4 Y + U + V) / 6 in dB, at most DB_CAP."""
    command = [str(ffmpeg), "-v", "info", "-nostats", *other.input, *source.input, "-lavfi", "[0:v][1:v]xpsnr"]
    messages = run_process([*command, "-f", "null", "-"], messages=True)[0]
    found = _XPSNR.findall(messages)
    if not found:
        raise NcodecError(f"{ffmpeg}: no XPSNR in what it said")
    luma, *chroma = (min(DB_CAP, float(value)) for value in found[-1])
    return (4 * luma + sum(chroma)) / 6


def cvvdp(program: Path, source: Raw, others: Sequence[Raw]) -> list[float]:
    """ColorVideoVDP (Mantiuk et al. 2024) of each version against the source, in JOD: 10 is no visible difference."""
    tests = [str(other.path) for other in others]
    command = [str(program), "--ref", str(source.path), "--test", *tests, "--display", DISPLAY, "--device", "cpu", "-q"]
    output = run_process(command, _ONE_THREAD | _KEEP_MEMORY)[0]
    values = [float(line.split()[-1]) for line in output.splitlines() if line.strip()]
    if len(values) != len(others):
        raise NcodecError(f"{program} gave {len(values)} numbers for {len(others)} videos")
    return values


def ssimulacra2(program: Path, folder: Path, pairs: Iterable[tuple[Frames, Frames]]) -> float:
    """Mean SSIMULACRA2 of (source, other) pictures (H, W, 3): 100 is no difference, below 0 very bad."""
    scores = []
    for pair in pairs:
        paths = [folder / f"ssimulacra2-{number}.png" for number in range(2)]
        for path, picture in zip(paths, pair, strict=True):
            path.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
        scores.append(float(run_process([str(program), *map(str, paths)], _ONE_THREAD)[0].split()[-1]))
    return math.fsum(scores) / len(scores)
