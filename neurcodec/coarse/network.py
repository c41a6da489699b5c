"""A network and its folder: the arguments that it was made with in config.json, its weights beside it.

The names in a folder are those that diffusers uses. It is not imported: that would take more than half of the time in
which a job starts (docs/decisions/0031-no-diffusers.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import nn

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


def read_config(folder: Path) -> dict[str, Any]:
    """The arguments in a network's folder."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return {name: value for name, value in config.items() if not name.startswith("_")}


class Network(nn.Module):
    """A module that knows the arguments it was made with, `config`."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.config = SimpleNamespace(**config)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The network of a folder, in float32, for inference.

        Raises OSError, ValueError, TypeError, RuntimeError or SafetensorError where the folder holds none.
        """
        network = cls(**read_config(folder))
        network.load_state_dict(load_file(folder / WEIGHTS))
        return network.float().eval()

    def save(self, folder: Path, dtype: torch.dtype = torch.bfloat16) -> None:
        """Write the network's folder, its weights as `dtype`."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {"_class_name": type(self).__name__, **vars(self.config)}
        (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        weights = {name: value.detach().to("cpu", dtype).contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
