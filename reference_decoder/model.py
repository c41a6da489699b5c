"""The entropy model: `Model(data)` reads an `entropy.safetensors` (bitstream_spec.md section 6.4)."""

from __future__ import annotations

import hashlib
import json
from itertools import accumulate, pairwise
from math import prod
from typing import Any

from reference_decoder.errors import Refused, need
from reference_decoder.ranges import Table

FIELDS = 14
"""Tensors of a prior, and its shift."""


class Model:
    """Section 6.4."""

    def __init__(self, data: bytes) -> None:
        self.hash = hashlib.sha256(data).digest()[:16]
        try:
            shifts, tensors = stored(data)
            self._fill(shifts, tensors)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            raise Refused("model", "the model's file is not what section 6.4 says") from None

    def _fill(self, shifts: dict[str, int], tensors: dict[str, Any]) -> None:
        self.class_channels: list[int] = tensors["cuts"]
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
        need(self.priors.keys() == {"latents_i", "latents_p"}, "the model has other priors", "model")
        need(all(len(prior) == FIELDS for prior in self.priors.values()), "a prior lacks tensors", "model")


def stored(data: bytes) -> tuple[dict[str, int], dict[str, Any]]:
    """The shifts and the tensors of a safetensors file."""
    start = 8 + int.from_bytes(data[:8], "little")
    names = json.loads(data[8:start])
    shifts = json.loads(names.pop("__metadata__")["shifts"])
    tensors: dict[str, Any] = {}
    for name, entry in names.items():
        need(entry["dtype"] == "I32", f"tensor {name} is not int32", "model")
        low, high = entry["data_offsets"]
        raw = data[start + low : start + high]
        need(len(raw) == 4 * prod(entry["shape"]), f"tensor {name} is cut off", "model")
        flat = [int.from_bytes(raw[i : i + 4], "little", signed=True) for i in range(0, len(raw), 4)]
        tensors[name] = shaped(flat, entry["shape"])
    return shifts, tensors


def shaped(flat: list[int], shape: list[int]) -> Any:
    """A tensor as nested lists."""
    if len(shape) <= 1:
        return flat
    step = len(flat) // shape[0] if shape[0] else 0
    return [shaped(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]
