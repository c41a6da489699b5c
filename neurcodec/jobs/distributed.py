"""Many machines: every chunk of a file is a Ray task; the results are gathered in order.

Placing the tasks and running those of lost workers again is Ray's work. The model must be installed on every machine
under the same name or path; its hashes are compared.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from neurcodec.container import Gop
from neurcodec.errors import DependencyError, DeviceError, NcodecError
from neurcodec.jobs.options import Cluster
from neurcodec.jobs.workers import Loading, encode_chunk

if TYPE_CHECKING:
    from neurcodec.codec.chunk_codec import Tick
    from neurcodec.codec.settings import Pictures, Settings
    from neurcodec.jobs.coders import Pending

_connecting = Lock()  # threads may start at once


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


class Remote(AbstractContextManager["Remote"]):
    """Codes chunks as tasks of a cluster.

    ahead: how many chunks may be under way when the next one is submitted.
    """

    def __init__(self, loading: Loading, cluster: Cluster) -> None:
        self._ray = connect(cluster)
        self._loading = replace(loading, threads=loading.threads or 1)
        need = {"CPU": float(self._loading.threads or 1), "GPU": cluster.gpus}
        self._task = self._ray.remote(num_cpus=need["CPU"], num_gpus=need["GPU"])(encode_chunk)
        there = self._ray.cluster_resources()
        self.ahead = max(1, int(min(there.get(name, 0.0) / amount for name, amount in need.items() if amount)))

    def submit(self, pictures: Pictures, settings: Settings, tick: Tick) -> Pending:
        """Send a chunk to the cluster."""
        return partial(self._get, self._task.remote(self._loading, pictures, settings))

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

    def __exit__(self, *_: object) -> None:
        """The cluster outlives a file."""
