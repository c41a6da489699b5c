"""the latents of a chunk (bitstream_spec.md sections 6.5 and 6.6, annexes C and D).

`latents(model, content, gop)` decodes one chunk of `container.read`, and checks its digest.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

from reference_decoder.errors import need
from reference_decoder.model import Model
from reference_decoder.motion import MotionDecoder
from reference_decoder.planes import Plane, blank, inputs, times
from reference_decoder.prior import FrameDecoder
from reference_decoder.ranges import RangeDecoder

Frame = tuple[Plane | None, list[Plane] | None, Plane | None, list[Plane] | None]
"""Mode, (dx, dy), classes, latents."""


class ChunkDecoder:
    """The frames of a chunk: sections 6.5 and 6.6."""

    def __init__(self, model: Model, grid: tuple[int, int], quality: int, streams: dict[int, bytes]) -> None:
        self.model, self.grid = model, grid
        self.streams = streams
        self.coders = {number: RangeDecoder(streams.get(number, b"")) for number in (0, 1, 2)}
        self.quality = blank(grid, quality)
        self.mover = MotionDecoder(self.coders[0])
        self.motion = self.sparse = [blank(grid), blank(grid)]

    def frames(self, types: str) -> list[Frame]:
        out: dict[int, Frame] = {}
        backbones = [i for i, kind in enumerate(types) if kind != "S"]
        if types:
            out[0] = self.intra()
        for before, after in pairwise(backbones):
            out[after] = self.backbone()
            for i in range(before + 1, after):
                out[i] = self.between()
        for coder in self.coders.values():
            coder.end()
        return [out[i] for i in range(len(types))]

    def layered(self, types: str, detail: bool) -> list[Frame]:
        """Section 6.6, annexes C and D; `detail`: substream 2 is there."""
        need(not self.streams.get(1), "latents of I beside a base layer")
        out: dict[int, Frame] = {}
        interval = self.coders[2].bits(8) if detail else 0
        need(not detail or interval > 0, "an interval of detail latents of 0")
        self.classes = blank(self.grid)
        self.latents = [blank(self.grid) for _ in range(self.model.class_channels[-1])]
        bases = [i for i, kind in enumerate(types) if kind != "S"]
        for number, place in enumerate(bases):
            before = bases[number - 1] if number else place
            moved = place - before > 1
            if moved:
                self.read_motion()
            else:
                self.motion = [blank(self.grid), blank(self.grid)]
            shown: tuple[Plane | None, list[Plane] | None] = None, None
            if detail and number % interval == 0:
                self.read_latents()
                shown = self.classes, self.latents
            out[place] = (blank(self.grid), self.motion, *shown) if moved else (None, None, *shown)
            for i in range(before + 1, place):
                out[i] = self.between()
        for coder in self.coders.values():
            coder.end()
        return [out[i] for i in range(len(types))]

    def intra(self) -> Frame:
        context = [blank(self.grid, max(0, self.coders[1].bits(6) - 10))]
        reader = FrameDecoder(self.model, "latents_i", context, self.model.class_channels, 32000)
        self.classes, self.latents = reader.decode(self.coders[1])
        return None, None, self.classes, self.latents

    def backbone(self) -> Frame:
        self.read_motion()
        self.quality = blank(self.grid, self.coders[2].bits(6))
        self.read_latents()
        return blank(self.grid), self.motion, self.classes, self.latents

    def read_motion(self) -> None:
        _, self.motion = self.mover.field("P", self.motion, self.motion)
        self.sparse = self.motion

    def read_latents(self) -> None:
        shift = int(self.model.priors["latents_p"]["shift"])
        context = [
            *(inputs(plane, shift) for plane in self.latents), times(self.classes, 16),
            *(inputs(plane, shift) for plane in self.motion), self.quality,
        ]  # fmt: skip
        reader = FrameDecoder(self.model, "latents_p", context, self.model.class_channels, 32000)
        self.classes, self.latents = reader.decode(self.coders[2])

    def between(self) -> Frame:
        mode, self.sparse = self.mover.field("S", self.motion, self.sparse)
        return mode, self.sparse, None, None


def digest(frames: list[Frame]) -> bytes:
    total = hashlib.sha256()
    for mode, vectors, classes, values in frames:
        for plane in (mode, *(vectors or ()), classes, *(values or ())):
            for row in plane or ():
                total.update(b"".join(value.to_bytes(2, "little", signed=True) for value in row))
    return total.digest()[:8]


def latents(model: Model, content: dict[str, Any], gop: dict[str, Any]) -> list[Frame]:
    """The integers of a chunk of `container.read`, checked."""
    need(content["model"]["entropy_hash"] == model.hash, "the file names another model", "model")
    head = content["header"]
    grid = -(-head["height"] // 16), -(-head["width"] // 16)
    strength = gop["substreams"].get(10, b"\0")
    need(len(strength) == 1 and strength[0] < 16, "a strength above 15")
    need(9 not in gop["substreams"] or min(head["width"], head["height"]) > 1, "nothing to mirror")
    if head["profile"] == 1:
        need(gop["base"] is not None and bool({3, 8} & set(gop["substreams"])), "no base layer")
    decoder = ChunkDecoder(model, grid, gop["quality"], gop["substreams"])
    frames = decoder.layered(gop["types"], 2 in gop["substreams"]) if gop["base"] else decoder.frames(gop["types"])
    need(digest(frames) == gop["latents_digest"], "the digest of the latents differs")
    return frames
