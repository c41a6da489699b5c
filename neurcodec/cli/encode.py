"""`ncodec encode`: a video becomes an .nvc file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

import neurcodec
from neurcodec.cli import _coding, _common
from neurcodec.cli._help import GroupedCommand, examples
from neurcodec.cli._text import plain
from neurcodec.files.pipes import STANDARD

_EXAMPLES = examples(
    "ncodec encode in.mp4 out.nvc -q 24              # a given quality",
    "ncodec encode in.mp4 out.nvc --target-size 5MB  # as good as fits",
    "ncodec encode in.mp4 out.nvc --target-lpips 0.2 # as small as good enough",
    "ncodec encode in.mkv out.nvc --start 1:30 --end 2:00",
    "ffmpeg -i in.mov -f yuv4mpegpipe - | ncodec encode - out.nvc",
)


@click.command(name="encode", cls=GroupedCommand, epilog=_EXAMPLES)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, readable=False))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path, readable=False))
@_coding.encoding
@_common.workers
@_common.quiet
@_common.verbose
def command(source: Path, target: Path, quiet: bool, verbose: bool, **choices: Any) -> None:
    """Code the video IN as the .nvc file OUT.

    IN is anything that FFmpeg reads. Sound and subtitles are copied as they are. "-" is standard input or output.
    For a target size or rate the video is read several times, and every chunk gets the quality that its content needs.
    For a target of a metric one quality is searched on samples of the chunks; see docs/targets.md.
    """
    arguments = _coding.encode_arguments(choices)
    if choices["resume"] and STANDARD in (source, target):
        raise click.UsageError("--resume needs files: a pipe cannot be read or written again")
    from neurcodec.cli._progress import Bar

    _common.set_up_logging(quiet, verbose)
    start = time.perf_counter()
    with Bar("encode", quiet) as bar:
        report = neurcodec.encode(source, target, **arguments, progress=bar)
    if not quiet:
        if report.found is not None:
            click.echo(plain(f"{target}: {report.found}"), err=True)
        speed = report.frames / (time.perf_counter() - start)
        figures = (
            f"{target}: {report.frames} frames, {report.bytes:,} bytes, {report.bits_per_pixel:.5f} bits/pixel, "
            f"{report.kbps:.1f} kbps, {speed:.1f} frames/s"
        )
        click.echo(plain(figures), err=True)
