"""The native profile: a chunk's frames to a Gop and back, through coarse codec, bit plane and generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from neurcodec.coarse.codec import decode_chunk, encode_chunk, to_rgb
from neurcodec.coarse.model import CoarseCodec
from neurcodec.codec import side
from neurcodec.codec.device import choose, limit_threads, reported
from neurcodec.container import Gop, Header
from neurcodec.entropy import bitplane
from neurcodec.entropy.bitplane import FrameLatents
from neurcodec.entropy.model import EntropyModel
from neurcodec.errors import ModelError
from neurcodec.files.models import Model
from neurcodec.generator.model import Generator
from neurcodec.generator.restore import restore
from neurcodec.jobs.options import EncodeOptions

Network = TypeVar("Network", bound=ModelMixin)


class NativeCodec:
    """A model's networks on one device; `diffusion` loads the generator too, `compile` uses torch.compile for it.

    `tick`, when set, is called for every frame that `encode` has coded. `settings`: the options of the file that is
    being encoded, for what `encode` is not told.
    """

    def __init__(
        self,
        model: Model,
        device_name: str = "auto",
        threads: int | None = None,
        diffusion: bool = False,
        compile: bool = False,
    ) -> None:
        limit_threads(threads)
        self.device = choose(device_name)
        torch.backends.cudnn.allow_tf32 = False  # its rounding would add up along a chain of P frames
        self.model = model
        self.tick: Callable[[], None] | None = None
        self.settings = EncodeOptions()
        self.entropy = EntropyModel.load(model.entropy_path)
        with reported(self.device):
            self._coarse = load_network(CoarseCodec, model.folder / "coarse", self.device)
            self._generator = load_network(Generator, model.folder / "generator", self.device) if diffusion else None
        self.features = int(self._coarse.config.features)
        if compile and self._generator is not None:
            self._generator.compile(dynamic=False, mode="reduce-overhead")  # with CUDA graphs, where there is CUDA

    def encode(
        self, rgb: npt.NDArray[np.uint8], pts: tuple[int, ...], last_duration: int, quality: int, interval: int
    ) -> Gop:
        """Code frames uint8 (T, H, W, 3) as one closed GOP."""
        with reported(self.device):
            latents = encode_chunk(self._coarse, rgb, quality, interval, self.entropy.cuts, self.tick)
        return Gop(
            pts=pts,
            last_duration=last_duration,
            quality=quality,
            backbone_interval=interval,
            substreams=bitplane.encode(self.entropy, latents, quality) | side.encode(rgb, self.settings),
            latents_digest=bitplane.digest(latents),
        )

    def decode(self, gop: Gop, latents: Sequence[FrameLatents], header: Header) -> Iterator[npt.NDArray[np.uint8]]:
        """The pictures uint8 (H, W, 3) of a chunk; every chunk starts with a fresh generator state."""
        with reported(self.device):
            frames = decode_chunk(self._coarse, latents)
            if self._generator is not None:
                hints = side.hints(gop, header)
                yield from restore(self._generator, frames, gop.quality, header.height, header.width, hints=hints)
                return
            for frame in frames:
                yield to_rgb(frame.picture, header.height, header.width)


def load_network(kind: type[Network], folder: Path, device: torch.device) -> Network:
    """A network from its folder, in float32, for inference; ModelError when the folder does not hold one."""
    try:
        network = kind.from_pretrained(
            folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: cannot load {kind.__name__}: {' '.join(str(error).split())}") from error
    module: nn.Module = network
    module.to(device).eval()
    if device.type == "cuda":  # the layout that its convolutions in bfloat16 want
        for weight in module.parameters():
            if weight.dim() == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network
