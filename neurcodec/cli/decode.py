"""`ncodec decode`: an .nvc file becomes a video again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

import neurcodec
from neurcodec.cli import _coding, _common
from neurcodec.cli._help import GroupedCommand, examples
from neurcodec.cli._text import plain
from neurcodec.errors import DamageError, PartialError

_EXAMPLES = examples(
    "ncodec decode out.nvc rec.mp4",
    "ncodec decode out.nvc part.mkv --start 1:30 --end 2:00",
    "ncodec decode out.nvc preview.mp4 --no-diffusion  # fast",
    "ncodec decode out.nvc - | mpv -",
)


@click.command(name="decode", cls=GroupedCommand, epilog=_EXAMPLES)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, readable=False))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--format",
    type=click.Choice(["y4m", "matroska"]),
    callback=lambda context, parameter, value: "mkv" if value == "matroska" else value,
    help="Of OUT.  [default: as its suffix says; matroska on -]",
)
@_coding.decoding
@_common.workers
@_common.quiet
@_common.verbose
def command(source: Path, target: Path, quiet: bool, verbose: bool, **choices: Any) -> None:
    """Turn the .nvc file IN back into the video OUT.

    OUT is an .mp4, .mkv or .y4m file, or PNG pictures, given as a pattern such as shot-%05d.png. A part of the video
    starts at time 0 in OUT; only the chunks that hold it are decoded. "-" is standard input or output, so
    `ncodec decode FILE - | mpv -` plays FILE.
    """
    arguments = _coding.decode_arguments(choices)
    if choices["compile"]:  # before torch loads: threads that sleep at once make compiled code ten times slower
        os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    from neurcodec.cli._progress import Bar

    _common.set_up_logging(quiet, verbose)
    start = time.perf_counter()
    with Bar("decode", quiet) as bar:
        try:
            report = neurcodec.decode(source, target, **arguments, progress=bar)
        except DamageError as error:
            advice = "" if choices["salvage"] else "; --salvage keeps what is whole"
            raise DamageError(f"{error}{advice}") from error
    if not quiet:
        speed = report.frames / (time.perf_counter() - start)
        click.echo(plain(f"{target}: {report.frames} frames, {speed:.1f} frames/s"), err=True)
    if report.lost:
        raise PartialError(f"{source}: {'; '.join(report.lost)}; the rest is in {target}")
