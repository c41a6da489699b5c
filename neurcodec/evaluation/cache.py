"""Results on disk, keyed by everything that they depend on, so that a rerun only measures what changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from neurcodec.errors import InputError
from neurcodec.evaluation.clips import Frames
from neurcodec.evaluation.processes import Cost

SCORING = 2
"""Version of the metrics, part of every cache key: raise it when a definition changes."""


@dataclass
class Point:
    """One measured point of one curve.

    `size` in bytes; `decode` is None and `metrics` empty for a point outside the compared rates; a metric that cannot
    be computed for this clip is None.
    """

    curve: str
    value: float
    scale: int
    size: int
    encode: Cost
    decode: Cost | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)


def key(codec: str, settings: Mapping[str, str], clip: str, value: float, scale: int) -> dict[str, Any]:
    """Everything that a result depends on; clip: its hash."""
    what = {"codec": codec, "settings": dict(settings), "value": value, "scale": scale}
    return {**what, "clip": clip, "scoring": SCORING}


def _point(data: dict[str, Any]) -> Point:
    """A point from its record; what is not known any more is passed over."""
    costs = {name: Cost(**data[name]) for name in ("encode", "decode") if data[name] is not None}
    return Point(**{name: {**data, **costs}[name] for name in Point.__dataclass_fields__})


def hash_files(root: Path, patterns: tuple[str, ...]) -> str:
    """SHA-256, hexadecimal, over names and contents of the files below `root` that match; 16 digits."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.rglob(pattern)}):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_report(path: Path) -> dict[str, Any]:
    """A report.json; InputError when it is none."""
    try:
        data = json.loads(path.read_text())
        if data["type"] == "neurcodec-bench":
            return dict(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a report of ncodec bench ({type(error).__name__})") from error
    raise InputError(f"{path}: not a report of ncodec bench")


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

    def learn(self, report: dict[str, Any]) -> None:
        """Take over the points of an earlier report.json, as far as they were scored as they would be now."""
        if report.get("scoring") != SCORING:
            return
        for name, codec in report["codecs"].items():
            settings = {word: text for word, text in codec.items() if word != "curves"}
            for clip in report["clips"]:
                points = [point for point in clip["points"] if point["curve"] in codec["curves"]]
                points.sort(key=lambda point: (point["value"], point["scale"]))
                for (value, scale), same in groupby(points, lambda point: (point["value"], point["scale"])):
                    record = key(name, settings, clip["sha256"], value, scale)
                    if not self._path(record).is_file():
                        self.put(record, [_reported(point) for point in same])

    def put_picture(self, key: dict[str, Any], label: str, picture: Frames) -> None:
        """Store an RGB picture beside the record of a key."""
        path = self._path(key).with_suffix(f".{label}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())

    def picture(self, key: dict[str, Any], label: str) -> Frames:
        """A stored picture, RGB uint8 (H, W, 3)."""
        data = np.frombuffer(self._path(key).with_suffix(f".{label}.png").read_bytes(), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(np.asarray(decoded), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _reported(data: dict[str, Any]) -> Point:
    """A point as `report.json` has it."""
    costs = {}
    for side in ("encode", "decode"):
        told = data[side]
        costs[side] = None if told is None else {name: told[name] for name in Cost.__dataclass_fields__}
    return _point({**data, **costs, "size": data["bytes"]})
