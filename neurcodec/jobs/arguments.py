"""What the arguments of the public functions mean: options, of values as a program or a command has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from neurcodec import extensions
from neurcodec.container import Profile
from neurcodec.errors import ArgumentError
from neurcodec.files.frame_range import FrameRange
from neurcodec.jobs.options import DecodeOptions, EncodeOptions

Seconds = Fraction | float


def encode_options(**given: Any) -> EncodeOptions:
    """The options that arguments of `neurcodec.encode` mean; what is not given is as EncodeOptions has it."""
    for name, meaning in _MEANINGS.items():
        if given.get(name) is not None:
            given[name] = meaning(given[name])
    given["frame_range"] = part(given.pop("start", None), given.pop("end", None), None)
    wanted = {name: given.pop(name) for name in extensions.NAMES if name in given}
    if any(wanted.values()):
        from neurcodec.extensions.streams import asked

        given["extensions"] = asked(**wanted)
    return EncodeOptions(**given)


def decode_options(
    start: Seconds | None = None,
    end: Seconds | None = None,
    frames: Sequence[int | None] | None = None,
    model: str | Path | None = None,
    **given: Any,
) -> DecodeOptions:
    """The options that arguments of `neurcodec.decode` mean; what is not given is as DecodeOptions has it."""
    return DecodeOptions(frame_range=part(start, end, frames), model=None if model is None else str(model), **given)


def part(start: Seconds | None, end: Seconds | None, frames: Sequence[int | None] | None) -> FrameRange | None:
    """The part of a video from one time to another, or from one frame to before another; None for all of it."""
    if frames is None:
        if start is None and end is None:
            return None
        frame_range = FrameRange(
            fraction("start", start or 0), None if end is None else fraction("end", end), seconds=True
        )
    elif start is not None or end is not None:
        raise ArgumentError("frames and start or end exclude each other")
    elif len(frames) != 2:
        raise ArgumentError("frames are two numbers: the first one, and the one behind the last")
    else:
        first, stop = frames
        frame_range = FrameRange(Fraction(first or 0), None if stop is None else Fraction(stop))
    if frame_range.first < 0:
        raise ArgumentError(f"{frame_range} begin before the start")
    if frame_range.end is not None and frame_range.end <= frame_range.first:
        raise ArgumentError(f"{frame_range} hold no frame: the end must be above the start")
    return frame_range


def fraction(name: str, value: Seconds) -> Fraction:
    """A finite number; ArgumentError, which names the argument, for another."""
    try:
        return Fraction(value).limit_denominator(1001)
    except (ValueError, OverflowError, TypeError):
        raise ArgumentError(f"{name} {value!r} is not a finite number") from None


def _profile(name: str | Profile) -> Profile | None:
    if isinstance(name, Profile):
        return name
    known = {"auto": None, **{profile.name.lower(): profile for profile in Profile}}
    if name not in known:
        raise ArgumentError(f"profile {name!r} is none of {', '.join(known)}")
    return known[name]


_MEANINGS: dict[str, Callable[[Any], Any]] = {
    "profile": _profile,
    "gop_seconds": partial(fraction, "gop_seconds"),
    "weights": Path,
    "model": str,
}
