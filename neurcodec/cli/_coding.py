"""The options of encoding and of decoding, which single files and batches share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from neurcodec.cli import _common, _frame_range
from neurcodec.cli._common import Command
from neurcodec.cli._size import Size
from neurcodec.codec.settings import MAX_QUALITY, PRESETS
from neurcodec.extensions import LAYERED
from neurcodec.extensions.options import OPTIONS
from neurcodec.jobs.options import DEFAULT_MODEL, DEFAULT_QUALITY, DEINTERLACE, Cluster, EncodeOptions

profile = click.option(
    "--profile",
    type=click.Choice(["auto", "native", "layered"]),
    default="auto",
    show_default=True,
    help="layered: restores a degraded AV1 base layer; native: our latents only; auto: layered where "
    "AV1 can code the picture (64 pixels and more).",
)
preset = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default=EncodeOptions.preset,
    show_default=True,
    help="Speed of encoding against size, for the layered profile (docs/targets.md).",
)
gop = click.option(
    "--gop",
    "gop_seconds",
    type=_common.Number(0.04, 60),
    default=float(EncodeOptions.gop_seconds),
    show_default=True,
    metavar="SECONDS",
    help="Longest chunk: the unit of seeking and of damage.",
)
model = click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, metavar="NAME|DIR", help="The networks' weights."
)
_ENCODE = (
    click.option(
        "-q",
        "--quality",
        type=click.IntRange(0, MAX_QUALITY),
        help=f"0 is the smallest file.  [default: {DEFAULT_QUALITY}]",
    ),
    click.option("--target-size", type=Size(), metavar="SIZE", help="Bytes of the whole file, as 700k or 5MB."),
    click.option(
        "--target-kbps", type=_common.Number(0, min_open=True), metavar="KBPS", help="Rate of the whole file."
    ),
    click.option(
        "--target-ms-ssim",
        type=_common.Number(0, 1),
        metavar="X",
        help="Smallest file with this MS-SSIM, 0 to 1, of the restored picture.",
    ),
    click.option(
        "--target-lpips",
        type=_common.Number(0, 1),
        metavar="X",
        help="Smallest file with this LPIPS (squeeze), of the restored picture; needs weights.",
    ),
    click.option(
        "--target-vmaf",
        type=_common.Number(0, 100),
        metavar="X",
        help="Smallest file with this VMAF, 0 to 100, of the restored picture; needs an FFmpeg with libvmaf.",
    ),
    click.option(
        "--weights",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Folder of the LPIPS weights.  [default: $NEURCODEC_WEIGHTS or ~/.cache/neurcodec/weights]",
    ),
    profile,
    preset,
    gop,
    click.option(
        "--mini-gop",
        type=click.Choice(["auto", "1", "2", "3", "4"]),
        callback=lambda context, parameter, value: None if value == "auto" else int(value),
        default="auto",
        show_default=True,
        help="Every Nth frame carries latents or is in the base, the others motion only.",
    ),
    *OPTIONS,
    _frame_range.start,
    _frame_range.end,
    click.option(
        "--video-stream",
        type=click.IntRange(0),
        metavar="N",
        help="Number of the video stream among all of IN.  [default: the default one, else the largest]",
    ),
    click.option(
        "--deinterlace",
        type=click.Choice(list(DEINTERLACE)),
        default=EncodeOptions.deinterlace,
        show_default=True,
        help="Make whole pictures of interlaced ones; auto: of those that say that they are.",
    ),
    _common.no_audio,
    model,
    click.option("--bitexact", is_flag=True, help="The same file every time: its id is not random."),
    click.option("--resume", is_flag=True, help="When stopped, keep what is done in OUT.part; go on from there."),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Where chunks are coded: in this process, or as tasks of a Ray cluster (docs/ray.md).",
    ),
    click.option("--address", metavar="HOST:PORT", help="Of the Ray cluster.  [default: one is started here]"),
    click.option(
        "--gpus",
        type=_common.Number(0),
        default=0.0,
        metavar="N",
        help="GPUs that a Ray task takes, 0.5 is half of one.  [default: 0]",
    ),
    _common.device,
    _common.threads,
    _common.force,
)
_DECODE = (
    _frame_range.start,
    _frame_range.end,
    _frame_range.frames,
    click.option("--no-diffusion", is_flag=True, help="Show the coarse picture: fast, for previews."),
    click.option("--salvage", is_flag=True, help="Leave out damaged chunks and keep the rest (exit code 11)."),
    click.option("--video-codec", metavar="NAME", help="FFmpeg encoder of the output.  [default: libx264]"),
    click.option("--crf", type=click.IntRange(0, 63), help="Its quality, lower is better.  [default: 12]"),
    click.option("--model", metavar="NAME|DIR", help="The networks' weights.  [default: the one that IN names]"),
    _common.no_limits,
    _common.device,
    click.option("--compile", is_flag=True, help="Compile the generator: for CUDA and long videos (needs g++)."),
    _common.threads,
    _common.force,
)


def _all(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def encoding(command: Command) -> Command:
    """Give a command the options of encoding."""
    return _all(_ENCODE, command)


def decoding(command: Command) -> Command:
    """Give a command the options of decoding."""
    return _all(_DECODE, command)


def encode_arguments(choices: dict[str, Any]) -> dict[str, Any]:
    """The options of encoding as arguments of neurcodec.encode; a usage error for some that exclude each other."""
    targets = [name for name in choices if name.startswith("target_") and choices[name] is not None]
    if len(targets) + (choices["quality"] is not None) > 1:
        raise click.UsageError("give only one of --quality and the --target options")
    engine, address, gpus = (choices.pop(name) for name in ("engine", "address", "gpus"))
    if engine == "ray" and targets:
        raise click.UsageError("--engine ray goes with --quality only")
    for name in LAYERED:
        if choices[name] and choices["profile"] == "native":
            raise click.UsageError(f"--{name} is for --profile layered")
    audio, overwrite = not choices.pop("no_audio"), choices.pop("force")
    cluster = Cluster(address, gpus) if engine == "ray" else None
    return {**choices, "audio": audio, "overwrite": overwrite, "cluster": cluster}


def decode_arguments(choices: dict[str, Any]) -> dict[str, Any]:
    """The options of decoding as arguments of neurcodec.decode; a usage error for some that exclude each other."""
    if choices["frames"] is not None and (choices["start"], choices["end"]) != (None, None):
        raise click.UsageError("--frames and --start or --end exclude each other")
    diffusion, limits = not choices.pop("no_diffusion"), not choices.pop("no_limits")
    frames, overwrite = _frame_range.pair(choices.pop("frames")), choices.pop("force")
    return {**choices, "diffusion": diffusion, "limits": limits, "frames": frames, "overwrite": overwrite}
