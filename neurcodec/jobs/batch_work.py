"""What a batch does with one file, in a worker: skip it, or code it, and then verify it before its source goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from neurcodec.container import ModelInfo, check
from neurcodec.errors import DamageError, NcodecError, PartialError
from neurcodec.files import models
from neurcodec.jobs.batch_plan import Job
from neurcodec.jobs.inspection import verify_file
from neurcodec.jobs.options import DecodeOptions, EncodeOptions, Event, Progress
from neurcodec.jobs.writing import OWN_LIMITS

Tell = Callable[..., None]
"""Is called with the kind of an event and its fields."""
_PAUSE = 0.5  # seconds between progress events of a job
_NEAR = 0.1  # how far from a target size or rate the output of another target is


def skipping(job: Job) -> Event | None:
    """The fields of the event that says that a job is done already; None where it is not.

    Outputs appear only when they are whole; an .nvc file is checked besides.
    """
    if job.options.overwrite or not job.target.is_file():
        return None
    if isinstance(job.options, DecodeOptions):
        return {"differs": []}
    try:
        return {"differs": _differences(check(job.target, OWN_LIMITS), job.options)}
    except NcodecError:
        return None


def _differences(facts: dict[str, Any], options: EncodeOptions) -> list[str]:
    """Which of an .nvc file's own facts are not those that these options give; most options leave none."""
    found = []
    if not options.targeted and facts["quality"] != [options.settings.quality]:
        found.append(f"quality {' '.join(map(str, facts['quality']))}, not {options.settings.quality}")
    if options.target_size is not None and abs(facts["bytes"] / options.target_size - 1) > _NEAR:
        found.append(f"{facts['bytes']:,} bytes, not {options.target_size:,}")
    if options.target_kbps is not None and abs((facts["kbps"] or 0) / options.target_kbps - 1) > _NEAR:
        found.append(f"{facts['kbps'] or 0:.1f} kbps, not {options.target_kbps:g}")
    if options.profile is not None and facts["profile"] != options.profile.name.lower():
        found.append(f"{facts['profile']} profile, not {options.profile.name.lower()}")
    if facts["weights_hash"] != _model(options.model).weights_hash.hex():
        found.append("another model")
    return found


@cache
def _model(name: str) -> ModelInfo:
    """A model's hashes, which take a moment to compute."""
    return models.find(name).info


class _Teller:
    """Makes events of a job's progress, not too often."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._stage = tell, ""
        self._begun = self._told = time.monotonic()

    def __call__(self, state: Progress) -> None:
        """Tell where the job stands."""
        now = time.monotonic()
        if state.stage != self._stage:
            self._stage, self._begun = state.stage, now
        if now - self._told < _PAUSE:
            return
        self._told = now
        fps = state.frames / (now - self._begun) if now > self._begun else 0.0
        eta = round((state.total - state.frames) / fps, 1) if state.total and fps else None
        facts = {"frames": state.frames, "total": state.total, "bytes": state.bytes, "chunk": state.chunks}
        self._tell("progress", stage=state.stage, **facts, fps=round(fps, 2), eta=eta)


def work(job: Job, tell: Tell) -> Event:
    """Encode or decode, and say what came of it; the folder of the target is made."""
    begun, progress = time.monotonic(), _Teller(tell)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    options = replace(job.options, overwrite=True, workers=1)  # the files are what is done side by side
    source_bytes = job.source.stat().st_size
    facts: Event
    if isinstance(options, EncodeOptions):
        from neurcodec.jobs.encode import encode_file

        encoded = encode_file(job.source, job.target, options, progress)
        facts = {"frames": encoded.frames, "chunks": encoded.chunks, "kbps": round(encoded.kbps, 3)}
        if encoded.found is not None:
            facts |= {"quality": encoded.found.quality, encoded.found.metric: round(encoded.found.value, 5)}
        if job.delete_source:
            delete_source(job, options, encoded.frames)
    else:
        from neurcodec.jobs.decode import decode_file

        decoded = decode_file(job.source, job.target, options, progress)
        facts = {"frames": decoded.frames, "chunks": decoded.chunks}
        if decoded.lost:
            facts |= {"lost": list(decoded.lost), "exit_code": PartialError.exit_code}
    seconds = time.monotonic() - begun
    facts |= {"source_bytes": source_bytes, "bytes": job.target.stat().st_size, "seconds": round(seconds, 3)}
    return facts | {"fps": round(facts["frames"] / seconds, 2), "source_deleted": job.delete_source}


def delete_source(job: Job, options: EncodeOptions, frames: int) -> None:
    """Remove the source when all of the output decodes; an output that does not goes in its place."""
    try:
        report = verify_file(job.target, model=options.model)
        if report.frames != frames:
            raise DamageError(f"{job.target}: {report.frames} frames of {frames} are there; the source is kept")
    except NcodecError:
        job.target.unlink()
        raise
    job.source.unlink()
