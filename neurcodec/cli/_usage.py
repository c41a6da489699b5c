"""Wrong usage in one line: what is wrong, what was probably meant, and where the help is."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

_HINTS = (
    (("-i", "--input"), "", "inputs are named without it"),
    (("-o", "--output"), "output_dir", "--output-dir names the folder of the results"),
    (("-o", "--output"), "", "the output is named without it, behind the input"),
    (("-y", "--overwrite"), "force", "-f overwrites the output"),
    (("--crf", "--cq", "--quantizer", "-c"), "quality", "-q chooses the quality, from 0 (smallest) to 63"),
    (("-c", "--vcodec", "--encoder"), "video_codec", "--video-codec chooses the output's encoder, --crf its quality"),
    (("-b", "--bitrate", "--vb"), "target_kbps", "--target-kbps chooses the rate"),
    (("-s", "--ss", "-t", "--to"), "start", "--start and --end choose a part"),
    (("-a", "--an"), "no_audio", "--no-audio leaves out sound"),
)
"""Options of FFmpeg and HandBrake, the option of ours that a command must have, and what to do."""


def one_line(error: click.ClickException) -> str:
    """What is wrong, with a hint where one is known, and the usage or the place of the help."""
    known = isinstance(error, click.NoSuchCommand | click.NoSuchOption)
    text = " ".join((error.message if known else error.format_message()).split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return text
    if isinstance(error, click.NoSuchOption):
        text += _about_option(error, context)
    if isinstance(error, click.NoSuchCommand):
        text += _about_command(error.command_name, context)
    if isinstance(error, click.MissingParameter):
        usage = " ".join(context.get_usage().split()).removeprefix("Usage: ")
        return f"{text}; usage: `{usage}`"
    return f"{text}; see `{context.command_path} --help`"


def _about_option(error: click.NoSuchOption, context: click.Context) -> str:
    if context.parent is None:
        return ": a command comes first, as in `ncodec encode IN OUT`"
    own = {parameter.name for parameter in context.command.params}
    for typed, needed, hint in _HINTS:
        if error.option_name in typed and (not needed or needed in own):
            return f": {hint}"
    return _near(error.possibilities or [])


def _about_command(name: str, context: click.Context) -> str:
    assert isinstance(context.command, click.Group)
    if context.parent is None and Path(name).exists():
        coded, folder = Path(name).suffix == ".nvc", Path(name).is_dir()
        job = "decode" if coded else "batch encode" if folder else "encode"
        return f": a command comes first, as in `ncodec {job} {name} ...`"
    return _near(get_close_matches(name, context.command.list_commands(context)))


def _near(names: list[str]) -> str:
    """What was probably meant."""
    return f" (did you mean {' or '.join(names)}?)" if names else ""
