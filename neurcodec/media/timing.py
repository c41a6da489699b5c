"""Repair of timestamps: what comes out is strictly increasing, and what was right stays as it was."""

from __future__ import annotations

from fractions import Fraction

FALLBACK_RATE = Fraction(25)


def nominal_step(time_base: Fraction, rate: Fraction) -> int:
    """Return one frame's duration in time base units at `rate` frames/s (0 = unknown: 25 is taken), at least 1."""
    return max(1, round(1 / ((rate or FALLBACK_RATE) * time_base)))


class Timeline:
    """Places frames in display order on an integer time axis.

    A missing timestamp, or one not above its predecessor's, becomes the predecessor's plus that frame's duration.
    """

    def __init__(self, step: int) -> None:
        """Start with `step` as the duration of frames that state none."""
        self.missing = 0
        self.backward = 0
        self._step = step
        self._last: int | None = None

    def place(self, pts: int | None, duration: int) -> int:
        """Return the timestamp of the next frame; `duration` is 0 when the file does not state it."""
        if self._last is None:
            placed = 0 if pts is None else pts
            self.missing += pts is None
        elif pts is None or pts <= self._last:
            placed = self._last + self._step
            self.missing += pts is None
            self.backward += pts is not None
        else:
            placed = pts
        if duration > 0:
            self._step = duration
        self._last = placed
        return placed

    @property
    def step(self) -> int:
        """The duration to use for the last frame."""
        return self._step

    def warnings(self) -> list[str]:
        """Return what was repaired, one line each."""
        lines = []
        if self.missing:
            lines.append(f"{self.missing} frame timestamps were missing and have been filled in at the frame rate")
        if self.backward:
            lines.append(f"{self.backward} frame timestamps did not advance and have been moved on")
        return lines
