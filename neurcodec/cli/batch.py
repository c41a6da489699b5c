"""`ncodec batch`: many files at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

import neurcodec
from neurcodec.cli import _coding
from neurcodec.cli._common import Command
from neurcodec.cli._help import GroupedCommand, examples
from neurcodec.cli._text import plain

_OPTIONS = (
    click.option(
        "--output-dir",
        required=True,
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where the results go; folders are mirrored below it.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1, 256),
        default=1,
        show_default=True,
        metavar="N",
        help="Files at a time, each in a process that loads the model once.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on standard output (docs/batch.md)."),
)


@click.group(name="batch")
def command() -> None:
    """Encode or decode many files, folders and globs.

    Goes on after errors; what is already done and whole is skipped (-f does it again). The exit code is the highest of
    all files' codes, 0 when all are done.
    """


def _batch(function: Command) -> Command:
    for option in reversed((click.argument("inputs", nargs=-1, required=True), *_OPTIONS)):
        function = option(function)
    return function


@command.command(
    cls=GroupedCommand,
    epilog=examples(
        "ncodec batch encode clips/ --output-dir coded --jobs 2",
        "ncodec batch encode 'films/**/*.mov' --output-dir coded --target-kbps 60",
        "ncodec batch encode clips/ --output-dir coded --json | jq -r .event",
    ),
)
@_batch
@_coding.encoding
def encode(inputs: tuple[str, ...], output_dir: Path, jobs: int, as_json: bool, **choices: Any) -> int:
    """Code every video of INPUTS as an .nvc file below DIR."""
    arguments = _coding.encode_arguments(choices)
    return _say(neurcodec.encode_batch(inputs, output_dir, jobs=jobs, report=_shown(as_json), **arguments), as_json)


@command.command(cls=GroupedCommand, epilog=examples("ncodec batch decode coded --output-dir watch --suffix mkv"))
@_batch
@click.option(
    "--suffix",
    type=click.Choice(["mp4", "mkv", "mov", "webm", "y4m"]),
    default="mp4",
    show_default=True,
    help="Format of the results.",
)
@_coding.decoding
def decode(inputs: tuple[str, ...], output_dir: Path, jobs: int, as_json: bool, suffix: str, **choices: Any) -> int:
    """Turn every .nvc file of INPUTS back into a video below DIR."""
    arguments = _coding.decode_arguments(choices) | {"suffix": f".{suffix}"}
    return _say(neurcodec.decode_batch(inputs, output_dir, jobs=jobs, report=_shown(as_json), **arguments), as_json)


def _shown(as_json: bool) -> Callable[[dict[str, Any]], None]:
    return _json if as_json else _line


def _say(report: neurcodec.BatchReport, as_json: bool) -> int:
    """The last line, and the exit code."""
    if as_json:
        _json({"event": "end"} | asdict(report))
    else:
        click.echo(f"{report.done} done, {report.skipped} skipped, {report.error} error", err=True)
    return report.exit_code


def _json(event: dict[str, Any]) -> None:
    click.echo(json.dumps(event))


def _line(event: dict[str, Any]) -> None:
    """A line of the summary table for a job that has ended, and for a warning."""
    kind, file = event["event"], event["file"]
    if kind == "done":
        figures = f"{event['frames']:>7} frames {event['bytes']:>12,} bytes {event['fps']:>7} frames/s"
        click.echo(plain(f"done     {figures}  {file}"))
    elif kind == "skipped":
        click.echo(plain(f"skipped  {'':>51}  {file}"))
    elif kind == "warning":
        click.echo(plain(f"warning  {file}: {event['warning']}"))
    elif kind == "error":
        click.echo(plain(f"error    {event['error']}"))
