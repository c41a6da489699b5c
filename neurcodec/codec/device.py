"""Where the networks run, with how many threads, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neurcodec.codec.settings import check_device
from neurcodec.errors import DeviceError


def choose(name: str) -> torch.device:
    """The device called auto (CUDA where there is one), cpu, cuda or cuda:N; DeviceError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    check_device(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(name.partition(":")[2] or 0) >= count:
        raise DeviceError(f"no device {name!r} here ({count} CUDA devices); use --device cpu")
    return torch.device(name)


@contextmanager
def reported(device: torch.device) -> Iterator[None]:
    """Turn torch's errors for memory that ran out, and for networks that cannot be compiled, into a DeviceError."""
    try:
        yield
    except RuntimeError as error:
        from torch._dynamo.exc import TorchDynamoException

        if "out of memory" in str(error) or "can't allocate memory" in str(error):
            advice = "free some or use --device cpu" if device.type == "cuda" else "free some"
            raise DeviceError(f"{device}: not enough memory for the networks at this size; {advice}") from error
        if isinstance(error, TorchDynamoException):
            need = "Triton" if device.type == "cuda" else "a C++ compiler (g++)"
            reason = str(error).strip().splitlines()[0]
            raise DeviceError(f"{device}: --compile needs {need} and failed ({reason}); leave it out") from error
        raise
