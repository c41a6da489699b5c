"""One HTML file to look at, without a network: tables, rate-quality curves, and wipes between two versions of a clip.

`render` puts plain data (the TypedDicts below) and the files of `web/` together; JavaScript draws everything from the
data and sets every name as text. `encode_scenes` makes the wipes' data from pictures.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import cv2

from neurcodec.evaluation.clips import Frames
from neurcodec.evaluation.metrics import Kind

WEB = Path(__file__).with_name("web")
SCRIPTS = ("dom.js", "plots.js", "wipes.js", "page.js")
LOSSLESS = 101
QUALITIES = (LOSSLESS, 96, 93, 90, 87, 84, 81, 78, 74, 70, 65, 60, 50, 40, 30)
"""WebP qualities that a budget may choose from; OpenCV takes numbers above 100 as 'without loss'."""


class Table(TypedDict):
    """A table of text; `lead` ones stand at the top of the page, the others behind the pictures and curves, folded."""

    title: str
    note: str
    header: list[str]
    rows: list[list[str]]
    lead: NotRequired[bool]


class PlotPoint(TypedDict):
    """A measured point; `label` is its setting, such as `40 at 1/2`."""

    bpp: float
    bytes: int
    value: float
    label: str


class PlotCurve(TypedDict):
    """The points of one codec and its envelope, (bits per pixel above 0, value) with rising rate."""

    name: str
    points: list[PlotPoint]
    hull: list[list[float]]


class ClipPlot(TypedDict):
    """The curves of one clip."""

    clip: str
    curves: list[PlotCurve]


class Plot(TypedDict):
    """One metric over the rate; `higher`: more is better."""

    metric: str
    title: str
    unit: str
    higher: bool
    kind: NotRequired[Kind]
    clips: list[ClipPlot]


class Version(TypedDict):
    """A version of a clip; `bytes` is null for one that has no size (the source); one data URI for each frame."""

    name: str
    caption: str
    bytes: int | None
    images: list[str]


class Wipe(TypedDict):
    """Versions of one clip at the same `frames` (their numbers); `pair` says which two are shown first."""

    clip: str
    note: str
    frames: list[int]
    versions: list[Version]
    pair: list[int]


class Page(TypedDict):
    """All that a page shows; a section without an entry is left out. `notes` are paragraphs below the title."""

    notes: list[str]
    tables: list[Table]
    plots: list[Plot]
    wipes: list[Wipe]


@dataclass(frozen=True)
class Shot:
    """A version of a clip before it is encoded: RGB uint8 (H, W, 3) for each frame, all of one size."""

    name: str
    caption: str
    size: int | None
    pictures: Sequence[Frames]


@dataclass(frozen=True)
class Scene:
    """What becomes a `Wipe`: at least two shots of the same frames, two of which are shown first."""

    clip: str
    note: str
    frames: Sequence[int]
    shots: Sequence[Shot]
    pair: tuple[int, int] = (0, 1)


def encode_image(picture: Frames, quality: int) -> str:
    """RGB uint8 (H, W, 3) as the data URI of a WebP; quality 1 to 100, or LOSSLESS."""
    data = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()


def encode_within(pictures: Sequence[Frames], budget: int) -> tuple[list[str], int]:
    """Data URIs of all pictures at the best quality at which they have at most `budget` bytes, and that quality.

    The lowest quality is used also when even that needs more.
    """
    low, high = 0, len(QUALITIES) - 1
    best: list[str] = []
    while low < high:
        middle = (low + high) // 2
        encoded = [encode_image(picture, QUALITIES[middle]) for picture in pictures]
        if sum(map(len, encoded)) <= budget:
            best, high = encoded, middle
        else:
            low = middle + 1
    if low == len(QUALITIES) - 1:
        best = [encode_image(picture, QUALITIES[low]) for picture in pictures]
    return best, QUALITIES[low]


def encode_scenes(scenes: Sequence[Scene], budget: int) -> list[Wipe]:
    """The wipes, all pictures at one quality, at most `budget` bytes together; the notes tell the quality."""
    uris, quality = encode_within([p for scene in scenes for shot in scene.shots for p in shot.pictures], budget)
    shown = "without loss" if quality == LOSSLESS else f"as WebP of quality {quality}"
    rest = iter(uris)
    wipes: list[Wipe] = []
    for scene in scenes:
        versions = [
            Version(name=shot.name, caption=shot.caption, bytes=shot.size, images=[next(rest) for _ in shot.pictures])
            for shot in scene.shots
        ]
        note = f"{scene.note} Pictures are shown {shown}.".strip()
        wipes.append(Wipe(clip=scene.clip, note=note, frames=list(scene.frames), versions=versions,
                          pair=list(scene.pair)))  # fmt: skip
    return wipes


def render(title: str, data: Page) -> str:
    """The page. It is pure ASCII but for what stands in `web/`, and fetches nothing: its policy forbids it to."""
    style, script = (WEB / "page.css").read_text("utf-8"), "\n".join((WEB / s).read_text("utf-8") for s in SCRIPTS)
    text = json.dumps({"title": title, **data}, allow_nan=False, separators=(",", ":"))
    page = (WEB / "page.html").read_text("utf-8")
    parts = {"style-hash": _hash(style), "script-hash": _hash(script), "style": style, "script": script}
    for name, part in parts.items():
        page = page.replace(f"{{{{{name}}}}}", part)
    return page.replace("{{data}}", text.replace("<", "\\u003c"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
