#!/usr/bin/env python3
"""Arithmetic of the generator, counted on shapes alone: python scripts/flops.py [--model NAME|DIR] [--tflops 989].

One line for each picture size: GFLOP a frame (a multiplication and an addition are two), the activations' bytes that
convolutions and products read and write in bfloat16, and the most frames a second at a card's peak of arithmetic and
of memory. The defaults are an H100 SXM's data sheet: 989 TFLOP/s in dense bfloat16, 3.35 TB/s.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
SIZES = ((640, 360), (1280, 720), (1920, 1080))
GROUP = 4


class _Bytes(torch.utils._python_dispatch.TorchDispatchMode):
    """Bytes, at two a number, that convolutions and matrix products read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        if any(word in str(function) for word in ("convolution", "mm", "attention")):
            outputs = result if isinstance(result, tuple) else (result,)
            self.total += sum(2 * item.numel() for item in (*arguments, *outputs) if isinstance(item, torch.Tensor))
        return result


def generator_cost(folder: Path, width: int, height: int) -> tuple[float, float]:
    """FLOP and bytes of a frame of this size, as one of a group of four."""
    from neurcodec.generator.model import Condition, Generator

    with torch.device("meta"):
        network = Generator.from_config(Generator.load_config(folder)).eval()
        rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
        picture = torch.empty(GROUP, 3, rows, columns)
        features = torch.empty(GROUP, network.config.feature_channels, rows // 8, columns // 8)
        condition = Condition(torch.zeros(GROUP, dtype=torch.long), torch.zeros(GROUP), torch.ones(GROUP))
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), _Bytes() as moved, counter:
            network(picture, picture, torch.zeros(GROUP), condition, features, GROUP, None)
    return counter.get_total_flops() / GROUP, moved.total / GROUP


def main() -> None:
    """Print the table."""
    from neurcodec.pipeline import models

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--tflops", type=float, default=989.0)
    parser.add_argument("--tbps", type=float, default=3.35)
    options = parser.parse_args()
    folder = models.find(options.model).folder / "generator"
    head = "| picture | GFLOP a frame | MB a frame | frames/s, arithmetic | frames/s, memory |"
    lines = [head, "|---|---|---|---|---|"]
    for width, height in SIZES:
        flop, moved = generator_cost(folder, width, height)
        rates = f"{options.tflops * 1e12 / flop:.0f} | {options.tbps * 1e12 / moved:.0f}"
        lines.append(f"| {width}x{height} | {flop / 1e9:.1f} | {moved / 1e6:.0f} | {rates} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
