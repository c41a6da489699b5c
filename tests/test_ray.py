"""--engine ray: with a stand-in for the package in every run, and (slow) with Ray where it is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from conftest import ENVIRONMENT, Run, scene, write_clip

import neurcodec
from neurcodec.container import ModelInfo, Profile
from neurcodec.errors import DependencyError, DeviceError, ModelError, NcodecError
from neurcodec.jobs import distributed
from neurcodec.jobs.options import Cluster, EncodeOptions
from neurcodec.jobs.workers import Loading

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


class TaskError(Exception):
    """What the stand-in raises for a task that failed."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(f"traceback\n{cause!r}")
        self.cause = cause


class FakeRay(ModuleType):
    """Runs a task when its result is asked for, and notes how many wait at most."""

    exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=ZeroDivisionError)

    def __init__(self, fail: BaseException | None = None) -> None:
        super().__init__("ray")
        self.waiting = self.most = 0
        self.needs: dict[str, float] = {}
        self.fail = fail

    def is_initialized(self) -> bool:
        """There is a cluster."""
        return True

    def cluster_resources(self) -> dict[str, float]:
        """Two workers."""
        return {"CPU": 2.0, "GPU": 1.0}

    def remote(self, **needs: float) -> Callable[[Callable[..., Any]], Any]:
        """A decorator: tasks are closures."""
        self.needs = needs
        return lambda function: SimpleNamespace(remote=lambda *arguments: self._submit(function, arguments))

    def _submit(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Callable[[], Any]:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return lambda: function(*arguments)

    def get(self, task: Callable[[], Any]) -> Any:
        """Run it."""
        self.waiting -= 1
        if self.fail is not None:
            raise self.fail
        return task()


def test_the_bytes_of_a_local_run(
    clip: Path, coded: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    options = {"model": str(tiny_model), "gop_seconds": Fraction(1, 10), "bitexact": True}
    neurcodec.encode(clip, tmp_path / "local.nvc", **options)
    report = neurcodec.encode(clip, tmp_path / "ray.nvc", cluster=Cluster(gpus=0.5), **options)
    assert (report.chunks, fake.most) == (10, 3)  # two are being coded, one is next
    assert fake.needs == {"num_cpus": 1.0, "num_gpus": 0.5}
    assert (tmp_path / "ray.nvc").read_bytes() == (tmp_path / "local.nvc").read_bytes()


def test_what_can_go_wrong(clip: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode() -> None:
        neurcodec.encode(clip, tmp_path / "out.nvc", model=str(tiny_model), cluster=Cluster())

    for fault, kind, message in (
        (TaskError(ModelError("not here")), ModelError, "^not here$"),
        (TaskError(KeyError("x")), NcodecError, r"a Ray worker failed: KeyError\('x'\)"),
        (ZeroDivisionError("node died"), NcodecError, "a chunk was lost on the Ray cluster: node died"),
    ):
        monkeypatch.setitem(sys.modules, "ray", FakeRay(fault))
        with pytest.raises(kind, match=message):
            encode()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'neurcodec\[ray\]'"):
        encode()
    assert list(tmp_path.iterdir()) == []
    other = ModelInfo("x", bytes(16), bytes(16))
    with pytest.raises(ModelError, match="of a worker is another"):
        Loading(Profile.NATIVE, str(tiny_model), other).load()
    with pytest.raises(ValueError, match="a target and a cluster"):
        EncodeOptions(cluster=Cluster(), target_size=1000)


@pytest.mark.slow
@needs_ray
def test_batch_on_a_real_cluster_with_a_killed_worker(ncodec: Run, tiny_model: Path, tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    (tmp_path / "clips").mkdir()
    for number in range(2):
        write_clip(tmp_path / "clips" / f"{number}.mkv", scene(200, (160, 96), seed=number))
    options = ("--model", tiny_model, "--gop", "0.2", "--threads", "1", "--bitexact")
    run = ncodec("batch", "encode", tmp_path / "clips", "--output-dir", tmp_path / "local", *options, timeout=280)
    assert run.returncode == 0, run.stderr
    command = [sys.executable, "-m", "neurcodec", "batch", "encode", tmp_path / "clips", *options]
    command += ["--output-dir", tmp_path / "ray", "--jobs", "2", "--engine", "ray"]
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        deadline = time.monotonic() + 240
        workers: list[Any] = []
        while not workers and time.monotonic() < deadline and process.poll() is None:
            started = [path for path in (tmp_path / "ray").glob(".*.nvc") if path.stat().st_size > 2000]
            tree = psutil.Process(process.pid).children(recursive=True) if started else []
            workers = [child for child in tree if "ray::encode_chunk" in " ".join(child.cmdline())]
            time.sleep(0.05)
        assert workers
        workers[0].kill()
        _, stderr = process.communicate(timeout=280)
    assert process.returncode == 0, stderr
    for number in range(2):
        name = f"{number}.nvc"
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


@pytest.mark.slow
@needs_ray
def test_no_cluster_at_an_address() -> None:
    with pytest.raises(DeviceError, match=r"no Ray cluster at 127\.0\.0\.1:9"):
        distributed.connect(Cluster("127.0.0.1:9"))
