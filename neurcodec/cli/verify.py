"""`ncodec verify`: is an .nvc file whole?"""

from __future__ import annotations

from pathlib import Path

import click

from neurcodec.cli import _common


@click.command(name="verify")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--quick", is_flag=True, help="Structure, CRCs and limits only; needs no model.")
@click.option("--model", metavar="NAME|DIR", help="The networks' weights.  [default: the one that FILE names]")
@_common.no_limits
@_common.quiet
def command(file: Path, quick: bool, model: str | None, no_limits: bool, quiet: bool) -> None:
    """Check an .nvc file: every rule of the format, and that all latents decode to what was encoded.

    FILE may be "-" for standard input. The exit code is 0 when it is whole; see `ncodec --help` for the others.
    """
    import neurcodec
    from neurcodec.cli._progress import Bar
    from neurcodec.files.pipes import name

    _common.set_up_logging(quiet, verbose=False)
    with Bar("verify", quiet) as bar:
        report = neurcodec.verify(file, quick=quick, model=model, limits=not no_limits, progress=bar)
    if not quiet:
        what = "all latents decode to what was encoded" if report.latents else "the structure is right"
        click.echo(f"{name(file)}: whole; {report.frames} frames in {report.chunks} chunks, {what}")
