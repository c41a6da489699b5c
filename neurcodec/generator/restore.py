"""One-step restoration of a chunk's coarse frames, a group at a time (spec section 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from neurcodec.coarse.codec import CoarseFrame, to_device
from neurcodec.entropy.conditioning import FULL, NO_CONDITIONING, Conditioning
from neurcodec.entropy.texture import CELL, LEVELS, NO_GAP
from neurcodec.extensions.branches import conditions
from neurcodec.generator.condition import Condition, FrameKind, spread_texture
from neurcodec.generator.diffusion import TIMESTEP, terminal_noise
from neurcodec.generator.model import Generator, State

GROUP = 4
"""Frames refined jointly; groups are counted from the chunk's first frame."""
LUMA = (0.299, 0.587, 0.114)
"""Of RGB, for the texture levels of a coarse picture."""


def working_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes it fast, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


@lru_cache(maxsize=2)
def noise_on(device: torch.device, height: int, width: int) -> Tensor:
    """x_T of a frame on a device."""
    return terminal_noise(height, width).to(device)


def fetch(pictures: Tensor, height: int, width: int) -> Callable[[], NDArray[np.uint8]]:
    """Start to bring pictures (N, 3, H, W) in 0..1 to the host; the function gives them, uint8 (N, height, width, 3).

    From a CUDA device they are copied into pinned memory while the device goes on with the next group.
    """
    pixels = pictures[:, :, :height, :width].clamp(0, 1).mul(255).add(0.5)
    pixels = pixels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    if pixels.device.type != "cuda":
        return pixels.numpy
    host = torch.empty(pixels.shape, dtype=torch.uint8, pin_memory=True)
    host.copy_(pixels, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()

    def wait() -> NDArray[np.uint8]:
        copied.synchronize()
        return host.numpy()

    return wait


@torch.inference_mode()
def refine(
    generator: Generator, group: list[CoarseFrame], condition: Condition, state: State | None
) -> tuple[Tensor, State]:
    """One diffusion step over a group: pictures (N, 3, H, W) in about 0..1, and the diffusion buffer.

    A compiled generator is for full groups only: compiling it again for the rest of a chunk would not pay. On CUDA its
    next call overwrites what it returned: of the buffer a copy is kept.
    """
    forward = generator if len(group) == GROUP else generator.forward
    coarse = torch.cat([frame.picture for frame in group])
    device = coarse.device
    noise = noise_on(device, *coarse.shape[2:])[None]
    features = torch.cat([frame.features for frame in group])
    with torch.autocast(device.type, working_type(device), enabled=working_type(device) is not torch.float32):
        x0, state = forward(
            coarse.contiguous(memory_format=torch.channels_last),
            noise,
            torch.full((len(group),), TIMESTEP, device=device),
            condition,
            features,
            len(group),
            state,
        )
    return x0.float(), tuple(part.clone() for part in state)


def restore(
    generator: Generator,
    frames: Iterable[CoarseFrame],
    quality: float,
    height: int,
    width: int,
    kinds: Iterable[FrameKind] | None = None,
    scale: float = 1.0,
    conditioning: Conditioning = NO_CONDITIONING,
    first: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Restore a chunk's frames in display order: uint8 (height, width, 3) each.

    quality: 0..63 of the chunk. kinds: what each frame is; by default its type. scale: of the base layer.
    conditioning: the chunk's; at strength 0 the generator is not asked. first: the number of the first
    frame in its chunk.
    """
    source = iter(frames)
    given = iter(kinds) if kinds is not None else None
    state: State | None = None
    fetching: deque[Callable[[], NDArray[np.uint8]]] = deque()
    while group := list(islice(source, GROUP)):
        device, padded = group[0].picture.device, (group[0].picture.shape[2], group[0].picture.shape[3])
        if not conditioning.strength:
            yield from fetch(torch.cat([frame.picture for frame in group]), height, width)()
            continue
        names = list(islice(given, len(group))) if given is not None else [FrameKind(frame.type) for frame in group]
        condition = Condition(
            to_device(np.array(names, dtype=np.int64), device),
            torch.full((len(group),), float(quality), device=device),
            torch.full((len(group),), float(scale), device=device),
            torch.full((len(group),), float(conditioning.texture), device=device) if conditioning.texture else None,
            spread(conditioning, group, height, width),
            conditions(conditioning.extensions, first, len(group), padded, device),
        )
        pictures, state = refine(generator, group, condition, state)
        first += len(group)
        if conditioning.strength < FULL:
            coarse = torch.cat([frame.picture for frame in group])
            pictures = torch.lerp(coarse, pictures, conditioning.strength / FULL)
        fetching.append(fetch(pictures, height, width))
        if len(fetching) > (device.type == "cuda"):  # on a CPU nothing would be gained by running ahead
            yield from fetching.popleft()()
    for wait in fetching:
        yield from wait()


def coarse_levels(group: list[CoarseFrame], height: int, width: int) -> Tensor:
    """The texture levels of each coarse picture, (N, 1, ceil(height / 32), ceil(width / 32)) (spec section 7.2)."""
    pictures = torch.cat([frame.picture for frame in group])[:, :, :height, :width]
    luma = 255 * (pictures * pictures.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    around = F.pad(luma, (1, 1, 1, 1), mode="reflect")
    rows = around[:, :, :-2, 1:-1] + around[:, :, 2:, 1:-1]
    columns = around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:]
    return 2 * torch.log2(1 + F.avg_pool2d((rows + columns - 4 * luma).abs(), CELL, ceil_mode=True))


def spread(conditioning: Conditioning, group: list[CoarseFrame], height: int, width: int) -> Tensor | None:
    """The texture levels of a group's frames, as far as a chunk's conditioning tells them: (N, 1, H/8, W/8)."""
    picture = group[0].picture
    if conditioning.texture_gap is not None:
        gap = to_device(conditioning.texture_gap, picture.device) - NO_GAP
        levels = (coarse_levels(group, height, width) + gap).clamp(0, LEVELS - 1)
    elif conditioning.texture_map is not None:
        levels = to_device(conditioning.texture_map, picture.device).expand(len(group), 1, -1, -1)
    else:
        return None
    return spread_texture(levels)[:, :, : picture.shape[2] // 8, : picture.shape[3] // 8]
