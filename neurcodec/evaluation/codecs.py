"""What the scoreboard measures: the Codec protocol, timed child processes, and this project's own codec."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from neurcodec.errors import DependencyError, NcodecError
from neurcodec.evaluation.clips import Clip, bits_per_pixel

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Setting:
    """One point of a rate curve: the rate parameter, and whether the picture is coded at half size."""

    value: int
    half: bool = False


@dataclass(frozen=True)
class Cost:
    """A whole process: wall-clock seconds, and its peak resident memory with its children (bytes, sampled)."""

    seconds: float
    peak_memory: int


@dataclass(frozen=True)
class Coded:
    """One coded clip as one curve shows it: size in bytes, costs, and the decoded video file."""

    curve: str
    size: int
    encode: Cost
    decode: Cost
    video: Path


class Codec(Protocol):
    """A codec under test. `name` is the cache's key; a run gives one Coded for each name in `curves`."""

    @property
    def name(self) -> str: ...

    @property
    def curves(self) -> Sequence[str]: ...

    @property
    def ours(self) -> bool: ...

    def describe(self) -> dict[str, str]:
        """All settings that change the result; printed in the report and part of the cache key."""

    def settings(self) -> Sequence[Setting]:
        """The points of the curve."""

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        """False where `size` bytes lie outside the rates that are compared, so that it need not be decoded."""

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        """Code the lossless file `source`; returns the coded file, its bytes, and the cost."""

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        """Decode to a lossless video file beside `coded`, at the size of the clip."""


def run_process(command: Sequence[str], environment: dict[str, str] | None = None) -> tuple[str, Cost]:
    """Run a child process to its end; returns its standard output and its cost; NcodecError when it fails."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as messages:
        try:
            child = psutil.Popen(command, stdout=output, stderr=messages, env={**os.environ, **(environment or {})})
        except OSError as error:
            raise DependencyError(f"{command[0]}: cannot be run ({error})") from error
        peak = 0
        while child.poll() is None:
            peak = max(peak, resident_memory(child))
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - start
        output.seek(0)
        messages.seek(0)
        if child.returncode != 0:
            lines = messages.read().strip().splitlines() or ["no message"]
            raise NcodecError(f"'{' '.join(command)}' failed with exit code {child.returncode}: {lines[-1]}")
        return output.read(), Cost(seconds, peak)


def resident_memory(process: psutil.Process) -> int:
    """Resident bytes of a process and its children now; 0 once it is gone."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.Error:
        return total
    return total


@dataclass(frozen=True)
class Neurcodec:
    """This project's codec through its real command; the coarse curve shows the same files without diffusion."""

    qualities: tuple[int, ...]
    model_hash: str
    profile: str = "native"
    options: tuple[str, ...] = ()
    """More options for `ncodec encode` and `ncodec decode` alike, such as ("--model", NAME)."""

    ours = True

    @property
    def name(self) -> str:
        return "ncodec" if self.profile == "native" else f"ncodec-{self.profile}"

    @property
    def curves(self) -> Sequence[str]:
        return (self.name, f"{self.name}-coarse")

    def describe(self) -> dict[str, str]:
        encode = " ".join(("ncodec encode CLIP.nut OUT.nvc -q Q", *self.encode_options()))
        decode = " ".join(("ncodec decode OUT.nvc REC.mkv --video-codec ffv1", *self.options))
        return {"encode": encode, "decode": decode, "coarse": f"{decode} --no-diffusion", "model": self.model_hash}

    def settings(self) -> Sequence[Setting]:
        return [Setting(quality) for quality in self.qualities]

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        return True

    def encode_options(self) -> tuple[str, ...]:
        profile = () if self.profile == "native" else ("--profile", self.profile)
        return ("--no-audio", *profile, *self.options)

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        target = folder / "coded.nvc"
        command = ["encode", str(source), str(target), "-q", str(setting.value), *self.encode_options()]
        _, cost = run_process([sys.executable, "-m", "neurcodec", *command])
        return target, target.stat().st_size, cost

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        target = coded.with_name(f"{curve}.mkv")
        coarse = ("--no-diffusion",) if curve.endswith("-coarse") else ()
        command = ["decode", str(coded), str(target), "--video-codec", "ffv1", *coarse, *self.options]
        _, cost = run_process([sys.executable, "-m", "neurcodec", *command])
        return target, cost


@dataclass(frozen=True)
class RateWindow:
    """Bits per pixel between which a peer's points are kept: all of them, and those of half size."""

    low: float = 0.0015
    high: float = 0.12
    half_high: float = 0.03

    def holds(self, setting: Setting, size: int, clip: Clip) -> bool:
        """True when a point of `size` bytes belongs to the comparison."""
        return self.low <= bits_per_pixel(size, clip) <= (self.half_high if setting.half else self.high)
