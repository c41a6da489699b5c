"""One frame's classes and values (bitstream_spec.md section 6.3)."""

from __future__ import annotations

from reference_decoder.errors import need
from reference_decoder.model import Model
from reference_decoder.planes import Plane, activation, around, blank, clamp, dot, inputs, times
from reference_decoder.ranges import RangeDecoder

PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))


class FrameDecoder:
    """Section 6.3: one frame's classes and values."""

    def __init__(self, model: Model, name: str, context: list[Plane], class_channels: list[int], limit: int) -> None:
        self.model, self.w, self.context = model, model.priors[name], context
        self.class_channels, self.limit = class_channels, limit
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
        w, count = self.w, len(self.class_channels)
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
            for k in range(self.class_channels[kind]):
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
        return [[next(rest) if k < self.class_channels[kind] else 0 for k in range(self.channels)] for kind in classes]
