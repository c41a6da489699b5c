"""Two videos in one picture or one video, side by side or split at the middle, or in a page with a wipe.

All are labelled with sizes and metrics.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from neurcodec.errors import InputError, OutputError
from neurcodec.evaluation import clips, page
from neurcodec.evaluation.clips import Clip, Frames
from neurcodec.evaluation.metrics import METRICS, Networks
from neurcodec.evaluation.scoring import ClipScorer
from neurcodec.media.types import Frame, VideoInfo
from neurcodec.media.writer import VideoWriter

LABEL_HEIGHT = 24
STILLS = (".png", ".jpg", ".jpeg")
VIDEOS = (".mp4", ".mkv", ".mov")
PAGES = (".html",)
PAGE_FRAMES = 6
PAGE_BUDGET = 6_000_000
"""Bytes of a page's pictures."""


@dataclass(frozen=True)
class Side:
    """One of the two videos: its first frames, its file's size in bytes, and its name."""

    name: str
    size: int
    clip: Clip


def load_side(path: Path, frames: int, decode: Callable[[Path, Path], object]) -> Side:
    """The first `frames` frames of a video, or of an .nvc file, which `decode` turns into one."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    size = path.stat().st_size
    if path.suffix.lower() != ".nvc":
        return Side(path.name, size, clips.load(path, frames))
    with tempfile.TemporaryDirectory(prefix="ncodec-compare-") as folder:
        decoded = Path(folder) / "decoded.mkv"
        decode(path, decoded)
        return Side(path.name, size, clips.load(decoded, frames))


def score(first: Side, second: Side, networks: Networks) -> dict[str, float | None]:
    """The metrics of the second video against the first; InputError when their sizes differ."""
    if first.clip.size != second.clip.size:
        sizes = " and ".join("x".join(map(str, side.clip.size)) for side in (first, second))
        raise InputError(f"{first.name} and {second.name} differ in size ({sizes}); scale one of them first")
    count = min(len(first.clip.frames), len(second.clip.frames))
    source = Clip(first.name, first.clip.frames[:count], first.clip.rate)
    return ClipScorer(source, networks).score([second.clip.frames[:count]])[0]


def score_text(scores: dict[str, float | None]) -> str:
    """The scores that there are, in one line."""
    return ", ".join(f"{METRICS[name].title.split(',')[0]} {v:.4g}" for name, v in scores.items() if v is not None)


def labels(first: Side, second: Side, scores: dict[str, float | None]) -> tuple[str, str]:
    """What is written above the two pictures: names and sizes, and the scores over the second."""
    return f"{first.name}: {first.size} bytes", f"{second.name}: {second.size} bytes  {score_text(scores)}"


def join(first: Frames, second: Frames, names: tuple[str, str], split: bool) -> Frames:
    """One labelled picture; with `split` the left half of the first beside the right half of the second."""
    if split:
        middle = first.shape[1] // 2
        first, second = first[:, :middle], second[:, middle:]
    return np.hstack([_label(first, names[0]), _label(second, names[1])])


def _label(picture: Frames, text: str) -> Frames:
    header = np.zeros((LABEL_HEIGHT, picture.shape[1], 3), np.uint8)
    cv2.putText(header, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([header, picture])


def check_format(target: Path, split: bool) -> None:
    """OutputError unless the suffix is one of a picture, a video or a page; a page cannot be split."""
    known = STILLS + VIDEOS + PAGES
    if target.suffix.lower() not in known:
        raise OutputError(f"{target}: unknown format; use one of {', '.join(known)}")
    if split and is_page(target):
        raise OutputError(f"{target}: a page has a wipe and cannot be split; leave out --split")


def is_page(target: Path) -> bool:
    """Does this name ask for a page?"""
    return target.suffix.lower() in PAGES


def save(target: Path, sides: Sequence[Side], names: tuple[str, str], split: bool, frame: int | None) -> None:
    """Write a picture (of `frame`, or of the clip's showcase frame) or, by the target's suffix, a video."""
    first, second = (side.clip for side in sides)
    if target.suffix.lower() in STILLS:
        index = _checked(first.showcase if frame is None else frame, first, second)
        picture = join(first.frames[index], second.frames[index], names, split)
        if not cv2.imwrite(str(target), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
            raise OutputError(f"{target}: cannot be written")
    else:
        _save_video(target, first, second, names, split)


def save_page(target: Path, sides: Sequence[Side], scores: dict[str, float | None], frame: int | None) -> None:
    """Write a page with a wipe between the two at PAGE_FRAMES frames, spread evenly, or at `frame`."""
    first, second = (side.clip for side in sides)
    count = min(len(first.frames), len(second.frames))
    spread = sorted({round(index) for index in np.linspace(0, count - 1, PAGE_FRAMES)})
    chosen = spread if frame is None else [_checked(frame, first, second)]
    captions = ("", score_text(scores))
    shots = [
        page.Shot(side.name, caption, side.size, [side.clip.frames[index] for index in chosen])
        for side, caption in zip(sides, captions, strict=True)
    ]
    title = f"{sides[0].name} and {sides[1].name}"
    wipes = page.encode_scenes([page.Scene(title, "", chosen, shots)], PAGE_BUDGET)
    target.write_text(page.render(title, {"notes": [], "tables": [], "plots": [], "wipes": wipes}), "utf-8")


def _checked(index: int, first: Clip, second: Clip) -> int:
    """A frame that both clips have; InputError otherwise."""
    if index >= min(len(first.frames), len(second.frames)):
        raise InputError(f"frame {index} is not among the frames that were read")
    return index


def _save_video(target: Path, first: Clip, second: Clip, names: tuple[str, str], split: bool) -> None:
    height, width, _ = join(first.frames[0], second.frames[0], names, split).shape
    info = VideoInfo(width=width, height=height, time_base=1 / first.rate, frame_rate=Fraction(first.rate))
    with VideoWriter(target, info) as writer:
        for index, pair in enumerate(zip(first.frames, second.frames, strict=False)):
            writer.write(Frame(rgb=join(*pair, names, split), pts=index, duration=1))
