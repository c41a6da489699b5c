"""Many files: worker processes that load the model once each and take one job after the other, and their events.

Every event is a mapping with `event`, documented in docs/batch.md.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from neurcodec.errors import INTERRUPTED, NcodecError, OutputError
from neurcodec.jobs import distributed, memory
from neurcodec.jobs.batch_plan import Job, Plan
from neurcodec.jobs.batch_work import skipping, work
from neurcodec.jobs.coders import shared_threads
from neurcodec.jobs.options import BatchReport, EncodeOptions, Event, EventCallback
from neurcodec.jobs.workers import context

_ENDS = ("done", "skipped", "error")
_events: Any = None  # in a worker: the queue to the main process
_busy = False  # in a worker: is a job running?
_here = threading.local()  # its attribute job: the one that this thread does


class _Warnings(logging.Handler):
    """Makes events of the package's warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the main process; records of other threads than a job's are passed over."""
        if (job := getattr(_here, "job", None)) is not None:
            _events.put(_event("warning", job, warning=" ".join(record.getMessage().split())))


def run(plan: Plan, workers: int, report: EventCallback) -> BatchReport:
    """Do the jobs in `workers` processes (in threads where a cluster codes the chunks) and report the events.

    Jobs whose target is there and whole are skipped unless their options say overwrite. A failing job does not stop the
    others. An interruption ends what runs, cleans up, and is raised when that is done.
    """
    jobs = [_sharing(job, workers) for job in plan.jobs] if workers > 1 else plan.jobs
    sizes = sum(job.source.stat().st_size for job in jobs if job.source.exists())
    report({"event": "plan", "jobs": len(jobs), "bytes": sizes, "passed_over": dict(plan.passed_over)})
    missing = {folder for job in jobs for folder in job.target.parents if not folder.exists()}
    try:
        made = _run(jobs, workers, report)
    finally:
        for folder in sorted(missing, key=lambda folder: -len(folder.parts)):
            with suppress(OSError):  # it is not there, or something is in it
                folder.rmdir()
    if made is None:
        raise KeyboardInterrupt
    return replace(made, passed_over=sum(plan.passed_over.values()))


def _run(jobs: list[Job], workers: int, report: EventCallback) -> BatchReport | None:
    """Do the jobs; None when it is interrupted. When it ends nothing holds the workers' semaphores any more."""
    ends: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    worst = 0
    remote = any(isinstance(job.options, EncodeOptions) and job.options.cluster for job in jobs)
    with suppress(KeyboardInterrupt), _started(min(workers, len(jobs)) or 1, remote) as (pool, events):
        futures = {job.number: pool.submit(_work, job) for job in jobs}
        for job in jobs:
            futures[job.number].add_done_callback(partial(_lost, events, job))
        while ends.total() < len(jobs):
            event = events.get()
            report(event)
            if event["event"] in _ENDS:
                ends[event["event"]] += 1
                worst = max(worst, event.get("exit_code", 0))
            if event["event"] == "done":
                sums.update(bytes=event["bytes"], source_bytes=event["source_bytes"])
        return BatchReport(len(jobs), ends["done"], ends["skipped"], ends["error"], worst, **sums)
    return None


def _sharing(job: Job, workers: int) -> Job:
    """The job with its share of the CPU threads."""
    return replace(job, options=replace(job.options, threads=shared_threads(job.options.threads, workers)))


@contextmanager
def _started(workers: int, threads: bool) -> Iterator[tuple[Executor, Any]]:
    """Workers, and the queue of their events; they end with the block, what they are doing too."""
    pool: Executor
    events: Any
    if threads:
        events, end = queue.SimpleQueue(), distributed.disconnect
        pool = ThreadPoolExecutor(workers, initializer=_share, initargs=(events,))
    else:
        start = context()
        reader, writer = start.Pipe(duplex=False)
        events, end = start.SimpleQueue(), writer.close
        pool = ProcessPoolExecutor(workers, start, _begin, (events, reader))
    try:
        yield pool, events
    except BaseException:
        end()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _share(events: Any) -> None:
    """In a new worker: know the queue, and tell warnings."""
    global _events
    _events = events
    logger = logging.getLogger("neurcodec")
    logger.handlers, logger.propagate = [_Warnings(logging.WARNING)], False


def _lost(events: Any, job: Job, future: Future[None]) -> None:
    """Tell of a job whose worker died; one that has ended has told that itself."""
    if future.cancelled() or not (error := future.exception()):
        return
    reason = "its worker process died" if isinstance(error, BrokenProcessPool) else f"{type(error).__name__}: {error}"
    events.put(_event("error", job, error=f"{job.source}: {reason}", exit_code=NcodecError.exit_code))


def _begin(events: Any, parent: Connection) -> None:
    """In a new worker: leave interruptions to the main process, and end when that says so or dies."""
    _share(events)
    memory.keep()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)

    def watch() -> None:
        wait([parent])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """In a worker: end it, a running job after it has cleaned up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not _busy:
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt


def _event(kind: str, job: Job, **facts: object) -> Event:
    return {"event": kind, "job": job.number, "file": str(job.source), "output": str(job.target)} | facts


def _work(job: Job) -> None:
    """In a worker: do a job, and tell how it ends."""
    global _busy
    _busy, _here.job = True, job

    def tell(kind: str, **facts: object) -> None:
        _events.put(_event(kind, job, **facts))

    try:
        if (known := skipping(job)) is not None:
            tell("skipped", **known)
            return
        tell("start")
        tell("done", **work(job, tell))
    except NcodecError as error:
        tell("error", error=" ".join(str(error).split()), exit_code=error.exit_code)
    except OSError as error:
        tell(
            "error", error=f"{error.filename or job.source}: {error.strerror or error}", exit_code=OutputError.exit_code
        )
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        _busy, _here.job = False, None
