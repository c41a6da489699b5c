"""What encode and decode can be told, and what they report while they run and at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurcodec.codec.settings import MAX_QUALITY, PRESETS, Settings, check_device
from neurcodec.container import Profile
from neurcodec.errors import ArgumentError, InputError
from neurcodec.files.frame_range import FrameRange

if TYPE_CHECKING:
    from neurcodec.extensions.streams import Wanted

DEFAULT_MODEL = "default"
DEFAULT_QUALITY = 15
DEINTERLACE = ("auto", "on", "off")
BASE_SIDES = (64, 16384)
"""The smallest and the largest side of a picture that SVT-AV1 codes."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster: its address (None: one is started on this machine), and the GPUs of a chunk (0.5: half of one)."""

    address: str | None = None
    gpus: float = 0.0


@dataclass(frozen=True)
class Found:
    """What the search for a metric target found: the quality, and the metric's value on samples of the chunks."""

    quality: int
    metric: str
    target: float
    value: float
    samples: int
    chunks: int

    def __str__(self) -> str:
        where = f"on samples of {self.samples} of {self.chunks} chunks"
        return f"quality {self.quality} gives {self.metric} {self.value:.4f} {where} (target {self.target:g})"


def fitting(profile: Profile | None, width: int, height: int) -> Profile:
    """The profile asked for, or layered, or native where AV1 cannot code a picture of this size.

    InputError for the layered profile where it cannot.
    """
    least, most = BASE_SIDES
    codable = least <= min(width, height) and max(width, height) <= most
    if profile is Profile.LAYERED and not codable:
        raise InputError(f"AV1 cannot code a picture of {width}x{height}; use the native profile")
    return profile if profile is not None else Profile.LAYERED if codable else Profile.NATIVE


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode.

    profile: native, or layered on an AV1 base; None is the better one that can code the picture (`fitting`). quality:
    0 (smallest file) to 63, DEFAULT_QUALITY where nothing chooses it; or one target. target_size, target_kbps: bytes,
    or kilobits (1000) per second, of the whole file; the quality is then chosen per chunk. target_ms_ssim,
    target_lpips: a metric of the restored picture, 0 to 1, which chooses the quality of the whole file; target_vmaf,
    0 to 100, likewise. weights: the folder of the LPIPS weights, None looks where `ncodec bench` does. preset: one of
    PRESETS (native has one speed). gop_seconds: the longest chunk. mini_gop: 1 to 4, None measures the motion of each
    chunk (native) or keeps all frames in the base (layered). extensions: as `extensions.streams.asked` gives.
    frame_range: the part to code, in seconds, None all. video_stream, deinterlace: as of media.Reading. audio: copy
    sound and subtitles. bitexact: the same file every time; else its id is random. resume: keep what is done
    when the job stops, and take from what an earlier one kept. threads: CPU threads of a process, None leaves them to
    torch. workers: processes that code chunks side by side, None is one (docs/performance.md).
    """

    profile: Profile | None = None
    quality: int | None = None
    target_size: int | None = None
    target_kbps: float | None = None
    target_ms_ssim: float | None = None
    target_lpips: float | None = None
    target_vmaf: float | None = None
    weights: Path | None = None
    preset: str = "medium"
    model: str = DEFAULT_MODEL
    device: str = "auto"
    gop_seconds: Fraction = Fraction(5)
    mini_gop: int | None = None
    extensions: Wanted = ()
    frame_range: FrameRange | None = None
    video_stream: int | None = None
    deinterlace: str = "auto"
    audio: bool = True
    bitexact: bool = False
    resume: bool = False
    overwrite: bool = False
    threads: int | None = None
    workers: int | None = None
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        check_device(self.device)
        whole_numbers(self, "quality", "video_stream", least=0)
        whole_numbers(self, "target_size", "mini_gop", "threads", "workers", least=1)
        if self.target_kbps is not None and not self.target_kbps > 0:
            raise ArgumentError(f"a rate is above 0, not {self.target_kbps}")
        if self.preset not in PRESETS:
            raise ArgumentError(f"preset {self.preset!r} is none of {', '.join(PRESETS)}")
        for name, value in self._metrics.items():
            most = 100 if name == "vmaf" else 1
            if not 0 <= value <= most:
                raise ArgumentError(f"{name} {value} is no target: it is outside 0..{most}")
        if sum(choice is not None for choice in (self.quality, *self._targets)) > 1:
            raise ArgumentError("give a quality or one target, not more")
        if self.cluster is not None and self.targeted:
            raise ArgumentError("a target and a cluster exclude each other")
        if self.quality is not None and self.quality > MAX_QUALITY:
            raise ArgumentError(f"quality {self.quality} is outside 0..{MAX_QUALITY}")
        if self.deinterlace not in DEINTERLACE:
            raise ArgumentError(f"deinterlace {self.deinterlace!r} is none of {', '.join(DEINTERLACE)}")
        if self.mini_gop not in (None, 1, 2, 3, 4):
            raise ArgumentError(f"mini-GOP {self.mini_gop} is outside 1..4")
        if not 0 < self.gop_seconds <= 60:
            raise ArgumentError(f"chunks of {float(self.gop_seconds):g} seconds; above 0 and at most 60")

    @property
    def _targets(self) -> tuple[float | None, ...]:
        return self.target_size, self.target_kbps, *self._metrics.values()

    @property
    def _metrics(self) -> dict[str, float]:
        given = {"ms-ssim": self.target_ms_ssim, "lpips": self.target_lpips, "vmaf": self.target_vmaf}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def targeted(self) -> bool:
        """Is there a target?"""
        return any(target is not None for target in self._targets)

    @property
    def rated(self) -> bool:
        """Is there a rate target?"""
        return self.target_size is not None or self.target_kbps is not None

    @property
    def metric(self) -> tuple[str, float] | None:
        """The metric that is the target, ms-ssim, lpips or vmaf, and its value; None where none is."""
        return next(iter(self._metrics.items()), None)

    @property
    def settings(self) -> Settings:
        """What every chunk is coded with, at this quality."""
        quality = DEFAULT_QUALITY if self.quality is None else self.quality
        return Settings(quality, self.preset, self.mini_gop, self.extensions)


@dataclass(frozen=True)
class DecodeOptions:
    """How to decode.

    diffusion: refine the coarse picture. salvage: leave out damaged chunks instead of stopping. limits: refuse files
    above the reader's limits. frame_range: the part to decode, None all. model: None takes the one that the file names.
    compile: use torch.compile, which takes its time once and is then faster (docs/performance.md). threads, workers: as
    of EncodeOptions. format: mkv, y4m or another of media.muxer.FORMATS, None takes it from the target's suffix.
    video_codec, crf: of the file written, None takes what suits its format.
    """

    diffusion: bool = True
    salvage: bool = False
    limits: bool = True
    frame_range: FrameRange | None = None
    model: str | None = None
    device: str = EncodeOptions.device
    compile: bool = False
    format: str | None = None
    video_codec: str | None = None
    crf: int | None = None
    overwrite: bool = False
    threads: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        check_device(self.device)
        whole_numbers(self, "crf", least=0)
        whole_numbers(self, "threads", "workers", least=1)


def whole_numbers(options: object, *names: str, least: int) -> None:
    """ArgumentError where one of these is set and no whole number of at least so much."""
    for name in names:
        value = getattr(options, name)
        if value is not None and (not isinstance(value, int) or value < least):
            raise ArgumentError(f"{name} {value!r} is no whole number of at least {least}")


@dataclass(frozen=True)
class Progress:
    """Where a job stands: frames done, frames in all (None: unknown), bytes written, seconds and chunks done.

    stage: what is done, where a job has several; the counts begin anew with each.
    """

    frames: int
    total: int | None
    bytes: int
    seconds: float
    chunks: int = 0
    stage: str = ""


ProgressCallback = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """The callback that shows nothing."""


Event = dict[str, Any]
"""What happened in a batch: `event`, `job` (its number from 0), `file` and more (docs/batch.md)."""
EventCallback = Callable[[Event], None]


def ignore_event(event: Event) -> None:
    """The callback that shows nothing."""


@dataclass(frozen=True)
class EncodeReport:
    """What encoding made; `found`: how a metric target was met."""

    frames: int
    chunks: int
    bytes: int
    width: int
    height: int
    seconds: float
    found: Found | None = None

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file for each source pixel."""
        return self.bytes * 8 / (self.frames * self.width * self.height)

    @property
    def kbps(self) -> float:
        """Kilobits (1000) per second of video."""
        return self.bytes * 8 / 1000 / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class DecodeReport:
    """What decoding made; `lost` says in one line each what salvage had to leave out."""

    frames: int
    chunks: int
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchReport:
    """What a batch made: how many files there were, how each ended, and the highest of their exit codes.

    source_bytes, bytes: of those done, before and after. passed_over: files of folders that were no inputs.
    """

    jobs: int
    done: int
    skipped: int
    error: int
    exit_code: int
    source_bytes: int = 0
    bytes: int = 0
    passed_over: int = 0
