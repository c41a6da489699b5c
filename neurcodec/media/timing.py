"""The room for time: where timestamps are shifted, repaired, filled in and cut, for pictures and copied packets alike.

A `Clock` moves the times of all packets, in the order of the file: it starts near zero, joins what was cut together,
and leaves out what is marked as cut away. Pictures come out of the decoder later and in another order; a `Timeline`
then gives every one of them a time of its own. docs/media.md lists the rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median
from typing import Generic, TypeVar

from neurcodec.container.values import Packet

FALLBACK_RATE = Fraction(25)
_LATEST_START = Fraction(1)  # seconds; a later start is the clock of a recording, not a pause before the picture
_PRIMING = Fraction(1, 4)  # seconds before zero that may only warm a sound decoder up
_BACK = Fraction(1, 10)  # seconds that times may go back within one recording
_BACK_STILL = Fraction(1)  # where the format's clock does not jump
_OVERLAP = Fraction(1, 50)  # seconds that sound may overlap where recordings are joined
_BEHIND = Fraction(2)  # seconds that sound may come later in a file than its picture
_FUTURE = Fraction(10)  # seconds without a packet of a track, in formats whose clock may jump
_KNOWN = 16  # recordings whose clock is remembered
_LARGEST = (1 << 62) - 1  # of a time that files can hold

Item = TypeVar("Item")


def nominal_step(time_base: Fraction, rate: Fraction) -> int:
    """Return one frame's duration in time base units at `rate` frames/s (0 = unknown: 25 is taken), at least 1."""
    return max(1, round(1 / ((rate or FALLBACK_RATE) * time_base)))


def frame_rate(stated: Sequence[Fraction], gaps: Sequence[int], time_base: Fraction) -> Fraction:
    """Return the rate that the first pictures bear out; 0 when nothing is known.

    stated: rates that the file gives, the likeliest first, 0 = not given. gaps: times between the first pictures, in
    time base units. Where they are even, the rate is a stated one that fits them, else their own; where they vary, it
    is the stated one that lies among them.
    """
    given = [rate for rate in stated if rate]
    steps = [1 / (rate * time_base) for rate in given]
    if not gaps:
        return given[0] if given else Fraction(0)
    for rate, step in zip(given, steps, strict=True):
        if all(abs(step - gap) <= 1 for gap in gaps):
            return rate
    if max(gaps) - min(gaps) > 1:
        inside = [rate for rate, step in zip(given, steps, strict=True) if min(gaps) / 2 <= step <= 2 * max(gaps)]
        return inside[-1] if inside else _usual(1, median(gaps), time_base)
    return _usual(len(gaps), sum(gaps), time_base)


def _usual(pictures: int, ticks: float, time_base: Fraction) -> Fraction:
    """The rate of so many pictures in so many ticks, a whole number or 1000/1001 of one where that is within a tick."""
    rate = pictures / (Fraction(ticks) * time_base)
    usual = [one for one in (Fraction(round(rate)), Fraction(round(rate * 1001 / 1000) * 1000, 1001)) if one]
    distances = {abs(pictures / (one * time_base) - Fraction(ticks)): one for one in usual}
    nearest = min(distances, default=Fraction(2))
    return distances[nearest] if nearest <= 1 else rate.limit_denominator(1001)


def origin(first_picture: Fraction | None, first_sounds: Iterable[Fraction | None]) -> Fraction:
    """Return the time of the source, in seconds, that becomes 0; None = not stated.

    It is 0 itself where the earliest track starts within a second, its picture not before 0.
    """
    known = [time for time in (first_picture, *first_sounds) if time is not None]
    start = min(known, default=Fraction(0))
    below = (first_picture or 0) < 0
    return start if below or not -_PRIMING <= start <= _LATEST_START else Fraction(0)


@dataclass
class _Track:
    """Where a track stands, in seconds: its last packet, the end of what was shown, a packet's duration, its start."""

    time_base: Fraction
    kind: str
    offset: Fraction
    decoded: Fraction | None = None
    shown: Fraction = Fraction(0)
    step: Fraction = Fraction(0)
    first: Fraction = Fraction(0)  # of this recording, in the source's time
    last: int | None = None  # the last dts that was given out, in units of the time base


class Clock:
    """The one clock of all tracks. Pictures and sound lead it; tracks with rare packets, as subtitles, follow.

    Where a track's times go back, or `jumping` ones go far ahead, another recording begins. All its tracks move by the
    same, so that sound stays with the picture, and so far that none overlaps, if they begin as those of the recording
    before did. A track that comes a little later in the file still has the old clock until it jumps too.
    """

    def __init__(self, start: Fraction, jumping: bool) -> None:
        """Take the source's time that becomes 0, in seconds, and whether the format's clock may jump ahead."""
        self._start = start
        self._jumping = jumping
        self._back = _BACK if jumping else _BACK_STILL
        self._offsets = deque([-start], maxlen=_KNOWN)  # of the last recordings, the newest last
        self._jumps = 0
        self._tracks: dict[int, _Track] = {}
        self._primed: dict[int, Packet | None] = {}  # for a track without a packet yet, what is marked as cut away
        self._marked = self._overlapping = 0

    def add(self, number: int, time_base: Fraction, kind: str) -> None:
        """Make a track known; kind is "video", "audio" or another of FFmpeg's."""
        self._tracks[number] = _Track(time_base, kind, self._offsets[0])
        self._primed[number] = None

    def shown(self, time: int, time_base: Fraction) -> int:
        """Return a time of the source, as of a chapter, on this clock; not below 0."""
        return max(0, time - round(self._start / time_base))

    def move(self, number: int, pts: int | None, dts: int | None, duration: int) -> tuple[int | None, int | None]:
        """Return pts and dts of a track's next packet on this clock; of sound, missing ones are filled in."""
        track = self._tracks[number]
        if pts is None and dts is None and track.kind == "audio" and track.decoded is not None:
            pts = dts = round((track.shown - track.offset) / track.time_base)
        if track.kind not in ("video", "audio"):
            track.offset = self._offsets[-1]
        elif dts is not None:  # pts alone may come in any order
            self._follow(track, dts * track.time_base, (dts if pts is None else pts) * track.time_base, duration)
        shift = round(track.offset / track.time_base)
        return _shifted(pts, shift), _shifted(dts, shift)

    def copied(self, number: int, packet: Packet) -> Iterator[Packet]:
        """Give a copied packet at its time on this clock, dts never falling, or nothing where it is left out.

        Of packets that are marked as cut away the last one before the first that is kept stays: decoders start with it.
        """
        pts, dts = self.move(number, packet.pts, packet.dts, packet.duration)
        moved = replace(packet, pts=pts, dts=dts)
        if packet.discard:
            self._marked += 1
            if number in self._primed:
                self._primed[number] = moved
            return
        primed = self._primed.pop(number, None)
        if primed is not None:
            self._marked -= 1
            yield from self._rising(self._tracks[number], primed)
        yield from self._rising(self._tracks[number], moved)

    def _rising(self, track: _Track, packet: Packet) -> Iterator[Packet]:
        if packet.dts is None:
            yield packet
            return
        last = packet.dts if track.last is None else track.last
        if track.kind == "audio" and (last - packet.dts) * track.time_base > _OVERLAP:
            self._overlapping += 1
            return
        track.last = dts = max(last, packet.dts)
        yield replace(packet, dts=dts, pts=packet.pts if packet.pts is None else max(packet.pts, dts))

    def _follow(self, track: _Track, decoded: Fraction, shown: Fraction, duration: int) -> None:
        """Take a packet's times of decoding and of display, in the source's seconds, and find the track's offset."""
        offset = self._offsets[-1] if track.decoded is None else self._fitting(track, decoded, track.decoded)
        if offset is None:
            tracks = [other for other in self._tracks.values() if other.decoded is not None]
            offset = max(other.shown + track.first - other.first for other in tracks) - shown
            self._offsets.append(offset)
            self._jumps += 1
        if track.decoded is None or offset != track.offset:
            track.first = shown
        track.step = duration * track.time_base or max(
            track.step, decoded + offset - (track.decoded or decoded + offset)
        )
        track.offset, track.decoded = offset, decoded + offset
        track.shown = max(track.shown, shown + offset + track.step)

    def _fitting(self, track: _Track, time: Fraction, last: Fraction) -> Fraction | None:
        """The known offset with which a packet at `time` follows the last, or is beside one of another track."""

        def fits(offset: Fraction) -> bool:
            here = time + offset
            if here - last > -self._back and (here - last < _FUTURE or not self._jumping):
                return True
            others = [other for other in self._tracks.values() if other is not track and other.offset == offset]
            return any(other.decoded is not None and abs(here - other.decoded) < _BACK for other in others)

        near = [offset for offset in (track.offset, self._offsets[-1]) if fits(offset)]
        if near:
            return min(near, key=lambda offset: abs(time + offset - last - track.step))
        return next(filter(fits, reversed(self._offsets)), None)

    def warnings(self) -> list[str]:
        """Return what was shifted, joined or left out, one line each."""
        lines = []
        if self._start:
            lines.append(f"the clock of the source starts at {float(self._start):.3f} s; here it starts at 0")
        if self._jumps:
            times = "once" if self._jumps == 1 else f"{self._jumps} times"
            lines.append(f"the clock of the source jumps {times}; what follows goes on where it had come to")
        if self._overlapping:
            lines.append(f"{self._overlapping} packets overlap others where the clock jumps, and are left out")
        if self._marked:
            lines.append(f"{self._marked} packets that the source marks as cut away are left out")
        return lines


def _shifted(time: int | None, shift: int) -> int | None:
    """The time on the clock; None where there is none, or one that nothing could hold."""
    return None if time is None or abs(time + shift) > _LARGEST else time + shift


class Timeline(Generic[Item]):
    """Gives the pictures of a video, which come in order of display, times that rise.

    A time that is missing, or not above the one before, follows at the frame rate, or closer where the next right one
    comes sooner; pictures wait for that one, `room` at most. Times that are right stay.
    """

    def __init__(self, step: int, room: int) -> None:
        """Take the duration of a picture that states none, in time base units, and how many pictures may wait."""
        self._step, self._room = step, room
        self._last: int | None = None
        self._waiting: list[tuple[Item, int]] = []
        self._missing = self._standing = 0

    @property
    def step(self) -> int:
        """The duration of a last picture that states none."""
        return self._step

    def place(self, item: Item, pts: int | None, duration: int) -> Iterator[tuple[Item, int]]:
        """Take the next picture (pts None and duration 0 = not stated); give those whose time is now known."""
        if pts is None or (self._last is not None and pts <= self._last):
            self._missing += pts is None
            self._standing += pts is not None
            self._waiting.append((item, duration))
            if len(self._waiting) >= self._room:
                yield from self.rest()
            return
        count = len(self._waiting)
        if self._last is None:
            lengths = [length or self._step for _, length in self._waiting]
            times = [pts - sum(lengths[number:]) for number in range(count)]
        else:
            pts = max(pts, self._last + count + 1)
            gap = min(Fraction(self._step), Fraction(pts - self._last, count + 1))
            times = [self._last + int(gap * number) for number in range(1, count + 1)]
        yield from zip((waiting for waiting, _ in self._waiting), times, strict=True)
        self._waiting.clear()
        self._last, self._step = pts, duration or self._step
        yield item, pts

    def rest(self) -> Iterator[tuple[Item, int]]:
        """Give the pictures that still wait, one after the other at the frame rate."""
        for item, duration in self._waiting:
            self._last = 0 if self._last is None else self._last + self._step
            self._step = duration or self._step
            yield item, self._last
        self._waiting.clear()

    def warnings(self) -> list[str]:
        """Return what was repaired, one line each."""
        lines = []
        if self._missing:
            lines.append(f"{self._missing} frame timestamps were missing and have been filled in")
        if self._standing:
            lines.append(f"{self._standing} frame timestamps did not advance and lie between their neighbours now")
        return lines


class Cut:
    """The part of a video between two times, which starts at 0; by default all of it, as it is."""

    def __init__(self, time_base: Fraction = Fraction(1), start: int | None = None, end: int | None = None) -> None:
        """Take the first time that is wanted and the one from which on nothing is, in units of the time base."""
        self._time_base, self.start, self._end = time_base, start, end

    def picture(self, pts: int) -> int | None:
        """Return a picture's time in the part; None where it lies outside."""
        if self.start is None:
            return pts
        inside = pts >= self.start and (self._end is None or pts < self._end)
        return pts - self.start if inside else None

    def over(self, pts: int) -> bool:
        """Do pictures lie so far behind the part that packets which come with them do too?"""
        return self._end is not None and (pts - self._end) * self._time_base > _BEHIND

    def packet(self, packet: Packet, time_base: Fraction) -> Iterator[Packet]:
        """Give a copied packet, which has its own time base, at its time in the part, where it starts in it."""
        time = packet.pts if packet.pts is not None else packet.dts
        if self.start is None or time is None:
            yield packet
            return
        start = self.start * self._time_base
        end = None if self._end is None else self._end * self._time_base
        if start <= time * time_base and (end is None or time * time_base < end):
            shift = round(start / time_base)
            pts, dts = (None if one is None else one - shift for one in (packet.pts, packet.dts))
            yield replace(packet, pts=pts, dts=dts)
