"""Arithmetic of the generator, counted on shapes alone: python -m tools.lab.flops [--model NAME|DIR] [--tflops 989].

One line for each picture size: GFLOP a frame (a multiplication and an addition are two), the bytes that convolutions
and products read and write in bfloat16, the most frames a second at a card's peak of arithmetic, of memory, and of
whichever binds each layer, and the memory that a group's tensors take at once. The defaults are an H100 SXM's data
sheet: 989 TFLOP/s in dense bfloat16, 3.35 TB/s.
"""

from __future__ import annotations

import argparse
import sys
import weakref
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

SIZES = ((640, 360), (1280, 720), (1920, 1080))
GROUP = 4


class Cost(TorchDispatchMode):
    """What the calls under it cost: FLOP and bytes of each layer, and the bytes alive at once; two bytes a number."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[tuple[float, float]] = []
        self.alive = self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        outputs = [item for item in (result if isinstance(result, tuple) else (result,)) if torch.is_tensor(item)]
        if function._overloadpacket in flop_registry:
            flop = flop_registry[function._overloadpacket](*arguments, **(options or {}), out_val=result)
            inputs = [item for item in arguments if torch.is_tensor(item)]
            self.layers.append((flop, sum(2 * item.numel() for item in (*inputs, *outputs))))
        for item in outputs:
            if item._base is None:
                self.alive += 2 * item.numel()
                weakref.finalize(item.untyped_storage(), self._free, 2 * item.numel())
        self.peak = max(self.peak, self.alive)
        return result

    def _free(self, size: int) -> None:
        self.alive -= size

    @property
    def flop(self) -> float:
        """Of all layers."""
        return sum(flop for flop, _ in self.layers)

    @property
    def moved(self) -> float:
        """Bytes that all layers read and write."""
        return sum(moved for _, moved in self.layers)

    def seconds(self, flops: float, bandwidth: float) -> float:
        """The least time on a card with these peaks, in FLOP/s and bytes/s: what binds each layer."""
        return sum(max(flop / flops, moved / bandwidth) for flop, moved in self.layers)


def generator_cost(folder: Path, width: int, height: int) -> Cost:
    """What a group of four frames of this size costs."""
    from neurcodec.coarse.network import read_config
    from neurcodec.generator.condition import Condition
    from neurcodec.generator.model import Generator

    with torch.device("meta"):
        network = Generator(**read_config(folder)).eval()
        rows, columns = -(-height // 16) * 16, -(-width // 16) * 16
        with torch.no_grad(), Cost() as cost:
            picture = torch.empty(GROUP, 3, rows, columns)
            features = torch.empty(GROUP, network.config.feature_channels, rows // 8, columns // 8)
            kind, ones = torch.zeros(GROUP, dtype=torch.long), torch.ones(GROUP)
            levels = torch.ones(GROUP, 1, rows // 8, columns // 8)
            condition = Condition(kind, ones, ones, texture=ones, texture_map=levels)
            network(picture, picture, torch.zeros(GROUP), condition, features, GROUP, None)
    return cost


def main() -> None:
    """Print the table."""
    from neurcodec.files import models

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--tflops", type=float, default=989.0)
    parser.add_argument("--tbps", type=float, default=3.35)
    options = parser.parse_args()
    folder = models.find(options.model).folder / "generator"
    flops, bandwidth = options.tflops * 1e12, options.tbps * 1e12
    head = "| picture | GFLOP a frame | MB a frame | frames/s, arithmetic | memory | each layer | MB at once |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for width, height in SIZES:
        cost = generator_cost(folder, width, height)
        rates = " | ".join(f"{GROUP / seconds:.0f}" for seconds in (
            cost.flop / flops, cost.moved / bandwidth, cost.seconds(flops, bandwidth)))  # fmt: skip
        lines.append(f"| {width}x{height} | {cost.flop / GROUP / 1e9:.1f} | {cost.moved / GROUP / 1e6:.0f} | {rates} "
                     f"| {cost.peak / 1e6:.0f} |")  # fmt: skip
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
