"""The bit plane's model: integer tables and the four priors, as shipped in `entropy.safetensors` (spec section 6.4)."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from neurcodec.entropy.prior import PriorWeights
from neurcodec.entropy.rangecoder import ModelCache
from neurcodec.entropy.tables import CLASS_MEAN_HIGH, CLASS_MEAN_LOW, CLASS_SCALES, PHASES, SCALES, TOTAL, Tables
from neurcodec.errors import ModelError

PRIORS = ("latents_i", "latents_p", "motion_p", "motion_s")
MAX_FILE = 64 << 20
MODES = 3
"""Motion classes: predict an S frame from the backbone before (0), both (1), or after (2)."""


@dataclass(frozen=True, repr=False)
class EntropyModel:
    """Tables, priors and `cuts`: how many leading latent channels each class codes (ascending, from 0)."""

    tables: Tables
    priors: dict[str, PriorWeights]
    cuts: tuple[int, ...]
    hash: bytes

    @cached_property
    def value_models(self) -> ModelCache:
        """The value tables as coder models."""
        return ModelCache(lambda index: self.tables.value[index])

    @cached_property
    def class_models(self) -> dict[int, ModelCache]:
        """The class tables as coder models, by number of classes."""
        return {
            count: ModelCache(lambda index, table=table: table[index])  # type: ignore[misc]
            for count, table in self.tables.classes.items()
        }

    @classmethod
    def load(cls, path: Path) -> EntropyModel:
        """Read and check `entropy.safetensors`; ModelError when it is missing or wrong."""
        try:
            if path.stat().st_size > MAX_FILE:
                raise ModelError(f"{path}: larger than {MAX_FILE >> 20} MiB, not a neurcodec entropy model")
            digest = hashlib.sha256(path.read_bytes()).digest()
            with safe_open(path, framework="numpy") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: cannot read the entropy model: {error}") from error
        try:
            return cls(read_tables(tensors), read_priors(tensors, metadata), read_cuts(tensors), digest)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise ModelError(f"{path}: not a valid entropy model: {error}") from error

    def save(self, path: Path) -> None:
        """Write the model's integers."""
        tensors = {
            "tables.value": np.concatenate(self.tables.value).astype(np.int32),
            "tables.value_sizes": np.array([len(table) for table in self.tables.value], dtype=np.int32),
            "cuts": np.array(self.cuts, dtype=np.int32),
        }
        for count, table in self.tables.classes.items():
            tensors[f"tables.classes.{count}"] = table.astype(np.int32)
        for name, weights in self.priors.items():
            for field in fields(PriorWeights):
                if field.name != "shift":
                    tensors[f"{name}.{field.name}"] = getattr(weights, field.name).astype(np.int32)
        shifts = {name: weights.shift for name, weights in self.priors.items()}
        save_file(tensors, path, metadata={"shifts": json.dumps(shifts, sort_keys=True)})


def read_tables(tensors: dict[str, np.ndarray]) -> Tables:
    """The probability tables, checked."""
    sizes = tensors["tables.value_sizes"].astype(np.int64)
    if len(sizes) != SCALES * PHASES or sizes.min() < 4 or (sizes % 2).any():
        raise ValueError("wrong value table sizes")
    value = np.split(tensors["tables.value"].astype(np.int64), np.cumsum(sizes)[:-1])
    classes = {}
    for name, table in tensors.items():
        if name.startswith("tables.classes."):
            classes[int(name.rsplit(".", 1)[1])] = table.astype(np.int64)
    rows = (CLASS_MEAN_HIGH - CLASS_MEAN_LOW + 1) * CLASS_SCALES
    for count, table in classes.items():
        if table.shape != (rows, count):
            raise ValueError("wrong class table shape")
    for table in [*value, *classes.values()]:
        if (table < 1).any() or (table.sum(-1) != TOTAL).any():
            raise ValueError("a probability table does not sum to 2^24")
    return Tables(tuple(value), classes)


def read_priors(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> dict[str, PriorWeights]:
    """The four priors; shapes are checked against each other."""
    shifts = json.loads(metadata["shifts"])
    priors = {}
    for name in PRIORS:
        values = {
            field.name: tensors[f"{name}.{field.name}"].astype(np.float64)
            for field in fields(PriorWeights)
            if field.name != "shift"
        }
        hidden, channels = values["hidden"].shape[0], values["values_bias"].shape[0] // 2
        classes = values["class_embedding"].shape[0]
        expected = {
            "context_bias": (hidden,),
            "current": (4, hidden, (channels + 2) * 9),
            "current_bias": (4, hidden),
            "hidden": (hidden, hidden),
            "hidden_bias": (hidden,),
            "classes": (2, hidden),
            "classes_bias": (2,),
            "class_embedding": (classes, hidden),
            "values": (2 * channels, hidden),
            "values_bias": (2 * channels,),
            "taps": (4, channels, 9),
            "previous": (channels if values["previous"].size else 0,),
        }
        for field, shape in expected.items():
            if values[field].shape != shape:
                raise ValueError(f"{name}.{field} has shape {values[field].shape}, expected {shape}")
        context = values["context"].shape
        if len(context) != 2 or context[0] != hidden or context[1] % 9 or context[1] // 9 < len(values["previous"]):
            raise ValueError(f"{name}.context has a wrong shape")
        priors[name] = PriorWeights(**values, shift=int(shifts[name]))
    return priors


def read_cuts(tensors: dict[str, np.ndarray]) -> tuple[int, ...]:
    """Coded channels per class."""
    cuts = tuple(int(cut) for cut in tensors["cuts"])
    if cuts[0] != 0 or any(a >= b for a, b in itertools.pairwise(cuts)):
        raise ValueError("cuts must ascend from 0")
    return cuts
