"""The functions and types that programs use; `neurcodec` exports them, and the commands are made of them.

Files are paths, as str or Path ("-" is standard input or output), or open binary files. All errors are of
neurcodec.errors; a wrong argument is an ArgumentError, before anything is read. Everything here may be called from
several threads at once: they share the networks, and each job has its own options. CPU threads of torch are a setting
of the process, so jobs with other `threads` at the same time change each other's speed, not their bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from neurcodec.container import Profile
from neurcodec.jobs.arguments import Seconds, decode_options, encode_options, fraction
from neurcodec.jobs.options import (
    DEFAULT_MODEL,
    BatchReport,
    Cluster,
    DecodeReport,
    EncodeOptions,
    EncodeReport,
    EventCallback,
    ProgressCallback,
    ignore_event,
    ignore_progress,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurcodec.jobs.inspection import VerifyReport
    from neurcodec.jobs.probe import ProbeReport
    from neurcodec.jobs.video import Video

Source = str | Path | BinaryIO


def encode(
    source: Source,
    target: Source,
    *,
    quality: int | None = None,
    target_size: int | None = None,
    target_kbps: float | None = None,
    target_ms_ssim: float | None = None,
    target_lpips: float | None = None,
    target_vmaf: float | None = None,
    weights: str | Path | None = None,
    profile: str | Profile = "auto",
    preset: str = EncodeOptions.preset,
    gop_seconds: Seconds = EncodeOptions.gop_seconds,
    mini_gop: int | None = None,
    detail: int = 0,
    caption: str = "",
    sketch: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    video_stream: int | None = None,
    deinterlace: str = EncodeOptions.deinterlace,
    audio: bool = True,
    bitexact: bool = False,
    model: str | Path = DEFAULT_MODEL,
    resume: bool = False,
    overwrite: bool = False,
    device: str = EncodeOptions.device,
    threads: int | None = None,
    workers: int | None = None,
    cluster: Cluster | None = None,
    progress: ProgressCallback = ignore_progress,
) -> EncodeReport:
    """Code the video `source` as the .nvc file `target`.

    quality: 0 (smallest file) to 63; or one target: bytes or kilobits a second of the whole file, or a metric of the
    restored picture (weights: the folder of the LPIPS weights). profile: "auto", "layered" or "native". start, end: the
    part to code, in seconds. progress: is called after every frame or chunk. The rest are the fields of
    neurcodec.jobs.options.EncodeOptions.
    """
    from neurcodec.jobs.encode import encode_file

    options = encode_options(
        quality=quality, target_size=target_size, target_kbps=target_kbps, target_ms_ssim=target_ms_ssim,
        target_lpips=target_lpips, target_vmaf=target_vmaf, weights=weights, profile=profile, preset=preset,
        gop_seconds=gop_seconds, mini_gop=mini_gop, detail=detail, caption=caption, sketch=sketch, start=start, end=end,
        video_stream=video_stream, deinterlace=deinterlace, audio=audio, bitexact=bitexact, model=model,
        resume=resume, overwrite=overwrite, device=device, threads=threads, workers=workers, cluster=cluster,
    )  # fmt: skip
    return encode_file(_place(source), _place(target), options, progress)


def decode(
    source: Source,
    target: Source,
    *,
    start: Seconds | None = None,
    end: Seconds | None = None,
    frames: tuple[int, int | None] | None = None,
    diffusion: bool = True,
    salvage: bool = False,
    limits: bool = True,
    model: str | Path | None = None,
    device: str = EncodeOptions.device,
    compile: bool = False,
    format: str | None = None,
    video_codec: str | None = None,
    crf: int | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    workers: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> DecodeReport:
    """Turn the .nvc file `source` back into the video `target`.

    start, end: the part to decode, in seconds; or frames: the first one and the one behind the last (None: to the end).
    The rest are the fields of neurcodec.jobs.options.DecodeOptions. What salvage leaves out is in the report.
    """
    from neurcodec.jobs.decode import decode_file

    options = decode_options(
        start=start, end=end, frames=frames, diffusion=diffusion, salvage=salvage, limits=limits, model=model,
        device=device, compile=compile, format=format, video_codec=video_codec, crf=crf, overwrite=overwrite,
        threads=threads, workers=workers,
    )  # fmt: skip
    return decode_file(_place(source), _place(target), options, progress)


def open(
    source: Source,
    *,
    diffusion: bool = True,
    salvage: bool = False,
    limits: bool = True,
    model: str | Path | None = None,
    device: str = EncodeOptions.device,
    compile: bool = False,
    threads: int | None = None,
) -> Video:
    """Open an .nvc file for its frames, with times, in any order; options as for `decode`."""
    from neurcodec.jobs.video import Video

    options = decode_options(
        diffusion=diffusion,
        salvage=salvage,
        limits=limits,
        model=model,
        device=device,
        compile=compile,
        threads=threads,
    )
    return Video(_place(source), options)


def info(source: Source, *, limits: bool = True) -> dict[str, Any]:
    """What an .nvc file holds, as `ncodec info --json` shows it. Reads its structure, not its pictures."""
    from neurcodec.jobs.inspection import describe

    return describe(_place(source), limits)


def probe(
    source: str | Path,
    *,
    qualities: Sequence[int] | None = None,
    goal: float | None = None,
    seconds: float | None = None,
    profile: str | Profile = "auto",
    preset: str = EncodeOptions.preset,
    gop_seconds: Seconds = EncodeOptions.gop_seconds,
    model: str | Path = DEFAULT_MODEL,
    device: str = EncodeOptions.device,
    threads: int | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ProbeReport:
    """What the video would come to at these qualities, by samples: size, time, VMAF; and which reaches the VMAF `goal`.

    It takes about so many seconds. What is not given is as in neurcodec.jobs.probe; the rest are the fields of
    neurcodec.jobs.options.EncodeOptions.
    """
    from neurcodec.jobs import probe as probing

    options = encode_options(
        profile=profile, preset=preset, gop_seconds=gop_seconds, model=model, device=device, threads=threads
    )
    given = {"qualities": qualities, "goal": goal, "seconds": seconds}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return probing.probe(Path(source), options, **chosen, progress=progress)


def verify(
    source: Source,
    *,
    quick: bool = False,
    model: str | Path | None = None,
    limits: bool = True,
    progress: ProgressCallback = ignore_progress,
) -> VerifyReport:
    """Check every rule of the format, and unless `quick` that all latents and base layers decode.

    Raises FormatError, DamageError or LimitError at the first thing that is wrong.
    """
    from neurcodec.jobs.inspection import verify_file

    return verify_file(_place(source), quick, None if model is None else str(model), progress, limits)


def encode_chunk(
    frames: NDArray[np.uint8],
    frame_rate: Seconds = 25,
    *,
    quality: int | None = None,
    profile: str | Profile = "auto",
    preset: str = EncodeOptions.preset,
    mini_gop: int | None = None,
    detail: int = 0,
    caption: str = "",
    sketch: bool = False,
    model: str | Path = DEFAULT_MODEL,
    device: str = EncodeOptions.device,
    threads: int | None = None,
) -> bytes:
    """The bytes of a whole .nvc file with these frames, uint8 (1 to 255, height, width, 3) RGB, as one chunk."""
    from neurcodec.jobs import chunk

    options = encode_options(
        quality=quality, profile=profile, preset=preset, mini_gop=mini_gop, detail=detail,
        caption=caption, sketch=sketch, model=model, device=device, threads=threads,
    )  # fmt: skip
    return chunk.encode(frames, fraction("frame_rate", frame_rate), options)


def decode_chunk(
    data: bytes,
    *,
    diffusion: bool = True,
    limits: bool = True,
    model: str | Path | None = None,
    device: str = EncodeOptions.device,
    threads: int | None = None,
) -> NDArray[np.uint8]:
    """The frames, uint8 (T, height, width, 3) RGB, of what `encode_chunk` gave."""
    from neurcodec.jobs import chunk

    options = decode_options(diffusion=diffusion, limits=limits, model=model, device=device, threads=threads)
    return chunk.decode(data, options)


def encode_batch(
    inputs: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    jobs: int = 1,
    delete_source: bool = False,
    report: EventCallback = ignore_event,
    **options: Any,
) -> BatchReport:
    """Code every video of files, folders and globs as an .nvc file below `folder`, `jobs` at a time (docs/batch.md).

    delete_source: remove each source when its output has passed `verify`. report: is called with every event. options:
    keyword arguments of `encode`. What is done and whole is skipped unless they say overwrite. A file that fails does
    not stop the others: it is in the report, and raises nothing.
    """
    from neurcodec.jobs import batch, batch_plan

    plan = batch_plan.plan(_names(inputs), Path(folder), ".nvc", encode_options(**options), delete_source)
    return batch.run(plan, jobs, report)


def decode_batch(
    inputs: str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    suffix: str = ".mp4",
    jobs: int = 1,
    report: EventCallback = ignore_event,
    **options: Any,
) -> BatchReport:
    """Turn every .nvc file back into a video with this suffix; else as `encode_batch`, with options of `decode`."""
    from neurcodec.jobs import batch, batch_plan

    plan = batch_plan.plan(_names(inputs), Path(folder), suffix, decode_options(**options))
    return batch.run(plan, jobs, report)


def _place(file: Source) -> Path | BinaryIO:
    return Path(file) if isinstance(file, str | Path) else file


def _names(inputs: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(name) for name in ([inputs] if isinstance(inputs, str | Path) else inputs)]
