"""Stage `teacher`: what a strong restoration network makes of base frames, kept as files for the generator to learn
from.

The network is Real-ESRGAN's RRDBNet (Wang et al. 2018 and 2021; `priors/realesrgan_x4plus`), which enlarges four
times. It sees the base at its own size; its picture is brought to the source's size and gets the low frequencies of
the source. Bases of full size have no teacher: there the source is the target. Beside `NAME.SCALE.npy` comes
`NAME.SCALE.teacher.npy`, the frames from `first_frame` on. The stage goes through all bases again and again in a drawn
order, so that it can run beside stage pairs, and goes on where it was.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from neurcodec.errors import ModelError
from neurcodec.training.pairs import read_index

Frames = NDArray[np.uint8]

FILE = "realesrgan_x4plus.safetensors"
LOW = 13
"""Side of the squares, in pixels, whose means are the low frequencies."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """Settings of the stage. frames: how many adjacent ones of each base. seed: of the order. minutes: at most."""

    frames: int = 2
    seed: int = 1
    minutes: float = 1e9


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it; a fifth of the result is added to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = (
            nn.Conv2d(channels + number * growth, growth, 3, padding=1) for number in range(4)
        )
        self.conv5 = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen.append(F.leaky_relu(layer(torch.cat(seen, 1)), 0.2))
        added: Tensor = self.conv5(torch.cat(seen, 1))
        return x + 0.2 * added


class Block(nn.Module):
    """Three dense blocks in a row; a fifth of the result is added to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(channels, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """The teacher: RGB (N, 3, H, W) in 0..1 to about 0..1, (N, 3, 4 H, 4 W)."""

    def __init__(self, channels: int = 64, blocks: int = 23, growth: int = 32) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(Block(channels, growth) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2, self.conv_hr = (
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4)
        )
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    @classmethod
    def load(cls, folder: Path) -> RRDBNet:
        """The public weights in a folder of priors, frozen; ModelError when they are missing or others."""
        path = folder / FILE
        if not path.is_file():
            raise ModelError(f"{path}: weights file not found; give the folder above priors/ with --weights DIR")
        model = cls()
        try:
            model.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
        except RuntimeError as error:
            raise ModelError(f"{path}: not the weights of this network ({error})") from error
        return model.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for conv in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2)), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


def low(pictures: Tensor) -> Tensor:
    """The low frequencies of pictures (N, 3, H, W): means over LOW x LOW pixels."""
    rows = F.avg_pool2d(pictures, (LOW, 1), 1, (LOW // 2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, LOW), 1, (0, LOW // 2), count_include_pad=False)


def first_frame(entry: dict[str, Any], base: dict[str, Any]) -> int:
    """The first frame of a base that the teacher looks at: drawn by its name, four frames before the end at most."""
    return random.Random(base["file"]).randint(0, max(0, entry["frames"] - 4))


@torch.inference_mode()
def taught(teacher: RRDBNet, base: Frames, source: Frames) -> Frames:
    """The teacher's picture of a base frame (h, w, 3) at the size of its source (H, W, 3), and with its lows."""
    device = next(teacher.parameters()).device
    small, wanted = (
        torch.from_numpy(part).to(device).permute(2, 0, 1)[None].float().div(255) for part in (base, source)
    )
    with torch.autocast(device.type, torch.bfloat16):
        large = teacher(small.contiguous(memory_format=torch.channels_last)).float().clamp(0, 1)
    picture = F.interpolate(large, wanted.shape[2:], mode="bicubic", antialias=True)
    picture = picture + low(wanted) - low(picture)
    pixels = picture[0].permute(1, 2, 0).clamp(0, 1).mul(255).round().to(torch.uint8).cpu()
    return pixels.numpy()


def teacher_file(base: dict[str, Any]) -> str:
    """The name of the teacher's frames of a base."""
    return str(Path(base["file"]).with_suffix(".teacher.npy"))


def teach(teacher: RRDBNet, folder: Path, entry: dict[str, Any], base: dict[str, Any], frames: int) -> None:
    """Make the teacher's frames of one base, so that there are `frames` of them."""
    file = folder / teacher_file(base)
    made = list(np.load(file)) if file.exists() else []
    source = np.load(folder / entry["file"], mmap_mode="r")
    shown = np.load(folder / base["file"], mmap_mode="r")
    first = first_frame(entry, base)
    for number in range(first + len(made), min(first + frames, entry["frames"])):
        made.append(taught(teacher, np.array(shown[number]), np.array(source[number])))
    temporary = file.with_suffix(".tmp.npy")
    np.save(temporary, np.stack(made))
    temporary.replace(file)


def missing(folder: Path, frames: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The (source, base) of a folder of pairs that have fewer frames of the teacher than `frames`."""
    left = []
    for entry in read_index(folder):
        for base in entry["bases"]:
            file = folder / teacher_file(base)
            wanted = min(frames, entry["frames"] - first_frame(entry, base))
            if base["scale"] > 1 and (not file.exists() or len(np.load(file, mmap_mode="r")) < wanted):
                left.append((entry, base))
    return left


def run(teacher: RRDBNet, folder: Path, config: TeacherConfig) -> None:
    """Make what is missing in a folder of pairs, and what is added meanwhile."""
    order = random.Random(config.seed)
    cv2.setNumThreads(1)
    end = time.monotonic() + 60 * config.minutes
    while left := missing(folder, config.frames):
        order.shuffle(left)
        for entry, base in left[:40]:
            if time.monotonic() > end:
                return
            teach(teacher, folder, entry, base, config.frames)
