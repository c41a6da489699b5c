"""`ncodec play`: an .nvc file in a video player."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

from neurcodec.cli import _common
from neurcodec.cli._text import plain
from neurcodec.errors import DependencyError

_PLAYERS = {
    "mpv": ["--cache=yes", "--cache-secs=60", "-"],
    "ffplay": ["-autoexit", "-loglevel", "error", "-i", "-"],
}
_STATUS = {"mpv": ["--msg-level=all=error,statusline=status"], "ffplay": ["-stats"]}
"""What has a player show where it is."""
_QUIET = {"mpv": ["--really-quiet"], "ffplay": ["-nostats"]}


@click.command(name="play")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--start", metavar="T", help="Begin at this time: seconds or [H:]M:S.")
@click.option("--no-diffusion", is_flag=True, help="Show the coarse picture, where the whole is too slow.")
@click.option("--model", metavar="NAME|DIR", help="The networks' weights.  [default: the one that FILE names]")
@_common.device
@_common.threads
@_common.quiet
def command(
    file: Path, start: str | None, no_diffusion: bool, model: str | None, device: str, threads: int | None, quiet: bool
) -> int:
    """Show the .nvc FILE in mpv or ffplay, whichever is installed; decoding runs ahead of the picture.

    The player shows where it is.
    """
    player = next((name for name in _PLAYERS if shutil.which(name)), None)
    if player is None:
        raise DependencyError("neither mpv nor ffplay is installed; install one, or use `ncodec decode`")
    choices = {"--start": start, "--model": model, "--device": device, "--threads": threads}
    options = [str(part) for name, value in choices.items() if value is not None for part in (name, value)]
    decode = [sys.executable, "-m", "neurcodec", "decode", str(file), "-", "--quiet", *options]
    if no_diffusion or (model is None and not _restorable(file, quiet)):
        decode.append("--no-diffusion")
    with subprocess.Popen(decode, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as decoder:
        said = (_QUIET if quiet else _STATUS)[player]
        shown = subprocess.run([player, *said, *_PLAYERS[player]], stdin=decoder.stdout, check=False)
        if decoder.stdout is not None:
            decoder.stdout.close()
        message = decoder.stderr.read().decode() if decoder.stderr is not None else ""
    if decoder.returncode and "Broken pipe" not in message:  # else the player was closed before the end
        click.echo(message, err=True, nl=False)
        return decoder.returncode
    return 1 if shown.returncode else 0


def _restorable(file: Path, quiet: bool) -> bool:
    """Is the file's generator here? Else says so, unless `quiet`, where the file can be shown without."""
    from neurcodec import api
    from neurcodec.files import models

    facts = api.info(file)
    here = any(known.weights_hash.hex() == facts["weights_hash"] for known in models.available())
    if not here and facts["profile"] == "layered":
        text = f"{plain(str(file))}: model {plain(facts['model'])!r} is not installed; the coarse picture is shown"
        if not quiet:
            click.echo(text, err=True)
        return False
    return True
