"""The networks of a model, loaded on one device: an immutable set that every codec shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError

from neurcodec.coarse.model import CoarseCodec
from neurcodec.coarse.network import Network
from neurcodec.codec.device import choose, reported
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import ModelError
from neurcodec.files.models import Model
from neurcodec.generator.model import Generator

N = TypeVar("N", bound=Network)


@dataclass(frozen=True)
class Networks:
    """A model's networks on a device; without a generator the coarse picture is shown."""

    model: Model
    device: torch.device
    entropy: EntropyModel
    coarse: CoarseCodec
    generator: Generator | None

    @property
    def features(self) -> int:
        """Channels of the coarse codec's feature buffer."""
        return int(self.coarse.config.features)


def load(model: Model, device: str = "auto", diffusion: bool = True, compile: bool = False) -> Networks:
    """The networks of a model; `compile` uses torch.compile for the generator. Raises ModelError or DeviceError.

    The last set is kept, so that a process that codes many files loads it once.
    """
    return _loaded(model, model.weights_hash + model.entropy_hash, device, diffusion, compile)


@lru_cache(maxsize=1)
def _loaded(model: Model, hashes: bytes, device_name: str, diffusion: bool, compile: bool) -> Networks:
    device = choose(device_name)
    entropy = EntropyModel.load(model.entropy_path)
    with reported(device):
        coarse = load_network(CoarseCodec, model.folder / "coarse", device)
        generator = load_network(Generator, model.folder / "generator", device) if diffusion else None
    if compile and generator is not None:
        generator.compile(dynamic=False, mode="reduce-overhead")  # with CUDA graphs, where there is CUDA
    return Networks(model, device, entropy, coarse, generator)


def load_network(kind: type[N], folder: Path, device: torch.device) -> N:
    """A network from its folder, in float32, for inference; ModelError when the folder does not hold one."""
    try:
        network = kind.load(folder).to(device)
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot load {kind.__name__}: {' '.join(str(error).split())}") from error
    if device.type == "cuda":  # the layout that its convolutions in bfloat16 want
        for weight in network.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network


@contextmanager
def running(threads: int | None) -> Iterator[None]:
    """Let torch use that many CPU threads (None: its own choice) and no TF32 in convolutions, and undo it after."""
    before, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(threads or before)
    torch.backends.cudnn.allow_tf32 = False  # its rounding would add up along a chain of P frames
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.allow_tf32 = tf32
