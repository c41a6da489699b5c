"""The second reader's bit plane, written from bitstream_spec.md section 6 alone: plain Python, no code of the package.

`Model(data)` reads an `entropy.safetensors`, `latents(model, header, gop)` decodes one chunk of `spec_reader.read`.
"""

from __future__ import annotations

import hashlib
import json
from itertools import accumulate, pairwise
from typing import Any

from spec_range import RangeDecoder, Table
from spec_reader import need

Plane = list[list[int]]
PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))


class Model:
    """Section 6.4."""

    def __init__(self, data: bytes) -> None:
        self.hash = hashlib.sha256(data).digest()[:16]
        start = 8 + int.from_bytes(data[:8], "little")
        names = json.loads(data[8:start])
        shifts = json.loads(names.pop("__metadata__")["shifts"])
        tensors: dict[str, Any] = {}
        for name, entry in names.items():
            assert entry["dtype"] == "I32"
            low, high = entry["data_offsets"]
            raw = data[start + low : start + high]
            flat = [int.from_bytes(raw[i : i + 4], "little", signed=True) for i in range(0, len(raw), 4)]
            tensors[name] = shaped(flat, entry["shape"])
        self.cuts: list[int] = tensors["cuts"]
        ends = list(accumulate(tensors["tables.value_sizes"], initial=0))
        self.value = [Table(tensors["tables.value"][a:b]) for a, b in pairwise(ends)]
        self.classes = {
            int(name.rpartition(".")[2]): [Table(row) for row in rows]
            for name, rows in tensors.items() if name.startswith("tables.classes.")
        }  # fmt: skip
        self.priors: dict[str, dict[str, Any]] = {name: {"shift": shift} for name, shift in shifts.items()}
        for name, tensor in tensors.items():
            prior, _, field = name.partition(".")
            if prior in self.priors:
                self.priors[prior][field] = tensor


def shaped(flat: list[int], shape: list[int]) -> Any:
    """A tensor as nested lists."""
    if len(shape) <= 1:
        return flat
    step = len(flat) // shape[0] if shape[0] else 0
    return [shaped(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def activation(a: int) -> int:
    """R of section 6.3."""
    return clamp((a + 128) // 256, -32768, 32767)


def dot(weights: list[int], values: list[int]) -> int:
    return sum(w * v for w, v in zip(weights, values, strict=True))


def around(planes: list[Plane], y: int, x: int) -> list[int]:
    """3x3 surroundings, plane by plane, zero outside."""
    return [
        plane[j][i] if 0 <= j < len(plane) and 0 <= i < len(plane[0]) else 0
        for plane in planes for j in (y - 1, y, y + 1) for i in (x - 1, x, x + 1)
    ]  # fmt: skip


def blank(grid: tuple[int, int], value: int = 0) -> Plane:
    return [[value] * grid[1] for _ in range(grid[0])]


def times(plane: Plane, factor: int) -> Plane:
    return [[value * factor for value in row] for row in plane]


def inputs(plane: Plane, shift: int) -> Plane:
    """Section 6.5: symbols in a prior's input units."""
    return [[clamp(value, -127, 127) << shift for value in row] for row in plane]


class FrameDecoder:
    """Section 6.3: one frame's classes and values."""

    def __init__(self, model: Model, name: str, context: list[Plane], cuts: list[int], limit: int) -> None:
        self.model, self.w, self.context, self.cuts, self.limit = model, model.priors[name], context, cuts, limit
        grid = len(context[0]), len(context[0][0])
        self.channels = len(self.w["values_bias"]) // 2
        self.values = [blank(grid) for _ in range(self.channels)]
        self.classes, self.known = blank(grid), blank(grid)

    def decode(self, coder: RangeDecoder) -> tuple[Plane, list[Plane]]:
        height, width = len(self.known), len(self.known[0])
        for number, (row, column) in enumerate(PASSES):
            places = [(y, x) for y in range(row, height, 2) for x in range(column, width, 2)]
            features = [self.features(number, y, x) for y, x in places]
            linear = [[self.linear(number, k, y, x) for k in range(self.channels)] for y, x in places]
            classes = self.read_classes(coder, features)
            values = self.read_values(coder, features, linear, classes)
            for (y, x), kind, own in zip(places, classes, values, strict=True):
                self.classes[y][x], self.known[y][x] = kind, 1
                for k, value in enumerate(own):
                    self.values[k][y][x] = value
        return self.classes, self.values

    def features(self, number: int, y: int, x: int) -> list[int]:
        w = self.w
        seen = around(self.context, y, x)
        a = [
            dot(row, seen) + one + two
            for row, one, two in zip(w["context"], w["context_bias"], w["current_bias"][number], strict=True)
        ]
        if number > 0:
            planes = [inputs(plane, w["shift"]) for plane in self.values]
            now = around([*planes, times(self.classes, 16), times(self.known, 64)], y, x)
            a = [before + dot(row, now) for before, row in zip(a, w["current"][number], strict=True)]
        first = [max(0, activation(value)) for value in a]
        second = zip(w["hidden"], w["hidden_bias"], strict=True)
        return [max(0, activation(dot(row, first) + bias)) for row, bias in second]

    def linear(self, number: int, k: int, y: int, x: int) -> int:
        w = self.w
        total = dot(w["taps"][number][k], [64 * value for value in around([self.values[k]], y, x)]) if number else 0
        if w["previous"]:
            total += w["previous"][k] * (self.context[k][y][x] * 64 >> w["shift"])
        return total

    def read_classes(self, coder: RangeDecoder, features: list[list[int]]) -> list[int]:
        w, count = self.w, len(self.cuts)
        tables = []
        for f in features:
            o = [activation(dot(row, f) + bias) for row, bias in zip(w["classes"], w["classes_bias"], strict=True)]
            mean, scale = clamp((o[0] + 4) // 8, -32, 88), clamp((o[1] + 8) // 16 + 12, 0, 19)
            number = (mean + 32) * 20 + scale
            tables.append((number, self.model.classes[count][number]))
        return coder.together(tables)

    def read_values(
        self, coder: RangeDecoder, features: list[list[int]], linear: list[list[int]], classes: list[int]
    ) -> list[list[int]]:
        w = self.w
        tables, means = [], []
        for f, line, kind in zip(features, linear, classes, strict=True):
            g = [max(0, value + extra) for value, extra in zip(f, w["class_embedding"][kind], strict=True)]
            v = [dot(row, g) + bias for row, bias in zip(w["values"], w["values_bias"], strict=True)]
            for k in range(self.cuts[kind]):
                m = (activation(v[k] + line[k]) + 4) // 8
                mean = (m + 4) // 8
                scale = clamp((activation(v[self.channels + k]) + 8) // 16 + 17, 0, 39)
                number = scale * 8 + m - 8 * mean + 4
                tables.append((number, self.model.value[number]))
                means.append(mean)
        symbols = coder.together(tables)
        out = []
        for symbol, mean, (_, table) in zip(symbols, means, tables, strict=True):
            entries = len(table.frequencies)
            reach = entries // 2 - 1
            residual = symbol - reach
            if symbol == entries - 1:
                negative = coder.bits(1)
                length = coder.bits(4)
                residual = reach + 2**length + coder.bits(length)
                residual = -residual if negative else residual
            need(abs(mean + residual) <= self.limit, "a symbol out of range")
            out.append(mean + residual)
        rest = iter(out)
        return [[next(rest) if k < self.cuts[kind] else 0 for k in range(self.channels)] for kind in classes]


Vector = tuple[int, int]
RATES = (1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5)


class MotionDecoder:
    """Section 6.7: adaptive decisions, then vectors and modes in raster order."""

    def __init__(self, coder: RangeDecoder) -> None:
        self.coder = coder
        self.contexts: dict[tuple[Any, ...], tuple[int, int]] = {}

    def bit(self, *context: Any) -> int:
        p, n = self.contexts.get(context, (16384, 0))
        one = (2 * (p // 128) + 1) << 15
        b = self.coder.symbol(Table([2**24 - one, one]))
        step = RATES[min(n, 15)]
        self.contexts[context] = p + ((32767 * b - p) >> step), n + 1
        return b

    def field(self, kind: str, place: list[Plane], last: list[Plane]) -> tuple[Plane, list[Plane]]:
        grid = len(place[0]), len(place[0][0])
        mode, dx, dy = blank(grid), blank(grid), blank(grid)
        for y in range(grid[0]):
            for x in range(grid[1]):
                dx[y][x], dy[y][x] = self.vector(kind, [dx, dy], place, last, y, x)
                need(max(abs(dx[y][x]), abs(dy[y][x])) <= 511, "a vector out of range")
                if kind == "S":
                    mode[y][x] = self.mode(mode[y][x - 1] if x else 1, mode[y - 1][x] if y else 1)
        return mode, [dx, dy]

    def vector(self, kind: str, own: list[Plane], place: list[Plane], last: list[Plane], y: int, x: int) -> Vector:
        def at(field: list[Plane], j: int, i: int) -> Vector:
            return field[0][j][i], field[1][j][i]

        p, q = at(place, y, x), at(last, y, x)
        a = at(own, y, x - 1) if x else p
        b = at(own, y - 1, x) if y else p
        c = at(own, y - 1, x + 1) if y and x + 1 < len(own[0][0]) else p
        candidates: list[Vector] = []
        for one in (p, a, b, q, (0, 0)) if kind == "S" else (a, b, c, p, (0, 0)):
            if one not in candidates:
                candidates.append(one)
        like = (a == b) + 2 * (b == c) + 4 * (p == a) + 8 * (p == q)
        for number, one in enumerate(candidates):
            if self.bit(*(("first", kind, like) if number == 0 else ("next", kind, number, len(candidates)))):
                return one
        dx, dy = (sorted(part)[1] + self.difference(kind, axis) for axis, part in enumerate(zip(a, b, c, strict=True)))
        return dx, dy

    def difference(self, kind: str, axis: int) -> int:
        if not self.bit("nonzero", kind, axis):
            return 0
        length = 0
        while length < 9 and self.bit("longer", kind, length):
            length += 1
        negative = self.bit("sign", kind, axis)
        size = 1
        for i in range(length):
            size = 2 * size + (self.bit("second", kind, length) if i == 0 else self.bit("rest"))
        return -size if negative else size

    def mode(self, left: int, above: int) -> int:
        modes = [left, above]
        if self.bit("both", modes.count(1)):
            return 1
        return 2 * self.bit("after", modes.count(2) - modes.count(0))


Frame = tuple[Plane | None, list[Plane] | None, Plane | None, list[Plane] | None]
"""Mode, (dx, dy), classes, latents."""


class ChunkDecoder:
    """Sections 6.5 and 6.6."""

    def __init__(self, model: Model, grid: tuple[int, int], quality: int, streams: dict[int, bytes]) -> None:
        self.model, self.grid = model, grid
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
        """Section 6.6; `detail`: substream 2 is there."""
        out: dict[int, Frame] = {}
        interval = self.coders[2].bits(8) if detail else 0
        need(not detail or interval > 0, "detail interval")
        self.classes = blank(self.grid)
        self.latents = [blank(self.grid) for _ in range(self.model.cuts[-1])]
        bases = [i for i, kind in enumerate(types) if kind != "S"]
        for number, place in enumerate(bases):
            before = bases[number - 1] if number else place
            moved = place - before > 1
            if moved:
                self.read_motion()
            else:
                self.motion = [blank(self.grid), blank(self.grid)]
            if detail and number % interval == 0:
                self.read_latents()
                classes, values = self.classes, self.latents
            else:
                classes = values = None
            out[place] = (blank(self.grid), self.motion, classes, values) if moved else (None, None, classes, values)
            for i in range(before + 1, place):
                out[i] = self.between()
        for coder in self.coders.values():
            coder.end()
        return [out[i] for i in range(len(types))]

    def intra(self) -> Frame:
        context = [blank(self.grid, max(0, self.coders[1].bits(6) - 10))]
        reader = FrameDecoder(self.model, "latents_i", context, self.model.cuts, 32000)
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
        reader = FrameDecoder(self.model, "latents_p", context, self.model.cuts, 32000)
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
    """The integers of a chunk of `spec_reader.read`, checked."""
    need(content["model"]["entropy_hash"] == model.hash, "another model", "model")
    head = content["header"]
    grid = -(-head["height"] // 16), -(-head["width"] // 16)
    strength = gop["substreams"].get(10, b"\0")
    need(len(strength) == 1 and strength[0] < 16, "a strength above 15")
    need(9 not in gop["substreams"] or min(head["width"], head["height"]) > 1, "nothing to mirror")
    if head["profile"] == 1:
        need(gop["base"] is not None and bool({3, 8} & set(gop["substreams"])), "no base layer")
    decoder = ChunkDecoder(model, grid, gop["quality"], gop["substreams"])
    frames = decoder.layered(gop["types"], 2 in gop["substreams"]) if gop["base"] else decoder.frames(gop["types"])
    need(digest(frames) == gop["latents_digest"], "digest")
    return frames
