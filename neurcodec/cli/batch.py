"""`ncodec batch`: many files at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

import neurcodec
from neurcodec.cli import _coding, _common
from neurcodec.cli._common import Command
from neurcodec.cli._help import GroupedCommand, examples

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
@click.option(
    "--delete-source",
    is_flag=True,
    help="Remove each source when all of its output decodes: what is left is the smaller, lossy copy.",
)
@_coding.encoding
@_common.quiet
def encode(inputs: tuple[str, ...], output_dir: Path, jobs: int, as_json: bool, quiet: bool, **choices: Any) -> int:
    """Code every video of INPUTS as an .nvc file below DIR."""
    delete_source = choices.pop("delete_source")
    arguments = _coding.encode_arguments(choices) | {"delete_source": delete_source}
    return _run(partial(neurcodec.encode_batch, inputs, output_dir, jobs=jobs, **arguments), as_json, quiet)


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
@_common.quiet
def decode(
    inputs: tuple[str, ...], output_dir: Path, jobs: int, as_json: bool, quiet: bool, suffix: str, **choices: Any
) -> int:
    """Turn every .nvc file of INPUTS back into a video below DIR."""
    arguments = _coding.decode_arguments(choices) | {"suffix": f".{suffix}"}
    return _run(partial(neurcodec.decode_batch, inputs, output_dir, jobs=jobs, **arguments), as_json, quiet)


def _run(batch: Callable[..., neurcodec.BatchReport], as_json: bool, quiet: bool) -> int:
    """Do a batch, show how it goes, and return the exit code."""
    if as_json:
        report = batch(report=_json)
        _json({"event": "end"} | asdict(report))
        return report.exit_code
    from neurcodec.cli._board import Board

    board = Board(quiet)
    try:
        report = batch(report=board)
    except KeyboardInterrupt:
        board.close(interrupted=True)
        raise
    board.close()
    return report.exit_code


def _json(event: dict[str, Any]) -> None:
    click.echo(json.dumps(event))
