"""What the commands share: options, log lines."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from neurcodec.cli._text import plain
from neurcodec.jobs.options import EncodeOptions

Command = TypeVar("Command", bound=Callable[..., Any])


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for others, and for nan and inf."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


force = click.option("-f", "--force", is_flag=True, help="Overwrite the output.")
quiet = click.option("--quiet", is_flag=True, help="No progress, summary or warnings.")
verbose = click.option("-v", "--verbose", is_flag=True, help="Say more: one line per chunk.")
device = click.option(
    "--device",
    default=EncodeOptions.device,
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Where the networks run.",
)
workers = click.option(
    "--workers",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Processes that work on chunks side by side; each holds the model and a few chunks.  [default: 1]",
)
threads = click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads.  [default: all cores]")
no_limits = click.option(
    "--no-limits", is_flag=True, help="Lift the limits on sizes, counts and durations: for files that you trust."
)
no_audio = click.option("--no-audio", is_flag=True, help="Leave out sound, subtitles and attachments.")


class _Lines(logging.Handler):
    """Prints the package's log records as lines on standard error, above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        tqdm.write(f"ncodec: {prefix}{plain(record.getMessage())}", file=sys.stderr)


def set_up_logging(quiet: bool, verbose: bool) -> None:
    """Show warnings, with `verbose` also what is done, with `quiet` nothing."""
    logger = logging.getLogger("neurcodec")
    logger.handlers = [_Lines()]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
