"""`ncodec encode`: a video becomes an .nvc file."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import click

from neurcodec.cli import _common
from neurcodec.cli._size import Size
from neurcodec.container import Profile
from neurcodec.pipeline.options import DEFAULT_MODEL, MAX_QUALITY, EncodeOptions
from neurcodec.pipeline.pipes import STANDARD


@click.command(name="encode")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "-q", "--quality", type=click.IntRange(0, MAX_QUALITY),
    help=f"0 is the smallest file.  [default: {EncodeOptions.quality}]",
)
@click.option("--target-size", type=Size(), metavar="SIZE", help="Bytes of the whole file, as 700k or 5MB.")
@click.option("--target-kbps", type=click.FloatRange(0, min_open=True), metavar="KBPS", help="Rate of the whole file.")
@click.option("--profile", type=click.Choice(["native", "layered"]), default="native", show_default=True,
              help="native: our latents only; layered: restores a degraded AV1 base layer.")
@click.option("--gop", type=click.FloatRange(0.04, 60), default=5.0, show_default=True, metavar="SECONDS",
              help="Longest chunk: the unit of seeking and of damage.")
@click.option("--backbone-interval", type=click.Choice(["auto", "1", "2", "3", "4"]), default="auto",
              show_default=True, help="Every Nth frame carries latents, the others motion only.")
@_common.no_audio
@click.option("--model", default=DEFAULT_MODEL, show_default=True, metavar="NAME|DIR", help="The networks' weights.")
@click.option("--resume", is_flag=True, help="When stopped, keep what is done in OUT.part; go on from there.")
@_common.device
@_common.threads
@_common.force
@_common.quiet
@_common.verbose
def command(
    source: Path, target: Path, profile: str, quality: int | None, target_size: int | None, target_kbps: float | None,
    gop: float, backbone_interval: str, no_audio: bool, model: str, resume: bool, device: str, threads: int | None, force: bool, quiet: bool, verbose: bool,
) -> None:
    """Code the video IN as the .nvc file OUT.

    IN is anything that FFmpeg reads. Sound and subtitles are copied as they are. "-" is standard input or output.
    For a target size or rate the video is read several times, and every chunk gets the quality that its content needs.
    """
    from neurcodec.pipeline.encoder import encode_file

    if sum(choice is not None for choice in (quality, target_size, target_kbps)) > 1:
        raise click.UsageError("give only one of --quality, --target-size and --target-kbps")
    if resume and (target_size or target_kbps):
        raise click.UsageError("--resume cannot go on with a target size or rate; use --quality")
    if resume and STANDARD in (source, target):
        raise click.UsageError("--resume needs files: a pipe cannot be read or written again")
    _common.set_up_logging(quiet, verbose)
    options = EncodeOptions(
        profile=Profile[profile.upper()], quality=EncodeOptions.quality if quality is None else quality,
        target_size=target_size, target_kbps=target_kbps, model=model, device=device,
        gop_seconds=Fraction(gop).limit_denominator(1000),
        backbone_interval=None if backbone_interval == "auto" else int(backbone_interval), audio=not no_audio,
        resume=resume, overwrite=force, threads=threads,
    )
    start = time.perf_counter()
    with _common.Bar("encode", quiet) as bar:
        report = encode_file(source, target, options, bar)
    if not quiet:
        speed = report.frames / (time.perf_counter() - start)
        click.echo(
            f"{target}: {report.frames} frames, {report.bytes:,} bytes, {report.bits_per_pixel:.5f} bits/pixel, "
            f"{report.kbps:.1f} kbps, {speed:.1f} frames/s", err=True,
        )
