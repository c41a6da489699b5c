"""The latents of a chunk (bitstream_spec.md sections 6.5 and 6.6, annexes C and D).

`latents(model, content, gop)` decodes one chunk of `container.read`, and checks its digest.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

from reference_decoder import side, temporal_units
from reference_decoder.errors import need
from reference_decoder.model import Model
from reference_decoder.motion import MotionDecoder
from reference_decoder.planes import Plane, blank, inputs, times
from reference_decoder.prior import FrameDecoder
from reference_decoder.ranges import RangeDecoder

Frame = tuple[int, Plane | None, list[Plane] | None, Plane | None, list[Plane] | None]
"""Its own quality (0 where it has none), mode, (dx, dy), classes, latents."""


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
        self.classes = blank(self.grid)
        self.latents = [blank(self.grid) for _ in range(self.model.class_channels[-1])]
        bases = [i for i, kind in enumerate(types) if kind != "S"]
        need(not detail or 1 <= interval <= len(bases), "an interval of detail latents that is none")
        nothing = True
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
                nothing = nothing and not any(value for plane in self.latents for row in plane for value in row)
            out[place] = (0, blank(self.grid), self.motion, *shown) if moved else (0, None, None, *shown)
            for i in range(before + 1, place):
                out[i] = self.between()
        need(not (detail and nothing), "detail latents that are all 0")
        for coder in self.coders.values():
            coder.end()
        return [out[i] for i in range(len(types))]

    def intra(self) -> Frame:
        quality = self.coders[1].bits(6)
        context = [blank(self.grid, max(0, quality - 10))]
        reader = FrameDecoder(self.model, "latents_i", context, self.model.class_channels, 32000)
        self.classes, self.latents = reader.decode(self.coders[1])
        return quality, None, None, self.classes, self.latents

    def backbone(self) -> Frame:
        self.read_motion()
        quality = self.coders[2].bits(6)
        self.quality = blank(self.grid, quality)
        self.read_latents()
        return quality, blank(self.grid), self.motion, self.classes, self.latents

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
        return 0, mode, self.sparse, None, None


def integers(frame: Frame) -> bytes:
    """All integers of a frame, as section 6.11 counts them."""
    quality, mode, vectors, classes, values = frame
    planes = (mode, *(vectors or ()), classes, *(values or ()))
    rows = (row for plane in planes for row in plane or ())
    return bytes([quality]) + b"".join(value.to_bytes(2, "little", signed=True) for row in rows for value in row)


def digest(gop: dict[str, Any], frames: list[Frame], head: dict[str, Any]) -> bytes:
    """Section 6.11."""
    size, streams = (head["width"], head["height"]), gop["substreams"]
    levels = side.texture_map(streams[5], *size) if 5 in streams else []
    edges = side.sketch(streams[8], *size) if 8 in streams else []
    bases = sum(kind != "S" for kind in gop["types"])
    items = [bytes([gop["frames"], gop["quality"], gop["mini_gop"], *(gop["base"] or (0, 0))])]
    items += map(integers, frames)
    items += [streams.get(4, b"\0"), b"".join(map(bytes, levels)), streams.get(6, b"\x10")]
    items += [side.caption(streams[7]).encode() if 7 in streams else b"", b"".join(map(bytes, edges))]
    items += temporal_units.units(streams[3], bases) if gop["base"] else []
    return hashlib.sha256(b"".join(len(item).to_bytes(4, "little") + item for item in items)).digest()[:8]


def latents(model: Model, content: dict[str, Any], gop: dict[str, Any]) -> list[Frame]:
    """The integers of a chunk of `container.read`, checked."""
    need(content["model"]["entropy_hash"] == model.hash, "the file names another model", "model")
    head, streams = content["header"], gop["substreams"]
    grid = -(-head["height"] // 16), -(-head["width"] // 16)
    strength, texture = streams.get(6, b"\0"), streams.get(4, b"\1")
    need(len(strength) == 1 and strength[0] < 16, "a strength above 15")
    need(len(texture) == 1 and 1 <= texture[0] <= 63, "a texture index that is none")
    need(not gop["base"] or 5 not in streams or min(head["width"], head["height"]) > 1, "nothing to mirror")
    decoder = ChunkDecoder(model, grid, gop["quality"], streams)
    frames = decoder.layered(gop["types"], 2 in streams) if gop["base"] else decoder.frames(gop["types"])
    need(digest(gop, frames, head) == gop["digest"], "the digest differs")
    return frames
