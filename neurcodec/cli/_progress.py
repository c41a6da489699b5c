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

WIDE = 70
"""Columns from which on there is room for the bar itself."""
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{left}, {rate_noinv_fmt}{postfix}]"
_NARROW = "{percentage:.0f}% {rate_noinv_fmt} {left} left, {desc}"
_ENDLESS = "{desc}: {n_fmt} [{elapsed}, {rate_noinv_fmt}{postfix}]"
_LOG_PAUSE = 30.0  # seconds between lines
_KNOWN = 0.05  # the share of a job from which on its end is foreseen


class Pace:
    """How fast something goes, and how long it will take.

    The rate counts from when nothing was done for the last time: loading takes no part in it. The time that is left is
    counted down until more is done, so that it does not jump where much comes at once.
    """

    def __init__(self, total: float | None) -> None:
        self.total = total
        self.done = 0.0
        self.rate: float | None = None
        """Of what is done, per second."""
        self._begun = self._moved = time.monotonic()

    def move(self, done: float) -> None:
        """So much is done now."""
        now = time.monotonic()
        if done <= 0:
            self._begun = now
        elif done != self.done:
            self.rate, self._moved = done / max(now - self._begun, 1e-3), now
        self.done = done

    @property
    def left(self) -> str:
        """The time that is left, or a question mark."""
        if not self.rate or not self.total or self.done < _KNOWN * self.total:
            return "?"
        left: str = tqdm.format_interval(
            max(0.0, (self.total - self.done) / self.rate - (time.monotonic() - self._moved))
        )
        return left


class Line(tqdm):
    """A bar on standard error that shows a pace, and whose clock goes on by itself.

    Formats: `bar`, `narrow` where columns are few, `endless` where the total is not known; besides the fields of tqdm
    they may have `left`.
    """

    def __init__(self, pace: Pace, bar: str, narrow: str, endless: str, **options: Any) -> None:
        self._pace, self._formats, self._ended = pace, (bar, narrow, endless), threading.Event()
        super().__init__(total=pace.total, file=sys.stderr, mininterval=0.5, dynamic_ncols=True, leave=False, **options)
        if not self.disable:
            threading.Thread(target=self._tick, name="ncodec-clock", daemon=True).start()

    def follow(self) -> None:
        """Draw what the pace says, when it is time to draw."""
        self.total = self._pace.total
        self.update(self._pace.done - self.n)

    def close(self) -> None:
        """Remove the bar."""
        self._ended.set()
        super().close()

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the bar is made of."""
        facts: dict[str, Any] = super().format_dict
        bar, narrow, endless = self._formats
        few = (facts["ncols"] or WIDE) < WIDE
        chosen = endless if not self.total else narrow if few else bar
        return facts | {"rate": self._pace.rate, "left": self._pace.left, "bar_format": chosen}

    def _tick(self) -> None:
        while not self._ended.wait(1):
            self.refresh()


class Bar:
    """Shows the progress of one file: frames of all, the stage, frames a second, time left, kbps so far.

    A context manager. `quiet` shows nothing. Where standard error is no terminal it gets a line every `pause` seconds.
    """

    def __init__(self, label: str, quiet: bool, pause: float = _LOG_PAUSE) -> None:
        self._label, self._quiet, self._pause = label, quiet, pause
        self._terminal = sys.stderr.isatty()
        self._said = time.monotonic()
        self._title = self._label
        self._pace = Pace(None)
        self._line: Line | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.close()

    def __call__(self, progress: Progress) -> None:
        """Show where the job stands."""
        if self._quiet:
            return
        title = f"{self._label}, {progress.stage}" if progress.stage else self._label
        if title != self._title:
            self._title, self._pace = title, Pace(progress.total)
            self.__exit__()
            self._line = None
        self._pace.total = progress.total
        self._pace.move(progress.frames)
        if self._terminal:
            self._draw(progress)
        elif time.monotonic() - self._said >= self._pause:
            self._said = time.monotonic()
            self._log()

    def _draw(self, progress: Progress) -> None:
        if self._line is None:
            self._line = Line(self._pace, _BAR, _NARROW, _ENDLESS, desc=self._title, unit=" frames")
        if progress.bytes and progress.seconds:
            kbps = progress.bytes * 8 / 1000 / progress.seconds
            self._line.set_postfix_str(f"{kbps:.1f} kbps", refresh=False)
        self._line.follow()

    def _log(self) -> None:
        pace = self._pace
        text = f"{self._title}: {pace.done}{f' of {pace.total}' if pace.total else ''} frames"
        if pace.rate:
            text += f", {pace.rate:.1f} frames/s, {pace.left} left"
        click.echo(plain(f"ncodec: {text}"), err=True)
