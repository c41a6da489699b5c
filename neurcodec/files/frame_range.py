"""Which part of a file is decoded: the chunks that hold it are sought through the index, the others are not decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from neurcodec.container import Gop, Packet, Reader
from neurcodec.errors import InputError


@dataclass(frozen=True)
class FrameRange:
    """Frames `first` up to, not with, `end`; with `seconds` both are times from the first frame's on. end None: all."""

    first: Fraction = Fraction(0)
    end: Fraction | None = None
    seconds: bool = False

    def __str__(self) -> str:
        end = "the end" if self.end is None else f"{float(self.end):g}"
        return f"{'seconds' if self.seconds else 'frames'} {float(self.first):g} to {end}"


@dataclass(frozen=True)
class Part:
    """A chunk and which of its frames are wanted; `shift` is the pts that becomes 0."""

    gop: Gop
    wanted: range
    shift: int = 0


def select(reader: Reader, frame_range: FrameRange | None) -> Iterator[Part | Packet]:
    """The chunks and packets of a range in file order, its first frame at time 0; of the whole file without one.

    Packets count as in the range when they start in it. In a file with copied streams the chunks before and behind it
    are read too, as their packets may belong to it. InputError when no frame is in the range.
    """
    if frame_range is None:
        yield from (Part(item, range(item.frames)) if isinstance(item, Gop) else item for item in reader)
        return
    origin = _seek(reader, frame_range)
    shift: int | None = None
    end: int | None = None  # pts from which on nothing is wanted
    packets: list[Packet] = []
    for item in reader:
        if isinstance(item, Packet):
            packets.append(item)
            continue
        origin = item.pts[0] if origin is None else origin
        wanted = _wanted(reader, frame_range, item, origin)
        if wanted.stop == 0:  # the range ended before
            end = item.pts[0] if end is None else end
            break
        if not wanted:
            packets.clear()
            continue
        if shift is None:
            shift = item.pts[wanted.start]
        bounds = (*item.pts, item.pts[-1] + item.last_duration)
        end = bounds[wanted.stop] if wanted.stop < item.frames or _over(reader, frame_range, item, origin) else None
        yield Part(item, wanted, shift)
        yield from _shifted(reader, packets, shift, end)
        packets.clear()
        if end is not None and not reader.streams:
            break
    if shift is None:
        raise InputError(f"there is no frame in {frame_range}; `ncodec info` shows the length")
    yield from _shifted(reader, packets, shift, end)


def count(reader: Reader, frame_range: FrameRange | None) -> int | None:
    """Frames of a range as the index has them; None where only the timestamps could tell, or there is no seeking."""
    if not reader.seekable or (frame_range is not None and frame_range.seconds):
        return None
    total = sum(entry.frames for entry in reader.index)
    if frame_range is None:
        return total
    end = total if frame_range.end is None else min(total, int(frame_range.end))
    return max(0, end - int(frame_range.first))


def expected(reader: Reader, frame_range: FrameRange | None) -> int | None:
    """About how many frames a range has: of times by the frame rate; None where nothing tells."""
    known = count(reader, frame_range)
    rate = reader.header.frame_rate
    if known is not None or frame_range is None or not (reader.seekable and rate):
        return known
    end = None if frame_range.end is None else Fraction(round(frame_range.end * rate))
    return count(reader, FrameRange(Fraction(round(frame_range.first * rate)), end))


def _seek(reader: Reader, frame_range: FrameRange) -> int | None:
    """Go to a range's first chunk (the one before where there are packets); returns the first pts of all if known."""
    if not reader.seekable:
        return None
    origin = reader.index[0].first_pts if reader.index else 0
    by_time = frame_range.seconds
    first = frame_range.first
    entry = reader.seek_pts(_ticks(first, reader, origin)) if by_time else reader.seek_frame(int(first))
    if reader.streams and entry.first_frame:
        reader.seek_frame(entry.first_frame - 1)
    return origin


def _ticks(seconds: Fraction, reader: Reader, origin: int) -> int:
    return origin + ceil(seconds / reader.header.time_base)


def _wanted(reader: Reader, frame_range: FrameRange, gop: Gop, origin: int) -> range:
    """Indices of the wanted frames of a chunk; empty and from its end on when it lies before the range, else from 0."""
    keys: Sequence[int] = range(gop.first_frame, gop.first_frame + gop.frames)
    first, end = int(frame_range.first), None if frame_range.end is None else int(frame_range.end)
    if frame_range.seconds:
        keys = gop.pts
        first = _ticks(frame_range.first, reader, origin)
        end = None if frame_range.end is None else _ticks(frame_range.end, reader, origin)
    start = sum(key < first for key in keys)
    stop = gop.frames if end is None else sum(key < end for key in keys)
    return range(min(start, stop), stop)


def _over(reader: Reader, frame_range: FrameRange, gop: Gop, origin: int) -> bool:
    """Does the range end with this chunk or in it?"""
    if frame_range.end is None:
        return False
    if frame_range.seconds:
        return gop.pts[-1] + gop.last_duration >= _ticks(frame_range.end, reader, origin)
    return gop.first_frame + gop.frames >= frame_range.end


def _shifted(reader: Reader, packets: list[Packet], shift: int, end: int | None) -> Iterator[Packet]:
    """The packets that start in the range, at their new times."""
    base = reader.header.time_base
    for packet in packets:
        own = reader.streams[packet.stream].time_base
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or not shift * base <= time * own or (end is not None and time * own >= end * base):
            continue
        move = round(shift * base / own)
        yield replace(
            packet,
            pts=None if packet.pts is None else packet.pts - move,
            dts=None if packet.dts is None else packet.dts - move,
        )
