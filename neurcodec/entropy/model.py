"""The latents' model: integer tables and the two priors, as shipped in `entropy.safetensors` (spec section 6.4)."""

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

from neurcodec.entropy.prior import WEIGHT_LIMIT, PriorWeights
from neurcodec.entropy.rangecoder import ModelCache
from neurcodec.entropy.tables import CLASS_MEAN_HIGH, CLASS_MEAN_LOW, CLASS_SCALES, PHASES, SCALES, TOTAL, Tables
from neurcodec.errors import ModelError

PRIORS = ("latents_i", "latents_p")
PRIOR_FIELDS = tuple(field.name for field in fields(PriorWeights) if field.name != "shift")
MAX_WIDTH = 1024
"""Most latent channels, and most hidden units of a prior: it keeps all sums exact in float64."""
MAX_SHIFT = 6
MAX_FILE = 64 << 20


@dataclass(frozen=True, repr=False)
class EntropyModel:
    """Tables, priors and `class_channels`: how many leading latent channels each class codes (ascending, from 0)."""

    tables: Tables
    priors: dict[str, PriorWeights]
    class_channels: tuple[int, ...]
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
            class_channels = read_class_channels(tensors)
            tables = read_tables(tensors, len(class_channels))
            return cls(tables, read_priors(tensors, metadata, class_channels), class_channels, digest)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise ModelError(f"{path}: not a valid entropy model: {error}") from error

    def save(self, path: Path) -> None:
        """Write the model's integers."""
        tensors = {
            "tables.value": np.concatenate(self.tables.value).astype(np.int32),
            "tables.value_sizes": np.array([len(table) for table in self.tables.value], dtype=np.int32),
            "cuts": np.array(self.class_channels, dtype=np.int32),
        }
        for count, table in self.tables.classes.items():
            tensors[f"tables.classes.{count}"] = table.astype(np.int32)
        for name, weights in self.priors.items():
            for field in PRIOR_FIELDS:
                tensors[f"{name}.{field}"] = getattr(weights, field).astype(np.int32)
        shifts = {name: weights.shift for name, weights in self.priors.items()}
        save_file(tensors, path, metadata={"shifts": json.dumps(shifts, sort_keys=True)})


def read_tables(tensors: dict[str, np.ndarray], kinds: int) -> Tables:
    """The probability tables, checked; `kinds` is the number of classes of a latent position."""
    for name, tensor in tensors.items():
        if tensor.dtype != np.int32:
            raise ValueError(f"{name} holds {tensor.dtype} where int32 is due")
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
    if kinds not in classes:
        raise ValueError(f"no class tables for {kinds} classes")
    for table in [*value, *classes.values()]:
        if (table < 1).any() or (table.sum(-1) != TOTAL).any():
            raise ValueError("a probability table does not sum to 2^24")
    return Tables(tuple(value), classes)


def read_priors(
    tensors: dict[str, np.ndarray], metadata: dict[str, str], class_channels: tuple[int, ...]
) -> dict[str, PriorWeights]:
    """The two priors, their shapes and ranges checked."""
    shifts = json.loads(metadata["shifts"])
    width = class_channels[-1]
    sizes = ((width, len(class_channels), 1), (width, len(class_channels), width + 4))
    priors = {}
    for name, (channels, classes, planes) in zip(PRIORS, sizes, strict=True):
        if shifts[name] not in range(MAX_SHIFT + 1):
            raise ValueError(f"the shift of {name} is not 0 to {MAX_SHIFT}")
        values = {field: tensors[f"{name}.{field}"].astype(np.float64) for field in PRIOR_FIELDS}
        hidden = len(values["hidden"])
        expected = {
            "context": (hidden, 9 * planes),
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
            if not field.endswith("_bias") and np.abs(values[field]).max(initial=0) > WEIGHT_LIMIT:
                raise ValueError(f"{name}.{field} has a weight beyond {WEIGHT_LIMIT}")
        if hidden > MAX_WIDTH:
            raise ValueError(f"{name} has more than {MAX_WIDTH} hidden units")
        priors[name] = PriorWeights(**values, shift=shifts[name])
    return priors


def read_class_channels(tensors: dict[str, np.ndarray]) -> tuple[int, ...]:
    """Coded channels per class."""
    counts = tuple(int(count) for count in tensors["cuts"])
    if counts[0] != 0 or any(a >= b for a, b in itertools.pairwise(counts)) or not 0 < counts[-1] <= MAX_WIDTH:
        raise ValueError(f"cuts must ascend from 0 to at most {MAX_WIDTH}")
    return counts
