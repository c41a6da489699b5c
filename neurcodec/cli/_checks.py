"""What `ncodec doctor` looks at: versions, devices, models, and whether latents decode exactly here."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from neurcodec import __version__
from neurcodec.errors import NcodecError

_ENCODERS = ("libx264", "libx265", "libsvtav1", "png")
_DRIVER = Path("/proc/driver/nvidia/version")
_BROKEN = (ImportError, RuntimeError, OSError, AttributeError)
"""What importing a package that does not fit its neighbours raises."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and where it is wrong one line on what to do."""

    name: str
    found: str
    advice: str | None = None

    @property
    def ok(self) -> bool:
        """Is nothing wrong with it?"""
        return self.advice is None


def examine() -> Iterator[Check]:
    """All checks, one after the other; they never raise."""
    yield Check("neurcodec", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield from _packages()
    yield _torchvision()
    yield _ffmpeg()
    yield from _devices()
    yield from _models()
    cores = os.cpu_count() or 1
    for threads in sorted({1, cores}):
        yield _exactness(threads)


def _packages() -> Iterator[Check]:
    """The packages that neurcodec needs, against the versions that it needs."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("neurcodec") or []
    except metadata.PackageNotFoundError:
        yield Check("packages", "neurcodec is not installed as a package; their versions are not checked")
        return
    for line in lines:
        need = Requirement(line)
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            yield Check(need.name, "not installed", f"install it: pip install '{need}'")
            continue
        fits = need.specifier.contains(found, prereleases=True)
        yield Check(need.name, found, None if fits else f"another version is needed: pip install '{need}'")


def _torchvision() -> Check:
    """Not needed, but one of another torch keeps torchmetrics, of `ncodec bench`, from being imported."""
    name = "torchvision"
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "not installed (not needed)")
    try:
        importlib.import_module(name)
    except _BROKEN as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Check(name, f"{found} does not fit torch {metadata.version('torch')} ({reason})",
                     "install torch and torchvision from the same index, or uninstall torchvision")  # fmt: skip
    return Check(name, f"{found}, fits torch")


def _ffmpeg() -> Check:
    """The encoders of FFmpeg that neurcodec uses."""
    try:
        import av
        from av.codec.codec import UnknownCodecError
    except ImportError as error:
        return Check("FFmpeg", f"PyAV cannot be imported ({error})", "install it again: pip install av")
    missing = []
    for name in _ENCODERS:
        try:
            av.Codec(name, "w")
        except UnknownCodecError:
            missing.append(name)
    if missing:
        return Check("FFmpeg", f"{av.ffmpeg_version_info}, without {', '.join(missing)}",
                     "use PyAV's binary wheel: pip install --force-reinstall --only-binary av av")  # fmt: skip
    return Check("FFmpeg", f"{av.ffmpeg_version_info} with {', '.join(_ENCODERS)}")


def _devices() -> Iterator[Check]:
    """CPU and CUDA devices as torch sees them."""
    try:
        import torch

        from neurcodec.generator.restore import working_type
    except _BROKEN as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        yield Check("devices", f"torch cannot be imported ({reason})", "mend the packages named above")
        return
    kind = str(working_type(torch.device("cpu"))).removeprefix("torch.")
    yield Check("cpu", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, generator in {kind}")
    if not torch.cuda.is_available():
        built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is built for the CPU"
        advice = None
        if _DRIVER.exists():
            advice = "a CUDA card is here: install a build of torch for CUDA that fits the driver"
        yield Check("cuda", f"none usable; {built}", advice)
        return
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        kind = str(working_type(torch.device("cuda", number))).removeprefix("torch.")
        yield Check(f"cuda:{number}", f"{card.name}, {card.total_memory >> 20} MiB, compute capability {card.major}."
                    f"{card.minor}, CUDA {torch.version.cuda}, generator in {kind}")  # fmt: skip


def _models() -> Iterator[Check]:
    """The installed models with their hashes; their integers are read, their networks must be there."""
    try:
        from neurcodec.entropy.model import EntropyModel
    except ImportError as error:
        yield Check("models", f"cannot be read ({error})", "mend the packages named above")
        return
    from neurcodec.files import models

    found = models.available()
    if not found:
        folders = ", ".join(map(str, models.model_folders())) or "no folder"
        yield Check("models", f"none in {folders}", "install neurcodec's own model, or give a folder with --model")
    for model in found:
        try:
            models.find(str(model.folder))
            EntropyModel.load(model.entropy_path)
        except NcodecError as error:
            yield Check(f"model {model.name}", str(error), "install the model again")
            continue
        size = sum(path.stat().st_size for path in (model.entropy_path, *model.weight_paths))
        yield Check(f"model {model.name}", f"{size / 1e6:.1f} MB, weights {model.weights_hash.hex()}, "
                    f"entropy {model.entropy_hash.hex()}, {model.folder}")  # fmt: skip


def _exactness(threads: int) -> Check:
    """The latents, which are coded on the CPU whatever the device, must have the known digest."""
    name = f"exact prior, {threads} thread{'s' if threads > 1 else ''}"
    limits = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, "-m", "neurcodec.entropy.selftest"]
    run = subprocess.run(command, env={**os.environ, **limits}, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return Check(name, f"passed ({run.stdout[:16]})")
    said = f"another result, {run.stdout[:16]}" if run.stdout else run.stderr.strip() or "no output"
    reason = said.splitlines()[-1]
    return Check(name, f"failed ({reason})",
                 "files may not decode here: install numpy and constriction again, and please report this")  # fmt: skip
