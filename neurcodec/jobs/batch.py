"""Many files: a list of jobs, worker processes that load the model once each, and events that tell how it goes.

Every event is a mapping with `event`, `job` (its number from 0) and `file`, documented in docs/batch.md.
"""

from __future__ import annotations

import glob
import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from neurcodec.container import check
from neurcodec.errors import INTERRUPTED, InputError, NcodecError, OutputError, PartialError
from neurcodec.jobs import distributed, memory
from neurcodec.jobs.coders import shared_threads
from neurcodec.jobs.options import BatchReport, DecodeOptions, EncodeOptions, Event, EventCallback, Progress
from neurcodec.jobs.workers import context

Options = EncodeOptions | DecodeOptions

VIDEOS = {
    ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv",
    ".ts", ".vob", ".webm", ".wmv", ".y4m",
}  # fmt: skip
"""Suffixes that make a file of a folder an input of `batch encode`."""

_PAUSE = 0.5  # seconds between progress events of a job
_events: Any = None  # in a worker: the queue to the main process
_busy = False  # in a worker: is a job running?
_here = threading.local()  # its attribute job: the one that this thread does


class _Warnings(logging.Handler):
    """Makes events of the package's warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the main process; records of other threads than a job's are passed over."""
        if (job := getattr(_here, "job", None)) is not None:
            _events.put(_event("warning", job, warning=" ".join(record.getMessage().split())))


@dataclass(frozen=True)
class Job:
    """One file of a batch."""

    number: int
    source: Path
    target: Path
    options: Options


def plan(inputs: Iterable[str], folder: Path, suffix: str, options: Options) -> list[Job]:
    """The jobs for files, folders (searched through) and globs; the trees are mirrored below `folder`.

    InputError for an input that is not there, OutputError where two would become one file.
    """
    wanted = VIDEOS if isinstance(options, EncodeOptions) else {".nvc"}
    jobs: dict[Path, Job] = {}
    sources: set[Path] = set()
    for name in inputs:
        for source, place in _expand(name, wanted):
            if source.resolve() in sources:
                continue
            sources.add(source.resolve())
            target = folder / place.with_suffix(suffix)
            if target in jobs:
                raise OutputError(f"{target}: both {jobs[target].source} and {source} would become it; rename one")
            jobs[target] = Job(len(jobs), source, target, options)
    return list(jobs.values())


def _expand(name: str, wanted: set[str]) -> Iterator[tuple[Path, Path]]:
    """The files of an input, each with its path below the output folder."""
    path = Path(name)
    if path.is_file():
        yield path, Path(path.name)
        return
    if path.is_dir():
        root = path
        found = sorted(Path(folder, name) for folder, _, names in os.walk(path, onerror=_unread) for name in names)
    else:
        found = sorted(Path(match) for match in glob.glob(name, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if not found or not glob.has_magic(name):
            raise InputError(f"{name}: no such file, folder or match")
        root = Path(*path.parts[: next(i for i, part in enumerate(path.parts) if glob.has_magic(part))])
        wanted = {match.suffix.lower() for match in found}
    for match in found:
        if match.is_file() and match.suffix.lower() in wanted and not match.name.startswith("."):
            yield match, match.relative_to(root)


def _unread(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror})")


def run(jobs: list[Job], workers: int, report: EventCallback) -> BatchReport:
    """Do the jobs in `workers` processes (in threads where a cluster codes the chunks) and report the events.

    Jobs whose target is there and whole are skipped unless their options say overwrite. A failing job does not stop the
    others.
    """
    if workers > 1:
        jobs = [_sharing(job, workers) for job in jobs]
    remote = any(isinstance(job.options, EncodeOptions) and job.options.cluster for job in jobs)
    pool, events = _start(min(workers, len(jobs)) or 1, remote)
    futures: dict[Future[None], Job] = {}
    ends: Counter[str] = Counter()
    worst = 0
    try:
        for job in jobs:
            futures[pool.submit(_work, job)] = job
        for future in futures:
            future.add_done_callback(lambda done: events.put(_lost(futures[done], done)))
        while ends.total() < len(jobs):
            event = events.get()
            if event is None:
                continue
            report(event)
            if event["event"] in ("done", "skipped", "error"):
                ends[event["event"]] += 1
                worst = max(worst, event.get("exit_code", 0))
    except KeyboardInterrupt:
        if remote:
            distributed.disconnect()
            pool.shutdown(cancel_futures=True)  # threads clean up, as what they wait for has failed
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return BatchReport(len(jobs), ends["done"], ends["skipped"], ends["error"], worst)


def _sharing(job: Job, workers: int) -> Job:
    """The job with its share of the CPU threads."""
    return replace(job, options=replace(job.options, threads=shared_threads(job.options.threads, workers)))


def _start(workers: int, threads: bool) -> tuple[Executor, Any]:
    """Workers, and the queue of their events."""
    events: Any
    if threads:
        events = queue.SimpleQueue()
        return ThreadPoolExecutor(workers, initializer=_share, initargs=(events,)), events
    start = context()
    events = start.SimpleQueue()
    return ProcessPoolExecutor(workers, start, _begin, (events,)), events


def _share(events: Any) -> None:
    """In a new worker: know the queue, and tell warnings."""
    global _events
    _events = events
    logger = logging.getLogger("neurcodec")
    logger.handlers, logger.propagate = [_Warnings(logging.WARNING)], False


def _lost(job: Job, future: Future[None]) -> Event | None:
    """The event of a job whose worker died; None for one that has told its end itself."""
    if future.cancelled() or not (error := future.exception()):
        return None
    reason = "its worker process died" if isinstance(error, BrokenProcessPool) else f"{type(error).__name__}: {error}"
    return _event("error", job, error=f"{job.source}: {reason}", exit_code=NcodecError.exit_code)


def _begin(events: Any) -> None:
    """In a new worker: leave interruptions to the main process, and end with it."""
    _share(events)
    memory.keep()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
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
    """In a worker: do a job."""
    global _busy
    _busy, _here.job = True, job
    try:
        if not job.options.overwrite and _whole(job):
            _events.put(_event("skipped", job))
            return
        _events.put(_event("start", job))
        _events.put(_event("done", job, **_code(job)))
    except NcodecError as error:
        _events.put(_event("error", job, error=" ".join(str(error).split()), exit_code=error.exit_code))
    except OSError as error:
        reason = f"{error.filename or job.source}: {error.strerror or error}"
        _events.put(_event("error", job, error=reason, exit_code=OutputError.exit_code))
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    finally:
        _busy, _here.job = False, None


def _whole(job: Job) -> bool:
    """Is the job's output there and whole? Outputs appear only when they are; an .nvc file is checked besides."""
    if not job.target.is_file():
        return False
    if isinstance(job.options, EncodeOptions):
        try:
            check(job.target)
        except NcodecError:
            return False
    return True


def _code(job: Job) -> Event:
    """Encode or decode, and say what came of it."""
    begun = last = time.monotonic()

    def progress(state: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _PAUSE:
            return
        last = now
        fps = state.frames / (now - begun)
        eta = round((state.total - state.frames) / fps, 1) if state.total and fps else None
        facts = {"frames": state.frames, "total": state.total, "bytes": state.bytes, "chunk": state.chunks}
        _events.put(_event("progress", job, **facts, fps=round(fps, 2), eta=eta))

    job.target.parent.mkdir(parents=True, exist_ok=True)
    options = replace(job.options, overwrite=True, workers=1)  # the files are what is done side by side
    facts: Event = {}
    if isinstance(options, EncodeOptions):
        from neurcodec.jobs.encode import encode_file

        encoded = encode_file(job.source, job.target, options, progress)
        facts = {"frames": encoded.frames, "chunks": encoded.chunks, "kbps": round(encoded.kbps, 3)}
        if encoded.found is not None:
            facts |= {"quality": encoded.found.quality, encoded.found.metric: round(encoded.found.value, 5)}
    else:
        from neurcodec.jobs.decode import decode_file

        decoded = decode_file(job.source, job.target, options, progress)
        facts = {"frames": decoded.frames, "chunks": decoded.chunks}
        if decoded.lost:
            facts |= {"lost": list(decoded.lost), "exit_code": PartialError.exit_code}
    seconds = time.monotonic() - begun
    facts |= {"bytes": job.target.stat().st_size, "seconds": round(seconds, 3)}
    return facts | {"fps": round(facts["frames"] / seconds, 2)}
