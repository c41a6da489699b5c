"""What the scoreboard measures: the Codec protocol, and this project's own codec through its command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from neurcodec.codec.settings import MAX_QUALITY
from neurcodec.evaluation.cache import hash_files
from neurcodec.evaluation.clips import Clip
from neurcodec.evaluation.processes import Cost, run_process

GOP_SECONDS = 5
"""Longest distance of key frames on both sides; all groups of pictures are closed."""


@dataclass(frozen=True)
class Setting:
    """One point of a rate curve: the rate parameter, and how many times smaller the picture is coded."""

    value: float
    scale: int = 1


class Codec(Protocol):
    """A codec under test. `name` is the cache's key; its files are decoded once for each of `curves`."""

    @property
    def name(self) -> str: ...

    @property
    def curves(self) -> Sequence[str]: ...

    @property
    def ours(self) -> bool: ...

    @property
    def step(self) -> float:
        """The smallest difference between two values of its rate parameter."""

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest value of its rate parameter."""

    def describe(self) -> dict[str, str]:
        """All settings that change the result; printed in the report and part of the cache key."""

    def settings(self, width: int, height: int) -> Sequence[Setting]:
        """The points of the curve for pictures of this size."""

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        """False where `size` bytes lie outside the rates that are compared, so that it need not be decoded."""

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        """Code the lossless file `source`; returns the coded file, its bytes, and the cost."""

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        """Decode to a lossless video file beside `coded`, at the size of the clip."""


def code_hash() -> str:
    """Hash of this package's source that can change a coded file or a decoded picture, 16 hexadecimal digits."""
    package = Path(__file__).resolve().parent.parent
    parts = ("container", "entropy", "media", "coarse", "generator", "analysis", "codec", "files", "jobs")
    return hash_files(package, tuple(f"{part}/**/*.py" for part in parts))


@dataclass(frozen=True)
class Neurcodec:
    """This project's codec through its real command; the coarse curve shows the same files without diffusion."""

    qualities: tuple[int, ...]
    model: str
    identity: str
    """What the results depend on besides the settings: hashes of the weights and of the code."""
    profile: str = "auto"

    ours = True
    step = 1.0
    span = (0.0, float(MAX_QUALITY))

    @property
    def name(self) -> str:
        return "ncodec" if self.profile == "auto" else f"ncodec-{self.profile}"

    @property
    def curves(self) -> Sequence[str]:
        return (self.name, f"{self.name}-coarse")

    def describe(self) -> dict[str, str]:
        encode = shlex.join(self._encode("CLIP.nut", "OUT.nvc", "Q"))
        decode = shlex.join(self._decode("OUT.nvc", "REC.mkv"))
        return {"encode": f"ncodec {encode}", "decode": f"ncodec {decode}", "model": self.identity}

    def settings(self, width: int, height: int) -> Sequence[Setting]:
        return [Setting(quality) for quality in self.qualities]

    def wanted(self, setting: Setting, size: int, clip: Clip) -> bool:
        return True

    def _encode(self, source: str, target: str, quality: str) -> list[str]:
        profile = ["--profile", self.profile]
        options = ["--gop", str(GOP_SECONDS), "--no-audio", "--model", self.model, *profile]
        return ["encode", source, target, "-q", quality, *options]

    def _decode(self, source: str, target: str) -> list[str]:
        return ["decode", source, target, "--video-codec", "ffv1", "--model", self.model]

    def encode(self, source: Path, setting: Setting, folder: Path) -> tuple[Path, int, Cost]:
        target = folder / "coded.nvc"
        cost = _ncodec(self._encode(str(source), str(target), f"{setting.value:g}"))
        return target, target.stat().st_size, cost

    def decode(self, coded: Path, setting: Setting, clip: Clip, curve: str) -> tuple[Path, Cost]:
        target = coded.with_name(f"{curve}.mkv")
        coarse = ["--no-diffusion"] if curve == self.curves[1] else []
        return target, _ncodec([*self._decode(str(coded), str(target)), *coarse])


def _ncodec(arguments: list[str]) -> Cost:
    return run_process([sys.executable, "-m", "neurcodec", *arguments])[1]
