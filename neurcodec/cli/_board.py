"""What `ncodec batch` shows: a line for every file that has ended, how far all are, and at the end what failed."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from neurcodec.cli._progress import Line, Pace
from neurcodec.cli._text import plain
from neurcodec.jobs.batch_plan import counted

_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{left}{postfix}"
_NARROW = "{percentage:.0f}% {left} left, {desc}"
_ENDLESS = "{desc} {elapsed}"


class Board:
    """Is called with the events of a batch (docs/batch.md). `quiet`: only failures are said."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._pace = Pace(None)
        self._line: Line | None = None
        self._plan: dict[str, Any] = {}
        self._ends: Counter[str] = Counter()
        self._sizes: dict[int, int] = {}  # of the files that have begun
        self._shares: dict[int, float] = {}  # how much of each is done, 0 to 1
        self._before = self._after = self._others = 0
        self._failures: list[str] = []

    def __call__(self, event: dict[str, Any]) -> None:
        """Show an event."""
        kind = event["event"]
        if kind == "plan":
            self._plan = event
            self._pace = Pace(event["bytes"])
            if sys.stderr.isatty() and not self._quiet:
                self._line = Line(self._pace, _BAR, _NARROW, _ENDLESS)
            return
        if event["job"] not in self._sizes:
            self._sizes[event["job"]] = _size(event["file"])
        if kind == "warning":
            self._say(f"warning  {event['file']}: {event['warning']}")
        elif kind == "progress":
            if event["total"] and not event["stage"]:  # else it is not known how much is left
                self._shares[event["job"]] = min(event["frames"] / event["total"], 1.0)
        elif kind in ("done", "skipped", "error"):
            self._ends[kind] += 1
            self._shares[event["job"]] = 1.0
            if kind == "skipped":  # it takes no time
                self._pace.total = (self._pace.total or 0) - self._sizes[event["job"]]
                self._sizes[event["job"]] = 0
            self._end(kind, event)
        self._show()

    def close(self, interrupted: bool = False) -> None:
        """The last lines: how many files ended how, what it came to, and the failures."""
        if self._line is not None:
            self._line.close()
        text = f"{self._ends['done']} done, {self._ends['skipped']} skipped, {self._ends['error']} failed"
        if interrupted:
            text = f"interrupted: {text}, {self._plan.get('jobs', 0) - self._ends.total()} to do"
        if passed := self._plan.get("passed_over"):
            text += f", {sum(passed.values())} passed over ({counted(passed)})"
        if self._before:
            text += f"; {_became(self._before, self._after)}"
        lines = [text]
        if self._others:
            lines.append(f"{self._others} of the skipped were made with other settings; -f does them again")
        if interrupted:
            lines.append("the same command goes on from here")
        for line in [] if self._quiet else lines:
            click.echo(plain(line), err=True)
        for failure in self._failures:
            click.echo(plain(f"error    {failure}"), err=True)

    def _end(self, kind: str, event: dict[str, Any]) -> None:
        """A line for a file that has ended."""
        place = f"{self._ends.total()}/{self._plan['jobs']}"
        if kind == "done":
            self._before, self._after = self._before + event["source_bytes"], self._after + event["bytes"]
            figures = f"{_became(event['source_bytes'], event['bytes'])}, {event['fps']} frames/s"
            gone = ", source deleted" if event["source_deleted"] else ""
            self._say(f"done     {place}  {event['file']}: {event['frames']} frames, {figures}{gone}")
        elif kind == "skipped":
            differs = ", ".join(event["differs"])
            self._others += bool(differs)
            self._say(f"skipped  {place}  {event['file']}: is done{f', but with {differs}' if differs else ''}")
        else:
            self._failures.append(event["error"])
            self._say(f"error    {place}  {event['error']}")

    def _say(self, text: str) -> None:
        if not self._quiet:
            tqdm.write(plain(text), file=sys.stdout)
            sys.stdout.flush()

    def _show(self) -> None:
        """Bring the bar up to date."""
        if self._line is None:
            return
        failed = f", {self._ends['error']} failed" if self._ends["error"] else ""
        number = min(self._ends.total() + 1, self._plan["jobs"])
        self._line.set_description_str(f"file {number} of {self._plan['jobs']}{failed}", refresh=False)
        if self._before:
            self._line.set_postfix_str(_became(self._before, self._after), refresh=False)
        self._pace.move(sum(size * self._shares.get(job, 0.0) for job, size in self._sizes.items()))
        self._line.follow()
        self._line.refresh()


def _size(file: str) -> int:
    """Bytes of a file; 0 where it is not there any more."""
    path = Path(file)
    return path.stat().st_size if path.exists() else 0


def _became(before: int, after: int) -> str:
    """What sizes came to."""
    sizes = f"{tqdm.format_sizeof(before)}B became {tqdm.format_sizeof(after)}B"
    return f"{sizes} ({1 - after / before:.1%} saved)" if after < before else sizes
