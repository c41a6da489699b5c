"""`ncodec decode`: an .nvc file becomes a video again."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import click

from neurcodec.cli import _common, _span
from neurcodec.errors import PartialError
from neurcodec.pipeline.options import DecodeOptions


@click.command(name="decode")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@_span.start
@_span.end
@_span.frames
@click.option("--no-diffusion", is_flag=True, help="Show the coarse picture: fast, for previews.")
@click.option("--salvage", is_flag=True, help="Leave out damaged chunks and keep the rest (exit code 11).")
@click.option("--format", "container", type=click.Choice(["y4m", "matroska"]),
              help="Of OUT.  [default: as its suffix says; matroska on -]")
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
    source: Path, target: Path, start: Fraction | None, end: Fraction | None, frames: str | None, no_diffusion: bool,
    salvage: bool, container: str | None, video_codec: str | None, crf: int | None, model: str | None, no_limits: bool,
    device: str, threads: int | None, force: bool, quiet: bool, verbose: bool,
) -> None:
    """Turn the .nvc file IN back into the video OUT.

    OUT is an .mp4, .mkv or .y4m file, or PNG pictures, given as a pattern such as shot-%05d.png. A part of the video
    starts at time 0 in OUT; only the chunks that hold it are decoded. "-" is standard input or output, so
    `ncodec decode FILE - | mpv -` plays FILE.
    """
    from neurcodec.pipeline.decoder import decode_file

    _common.set_up_logging(quiet, verbose)
    options = DecodeOptions(
        diffusion=not no_diffusion, salvage=salvage, limits=not no_limits, span=_span.parse(start, end, frames),
        format="mkv" if container == "matroska" else container, model=model, device=device, video_codec=video_codec,
        crf=crf, overwrite=force, threads=threads,
    )
    begun = time.perf_counter()
    with _common.Bar("decode", quiet) as bar:
        report = decode_file(source, target, options, bar)
    if not quiet:
        speed = report.frames / (time.perf_counter() - begun)
        click.echo(f"{target}: {report.frames} frames, {speed:.1f} frames/s", err=True)
    if report.lost:
        raise PartialError(f"{source}: {'; '.join(report.lost)}; the rest is in {target}")
