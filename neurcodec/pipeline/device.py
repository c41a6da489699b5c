"""Where the networks run, and with how many threads."""

from __future__ import annotations

import re

import torch

from neurcodec.errors import DeviceError

_CUDA = re.compile(r"cuda(?::(\d+))?")


def choose(name: str) -> torch.device:
    """The device called auto (CUDA where there is one), cpu, cuda or cuda:N; DeviceError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    match = _CUDA.fullmatch(name)
    if not match:
        raise DeviceError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(match[1] or 0) >= count:
        raise DeviceError(f"no device {name!r} here ({count} CUDA devices); use --device cpu")
    return torch.device(name)


def limit_threads(threads: int | None) -> None:
    """Let torch use that many CPU threads; None leaves its own choice."""
    if threads is not None:
        torch.set_num_threads(threads)
