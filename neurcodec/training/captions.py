"""Stage `captions`, and what the generator's clips get of the extensions: captions and sketches, mostly dropped out.

Captions come from a table SOURCES.md beside the data folders: below a heading `## NAME/` the rows of the clips in
folder NAME, with the columns `file` and `what it shows`. `captions.json` maps a clip's name in `training.pairs` to its
caption.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.errors import InputError
from neurcodec.extensions.caption.branch import tokenize
from neurcodec.extensions.sketch.branch import fill
from neurcodec.extensions.sketch.edges import edges
from neurcodec.extensions.sketch.stream import CELL
from neurcodec.training.pairs import clip_name

SKETCH_AGES = 48
"""A sketch is shown to the generator as if it were up to so many frames old."""

TABLE = "SOURCES.md"
FILE, CAPTION = "file", "what it shows"


def table_captions(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of name (FOLDER-STEM) and caption from a table; a remark behind " - " or ";" is left out."""
    folder = ""
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            folder, columns = line[3:].split("/")[0].strip(), []
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            continue
        if FILE in cells:
            columns = cells
        elif CAPTION in columns and len(cells) == len(columns):
            row = dict(zip(columns, cells, strict=True))
            caption = row[CAPTION].split(" - ")[0].split(";")[0].strip()
            if caption.strip("-"):
                yield f"{folder}-{Path(row[FILE]).stem}", caption


def write_captions(data: Iterable[Path], target: Path) -> int:
    """Write the captions of the clips in the folders `data`; returns how many. InputError where there is no table."""
    found: dict[str, str] = {}
    for folder in data:
        table = folder.resolve().parent / TABLE
        if not table.is_file():
            raise InputError(f"{table}: no such table; it says what the clips of {folder} show (docs/training.md)")
        named = dict(table_captions(table.read_text(encoding="utf-8")))
        found |= {name: caption for name, caption in named.items() if name.startswith(f"{folder.resolve().name}-")}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(found)


@dataclass(frozen=True, slots=True)
class Extensions:
    """Draws captions and sketches of training clips.

    captions: by clip. caption_share, sketch_share: of the clips that keep theirs.
    """

    captions: Mapping[str, str]
    caption_share: float
    sketch_share: float

    @classmethod
    def load(cls, path: Path, caption_share: float, sketch_share: float) -> Extensions:
        """With the captions of stage captions, or with none if it did not run."""
        captions = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return cls(captions, caption_share, sketch_share)

    def draw(self, random: np.random.Generator, file: str, frames: NDArray[np.uint8]) -> dict[str, Tensor]:
        """What the branches take for frames (T, h, w, 3) of a pair's source, by extension."""
        return {"caption": tokenize([self.caption(random, file)]), "sketch": self.sketch(random, frames)}

    def caption(self, random: np.random.Generator, file: str) -> str:
        """The caption of a pair's source, or ""."""
        keep = random.random() < self.caption_share
        return self.captions.get(clip_name(file), "") if keep else ""

    def sketch(self, random: np.random.Generator, frames: NDArray[np.uint8]) -> Tensor:
        """The sketch of the first of some frames (T, h, w, 3), forward-filled: float32 (T, 1, h/8, w/8), zero for none.

        As if their chunk had begun up to SKETCH_AGES frames before.
        """
        count, height, width, _ = frames.shape
        if random.random() >= self.sketch_share:
            return torch.zeros(count, 1, height // CELL, width // CELL)
        ages = torch.arange(count) + int(random.integers(SKETCH_AGES))
        return fill(torch.from_numpy(edges(frames[0])).expand(count, -1, -1), ages)
