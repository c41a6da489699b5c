"""Where a job stands: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import click
from tqdm import tqdm

from neurcodec.cli._text import plain
from neurcodec.jobs.options import Progress

_WIDE = 70  # columns from which on there is room for the bar itself
_NARROW = "{desc} {percentage:.0f}% {rate_noinv_fmt} {remaining}"
_LOG_PAUSE = 30.0  # seconds between lines


class Line(tqdm):
    """A bar on standard error whose clock goes on by itself. narrow: its format where columns are few."""

    def __init__(self, narrow: str, **options: Any) -> None:
        self._narrow = narrow
        super().__init__(file=sys.stderr, mininterval=0.5, smoothing=0, dynamic_ncols=True, leave=False, **options)
        self._ended = threading.Event()
        if not self.disable:
            threading.Thread(target=self._tick, name="ncodec-clock", daemon=True).start()

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the bar is made of."""
        facts: dict[str, Any] = super().format_dict
        if facts["total"] and (facts["ncols"] or _WIDE) < _WIDE:
            facts["bar_format"] = self._narrow
        return facts

    def close(self) -> None:
        """Remove the bar."""
        self._ended.set()
        super().close()

    def _tick(self) -> None:
        while not self._ended.wait(1):
            self.refresh()


class Bar:
    """Shows the progress of one file: frames of all, the stage, frames a second, time left, kbps so far.

    A context manager. `quiet` shows nothing. Where standard error is no terminal it gets a line every `pause` seconds.
    """

    def __init__(self, label: str, quiet: bool, pause: float = _LOG_PAUSE) -> None:
        self._label, self._pause, self._stage = label, pause, ""
        self._logging = not (quiet or sys.stderr.isatty())
        self._begun = self._said = time.monotonic()
        self._line = Line(_NARROW, desc=label, unit=" frames", disable=quiet or self._logging)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def __call__(self, progress: Progress) -> None:
        """Show where the job stands."""
        if progress.stage != self._stage:
            self._stage, self._begun = progress.stage, time.monotonic()
            self._line.set_description_str(self._title, refresh=False)
            self._line.reset(progress.total)
        if self._logging:
            self._log(progress)
            return
        if self._line.total != progress.total:
            self._line.total = progress.total
            self._line.refresh()
        if progress.bytes and progress.seconds:
            self._line.set_postfix_str(f"{progress.bytes * 8 / 1000 / progress.seconds:.1f} kbps", refresh=False)
        self._line.update(progress.frames - self._line.n)

    @property
    def _title(self) -> str:
        return f"{self._label}, {self._stage}" if self._stage else self._label

    def _log(self, progress: Progress) -> None:
        """Say it in a line, where some time has gone by."""
        now = time.monotonic()
        if now - self._said < self._pause:
            return
        self._said = now
        rate = progress.frames / (now - self._begun)
        frames = f"{progress.frames} of {progress.total}" if progress.total else str(progress.frames)
        text = f"{self._title}: {frames} frames, {rate:.1f} frames/s"
        if progress.total and rate:
            text += f", {tqdm.format_interval(max(0, progress.total - progress.frames) / rate)} left"
        click.echo(plain(f"ncodec: {text}"), err=True)
