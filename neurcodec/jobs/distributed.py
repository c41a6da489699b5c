"""Many machines: every chunk of a file is a Ray task; the results are gathered in order.

Placing the tasks and running those of lost workers again is Ray's work. The model must be installed on every machine
under the same name or path; its hashes are compared.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from neurcodec.container import Gop, ModelInfo
from neurcodec.errors import DependencyError, DeviceError, ModelError, NcodecError
from neurcodec.files import models
from neurcodec.files.models import Model
from neurcodec.jobs.options import Cluster, EncodeOptions, fitting

_connecting = Lock()  # threads may start at once

Rgb = npt.NDArray[np.uint8]


def connect(cluster: Cluster) -> Any:
    """The module `ray`, connected: to the cluster at `cluster.address`, else to one that is started on this machine.

    DependencyError without Ray, DeviceError without a cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise DependencyError("--engine ray needs Ray, which is not installed: pip install 'neurcodec[ray]'") from error
    with _connecting:
        if not ray.is_initialized():
            local: dict[str, Any] = {} if cluster.address else {"include_dashboard": False}
            try:
                if cluster.address and re.fullmatch(r"[^/]+:\d+", cluster.address):
                    reach(cluster.address)
                ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR, **local)
            except Exception as error:  # Ray raises the bare class where a node does not start
                where = f"at {cluster.address}" if cluster.address else "can be started here"
                raise DeviceError(f"no Ray cluster {where}: {str(error).splitlines()[0]}") from error
    return ray


def reach(address: str) -> None:
    """OSError when nothing answers at HOST:PORT: Ray itself goes on trying for many minutes."""
    host, port = address.rsplit(":", 1)
    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def disconnect() -> None:
    """Leave the cluster; whoever waits for a chunk gets an error."""
    import ray

    ray.shutdown()


def code_chunk(
    wanted: ModelInfo,
    options: EncodeOptions,
    rgb: Rgb,
    pts: tuple[int, ...],
    last_duration: int,
    quality: int,
    interval: int,
) -> Gop:
    """On a worker: code a chunk with its networks, which are loaded once per process."""
    from neurcodec.codec import profiles

    model = models.find(options.model)
    if model.info != wanted:
        raise ModelError(f"the model {options.model!r} of a Ray worker is another; install the same one everywhere")
    profile = fitting(options.profile, rgb.shape[2], rgb.shape[1])
    codec = profiles.encoding(profile, model, options)
    return codec.encode(rgb, pts, last_duration, quality, interval)


class RemoteCodec:
    """Stands where a codec stands in an encoding job; `encode` submits a chunk and gives what waits for its result.

    ahead: how many chunks may be under way when the next one is submitted.
    """

    def __init__(self, model: Model, options: EncodeOptions, cluster: Cluster) -> None:
        self._ray = connect(cluster)
        self.model = model
        self.tick: Callable[[], None] | None = None
        self._options = replace(options, threads=options.threads or 1)
        need = {"CPU": float(self._options.threads or 1), "GPU": cluster.gpus}
        self._task = self._ray.remote(num_cpus=need["CPU"], num_gpus=need["GPU"])(code_chunk)
        there = self._ray.cluster_resources()
        self.ahead = max(1, int(min(there.get(name, 0.0) / amount for name, amount in need.items() if amount)))

    def encode(
        self, rgb: Rgb, pts: tuple[int, ...], last_duration: int, quality: int, interval: int
    ) -> Callable[[], Gop]:
        """Submit frames uint8 (T, H, W, 3); the result, called, waits for their closed GOP."""
        result = self._task.remote(self.model.info, self._options, rgb, pts, last_duration, quality, interval)
        return partial(self._get, result)

    def _get(self, result: Any) -> Gop:
        try:
            gop: Gop = self._ray.get(result)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, NcodecError):
                raise error.cause from None
            raise NcodecError(f"a Ray worker failed: {str(error).splitlines()[-1]}") from error
        except self._ray.exceptions.RayError as error:
            raise NcodecError(f"a chunk was lost on the Ray cluster: {str(error).splitlines()[0]}") from error
        return gop
