"""Child processes with their costs: time, processor time, peak memory."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from neurcodec.errors import DependencyError, NcodecError

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Cost:
    """A process and its children: wall-clock and processor seconds, peak resident memory in bytes (sampled)."""

    seconds: float
    cpu_seconds: float
    peak_memory: int


def run_process(
    command: Sequence[str],
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    messages: bool = False,
) -> tuple[str, Cost]:
    """Run a child process to its end; returns its standard output and its cost; NcodecError when it fails.

    environment: what is added to ours. folder: where it runs. messages: return its standard error instead.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as said:
        try:
            variables = {**os.environ, **(environment or {})}
            child = psutil.Popen(command, stdout=output, stderr=said, env=variables, cwd=folder)
        except OSError as error:
            raise DependencyError(f"{command[0]}: cannot be run ({error})") from error
        peak, cpu = 0, 0.0
        while child.poll() is None:
            memory, processor = usage(child)
            peak, cpu = max(peak, memory), max(cpu, processor)
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - start
        output.seek(0)
        said.seek(0)
        if child.returncode != 0:
            lines = said.read().strip().splitlines() or ["no message"]
            raise NcodecError(f"'{' '.join(command)}' failed with exit code {child.returncode}: {lines[-1]}")
        return (said if messages else output).read(), Cost(seconds, cpu, peak)


def usage(process: psutil.Process) -> tuple[int, float]:
    """Resident bytes and processor seconds up to now of a process and its children; zeros once it is gone."""
    memory, seconds = 0, 0.0
    try:
        for member in (process, *process.children(recursive=True)):
            memory += member.memory_info().rss
            times = member.cpu_times()
            seconds += times.user + times.system
    except psutil.Error:
        return 0, 0.0
    return memory, seconds
