"""Chapter marks as metadata, in the form that Vorbis comments use: CHAPTER001=00:01:30.000, CHAPTER001NAME=Title.

CHAPTER001END, which that form does not have, is written too. Times are rounded to milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from neurcodec.media import Chapter

_KEY = re.compile(r"CHAPTER(\d{3,})(NAME|END|)")
_TIME = re.compile(r"(\d{1,6}):(\d\d):(\d\d)\.(\d{3})")
_SCALE = 1000


def to_metadata(chapters: Sequence[Chapter]) -> dict[str, str]:
    """The metadata entries of chapters."""
    entries = {}
    for number, chapter in enumerate(chapters, 1):
        key = f"CHAPTER{number:03d}"
        entries[key] = _shown(chapter.start * chapter.time_base)
        entries[f"{key}END"] = _shown(chapter.end * chapter.time_base)
        if title := chapter.metadata.get("title"):
            entries[f"{key}NAME"] = title
    return entries


def from_metadata(metadata: Mapping[str, str]) -> tuple[dict[str, str], tuple[Chapter, ...]]:
    """The metadata without its chapters, and these; entries that are no chapters stay."""
    rest, found = dict(metadata), dict[str, dict[str, str]]()
    for key, value in metadata.items():
        if match := _KEY.fullmatch(key):
            found.setdefault(match[1], {})[match[2]] = value
    starts = {number: start for number, own in found.items() if (start := _ticks(own.get(""))) is not None}
    chapters = []
    order = sorted(starts, key=lambda number: (starts[number], int(number)))
    for place, number in enumerate(order):
        own, start = found[number], starts[number]
        following = starts[order[place + 1]] if place + 1 < len(order) else start
        end = _ticks(own.get("END"))
        title = {"title": own["NAME"]} if "NAME" in own else {}
        chapters.append(Chapter(start, max(start, following if end is None else end), Fraction(1, _SCALE), title))
        for name in own:
            del rest[f"CHAPTER{number}{name}"]
    return rest, tuple(chapters)


def _shown(seconds: Fraction) -> str:
    ticks = max(0, round(seconds * _SCALE))
    minutes, rest = divmod(ticks, 60 * _SCALE)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // _SCALE:02d}.{rest % _SCALE:03d}"


def _ticks(text: str | None) -> int | None:
    match = _TIME.fullmatch(text or "")
    if not match:
        return None
    hours, minutes, seconds, rest = map(int, match.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * _SCALE + rest
