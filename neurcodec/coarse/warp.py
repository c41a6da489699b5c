"""Motion compensation with block vectors: overlapped blocks for pictures, plain blocks for features.

A vector (dx, dy) of a 16x16 block says that the block's pixels come from position + (dx, dy) of the reference.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16


@lru_cache(maxsize=8)
def pixel_grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pixel coordinates (1, H, 1) and (1, 1, W) as float32."""
    rows = torch.arange(height, dtype=torch.float32, device=device).view(1, height, 1)
    columns = torch.arange(width, dtype=torch.float32, device=device).view(1, 1, width)
    return rows, columns


def sample(picture: Tensor, flow: Tensor) -> Tensor:
    """Bilinear sampling of (N, C, H, W) at pixel + flow (N, 2, H, W), edges replicated."""
    height, width = picture.shape[2:]
    rows, columns = pixel_grid(height, width, picture.device)
    x = (columns + flow[:, 0]) * (2 / max(1, width - 1)) - 1
    y = (rows + flow[:, 1]) * (2 / max(1, height - 1)) - 1
    return F.grid_sample(picture, torch.stack([x, y], -1), mode="bilinear", padding_mode="border", align_corners=True)


def overlapped(picture: Tensor, vectors: Tensor) -> Tensor:
    """Overlapped block motion compensation: each pixel blends the predictions of its four nearest blocks.

    picture: (N, C, H, W), H and W multiples of 16. vectors: (N, 2, H/16, W/16) in pixels. The weights are bilinear in
    the distance to the blocks' centres.
    """
    height, width = picture.shape[2:]
    padded = F.pad(vectors, (1, 1, 1, 1), mode="replicate")
    spread = padded.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    rows, columns = pixel_grid(height, width, picture.device)
    down = ((rows + 0.5) / BLOCK - 0.5) % 1
    right = ((columns + 0.5) / BLOCK - 0.5) % 1
    half = BLOCK // 2
    result = torch.zeros_like(picture)
    for lower in (0, 1):
        for righter in (0, 1):
            top, left = half + lower * BLOCK, half + righter * BLOCK
            flow = spread[:, :, top : top + height, left : left + width]
            weight = (down if lower else 1 - down) * (right if righter else 1 - right)
            result = result + sample(picture, flow) * weight[:, None]
    return result


def warp_features(features: Tensor, vectors: Tensor) -> Tensor:
    """Plain block compensation of features (N, C, H/8, W/8) with vectors (N, 2, H/16, W/16) in pixels."""
    flow = vectors.repeat_interleave(2, 2).repeat_interleave(2, 3) / 8
    return sample(features, flow)
