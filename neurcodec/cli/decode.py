"""`ncodec decode`: an .nvc file becomes a video again."""

from __future__ import annotations

import time
from pathlib import Path

import click

from neurcodec.cli import _common
from neurcodec.errors import PartialError
from neurcodec.pipeline.options import DecodeOptions


@click.command(name="decode")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--no-diffusion", is_flag=True, help="Show the coarse picture: fast, for previews.")
@click.option("--salvage", is_flag=True, help="Leave out damaged chunks and keep the rest (exit code 11).")
@click.option("--video-codec", metavar="NAME", help="FFmpeg encoder of the output.  [default: libx264]")
@click.option("--crf", type=click.IntRange(0, 63), help="Its quality, lower is better.  [default: 12]")
@click.option("--model", metavar="NAME|DIR", help="The networks' weights.  [default: the one that IN names]")
@_common.no_limits
@_common.device
@_common.threads
@_common.force
@_common.quiet
@_common.verbose
def command(
    source: Path, target: Path, no_diffusion: bool, salvage: bool, video_codec: str | None, crf: int | None,
    model: str | None, no_limits: bool, device: str, threads: int | None, force: bool, quiet: bool, verbose: bool,
) -> None:
    """Turn the .nvc file IN back into the video OUT.

    OUT is an .mp4, .mkv or .y4m file, or PNG pictures, given as a pattern such as shot-%05d.png.
    """
    from neurcodec.pipeline.decoder import decode_file

    _common.set_up_logging(quiet, verbose)
    options = DecodeOptions(
        diffusion=not no_diffusion, salvage=salvage, limits=not no_limits, model=model, device=device,
        video_codec=video_codec, crf=crf, overwrite=force, threads=threads,
    )
    start = time.perf_counter()
    with _common.Bar("decode", quiet) as bar:
        report = decode_file(source, target, options, bar)
    if not quiet:
        speed = report.frames / (time.perf_counter() - start)
        click.echo(f"{target}: {report.frames} frames, {speed:.1f} frames/s", err=True)
    if report.lost:
        raise PartialError(f"{source}: {'; '.join(report.lost)}; the rest is in {target}")
