"""Results on disk, keyed by everything that they depend on, so that a rerun only measures what changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from neurcodec.evaluation.clips import Frames
from neurcodec.evaluation.processes import Cost


@dataclass
class Point:
    """One measured point of one curve.

    `size` in bytes; `decode` is None and `metrics` empty for a point outside the compared rates; a metric that cannot
    be computed for this clip is None. `picture` is the showcase frame (PNG).
    """

    curve: str
    value: float
    scale: int
    size: int
    encode: Cost
    decode: Cost | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    picture: str = ""


def _point(data: dict[str, Any]) -> Point:
    costs = {name: Cost(**data[name]) for name in ("encode", "decode") if data[name] is not None}
    return Point(**{**data, **costs})


def hash_files(root: Path, patterns: tuple[str, ...]) -> str:
    """SHA-256, hexadecimal, over names and contents of the files below `root` that match; 16 digits."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.rglob(pattern)}):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Cache:
    """A folder of JSON records (one per codec, clip and setting: a list of points) and their pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: dict[str, Any]) -> Path:
        text = json.dumps(key, sort_keys=True)
        return self.folder / str(key["codec"]) / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"

    def get(self, key: dict[str, Any], metrics: list[str]) -> list[Point] | None:
        """The points stored under this key, if they have all these metrics; None otherwise."""
        path = self._path(key)
        if not path.is_file():
            return None
        points = [_point(data) for data in json.loads(path.read_text())["points"]]
        if any(point.metrics and not set(metrics) <= set(point.metrics) for point in points):
            return None
        return points

    def put(self, key: dict[str, Any], points: list[Point]) -> None:
        """Store points; the file appears at once and whole."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"key": key, "points": [asdict(point) for point in points]}, indent=1) + "\n")
        partial.replace(path)

    def put_picture(self, key: dict[str, Any], curve: str, picture: Frames) -> str:
        """Store an RGB picture beside the record; returns its path relative to the cache."""
        path = self._path(key).with_suffix(f".{curve}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
        return str(path.relative_to(self.folder))

    def picture(self, name: str) -> Frames:
        """A stored picture, RGB uint8 (H, W, 3)."""
        data = np.frombuffer((self.folder / name).read_bytes(), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(np.asarray(decoded), cv2.COLOR_BGR2RGB), dtype=np.uint8)
