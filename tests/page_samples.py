"""Made-up data for the pages: a report of two clips with hostile names, and pictures of one colour each."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from neurcodec.evaluation import page

HOSTILE = "</script><img src=x onerror=\"document.title='bad'\"><!--<b>&amp;{{data}}"
COLOURS = {"source": (200, 40, 40), "ours": (40, 200, 40), "peer": (40, 40, 200)}
SIZE = (96, 160)
METRICS = {
    "vmaf": {"title": "VMAF", "unit": "", "higher": True, "perfect": 100.0, "kind": "judge"},
    "lpips": {"title": "LPIPS", "unit": "", "higher": False, "perfect": 0.0, "kind": "loss"},
    "psnr": {"title": "PSNR", "unit": "dB", "higher": True, "perfect": 100.0, "kind": "fidelity"},
}


def scenes() -> list[page.Scene]:
    """Two clips of three versions and two frames; the second frame is half as bright."""
    made = []
    for clip in ("one", HOSTILE):
        shots = [
            page.Shot(name, f"setting {i}", (None, 1000, 1030)[i], [_plain(colour, 1), _plain(colour, 2)])
            for i, (name, colour) in enumerate(COLOURS.items())
        ]
        made.append(page.Scene(clip, "Two frames.", [3, 7], shots, (1, 2)))
    return made


def _plain(colour: tuple[int, int, int], divisor: int) -> npt.NDArray[np.uint8]:
    return np.full((*SIZE, 3), [value // divisor for value in colour], np.uint8)


def report() -> dict[str, Any]:
    """The data of a report.json: curves `ours` with its coarse twin, and `peer`, five points each."""
    curves = ("ours", "ours-coarse", "peer")
    points = []
    for shift, curve in enumerate(curves):
        for i in range(5):
            rate = 0.002 * 2**i * (1 + shift / 4)
            metrics = {"vmaf": 50 + 9 * i - shift, "lpips": 0.4 / (i + 1) + 0.01 * shift, "psnr": 30 + 2.0 * i}
            scale = 2 if curve == "peer" and i < 2 else 1
            points.append({"curve": curve, "value": 8 * i, "scale": scale, "bytes": 1000 * 2**i,
                           "bpp": rate, "metrics": metrics if i < 4 or curve != "peer" else {}})  # fmt: skip
    clips = [{"name": name, "width": 160, "height": 96, "frames": 9, "points": points} for name in ("one", HOSTILE)]
    pairs = [(metric, test) for metric in METRICS for test in ("ours", "ours-coarse")]
    rates = {"one": -12.34, HOSTILE: None}
    bd_rate = [{"metric": metric, "test": test, "anchor": "peer", "clips": rates, "mean": -12.34, "overlapping": 1}
               for metric, test in pairs]  # fmt: skip
    equal = [{"metric": metric, "clip": "one", "test": test, "value": 8, "bytes": 1000, "score": 3.0,
              "anchors": {"peer": 2.0}} for metric, test in pairs]  # fmt: skip
    side = {"fps": 8.04, "cpu_ms": 127.6, "memory": 3 << 20}
    costs = {f"{name}_{key}": value for name in ("encode", "decode") for key, value in side.items()}
    return {
        "neurcodec": "9", "created": "2026-01-02T03:04:05", "command": "ncodec bench",
        "machine": {"processor": HOSTILE, "cores": 2, "jobs": 1}, "metrics": METRICS, "missing": {"dists": "none"},
        "codecs": {"ours": {"curves": list(curves[:2]), "model": "m"}, "peer": {"curves": ["peer"], "options": "o"}},
        "clips": clips, "interpolation": "pchip", "jury": [],
        "bd_rate": bd_rate, "equal_bytes": equal, "costs": {"ours": costs, "peer": None},
    }  # fmt: skip


def data_of(text: str) -> dict[str, Any]:
    """The data inside a page, found as a browser does: up to the first `</script>`."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def pixels(uri: str) -> npt.NDArray[np.uint8]:
    """RGB of a data URI."""
    head, data = uri.split(",")
    assert head == "data:image/webp;base64"
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
