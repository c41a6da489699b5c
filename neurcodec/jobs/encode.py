"""Encoding a file: what it is made with, where it is written, and how often, to meet a rate target."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from neurcodec.codec.settings import Pictures
from neurcodec.container import Header, ModelInfo, Packet, Profile, tables
from neurcodec.errors import ArgumentError, InputError, OutputError
from neurcodec.files import models, pipes
from neurcodec.files.ffmpeg import video_suffixes
from neurcodec.files.output import atomic_file, check_target
from neurcodec.jobs.coders import Coder, Keeping, Pending, coder
from neurcodec.jobs.options import EncodeOptions, EncodeReport, Progress, ProgressCallback, fitting, ignore_progress
from neurcodec.jobs.rate import PROBES, SAMPLE, TYPICAL_PASSES, RatePlan
from neurcodec.jobs.store import FileStore, Fingerprint, MemoryStore, Store
from neurcodec.jobs.target import target_quality
from neurcodec.jobs.threads import prefetch
from neurcodec.jobs.workers import Loading
from neurcodec.jobs.writing import READ_AHEAD, Making, Pass, chunks, expected_frames, header, opened
from neurcodec.media import Frame, VideoReader


def encode_file(
    source: pipes.Place,
    target: pipes.Place,
    options: EncodeOptions | None = None,
    progress: ProgressCallback = ignore_progress,
) -> EncodeReport:
    """Code the video `source` as the .nvc file `target`; memory is bounded by the chunks that are under way.

    Both may be open binary files. A target that is a path appears only when it is whole. With `options.resume` a job
    that stops leaves its chunks in a file of the target's name and ".part", and takes them from there when it runs
    again. Raises the errors of neurcodec.errors.
    """
    options = options or EncodeOptions()
    _check_kinds(source, target)
    check_target(target, source, options.overwrite)
    with opened(pipes.media_again(source) if options.targeted else pipes.media(source), options) as reader:
        profile = fitting(options.profile, reader.info.width, reader.info.height)
        options = replace(options, profile=profile)
        loading = loading_of(profile, options, models.find(options.model).info)
        described = header(reader.info, profile)
        progress(Progress(0, expected_frames(reader.info), 0, 0.0))  # loading takes a moment
        found = None
        if options.metric is not None:
            from neurcodec.codec.networks import running  # torch takes seconds to load: not before the quick checks

            with running(options.threads):
                found = target_quality(source, options, loading.load(), progress)
            options = replace(options, quality=found.quality, target_ms_ssim=None, target_lpips=None, target_vmaf=None)
        with (
            _store(target, described, options) as store,  # outermost: it goes when the target is there
            _output(target, options) as output,
            _coder(loading, options) as own,
        ):
            codes = own if store is None else Keeping(own, store, Fingerprint(loading))
            making = Making(described, loading.info, codes, options, progress, set())
            if options.rated:
                with pipes.naming(source):
                    report = _fitted(source, reader, output, making)
            else:
                report = Pass(making, reader, output).run()
    return replace(report, found=found)


def _check_kinds(source: pipes.Place, target: pipes.Place) -> None:
    """Refuse a target whose name is a video's (OutputError), a source that is a folder or coded (InputError)."""
    if isinstance(target, Path) and target.suffix.lower() in video_suffixes():
        name, advice = target.with_suffix(".nvc"), "many files are for `ncodec batch encode`"
        raise OutputError(f"{target}: what encode writes is no {target.suffix[1:]}; name it {name} ({advice})")
    if isinstance(source, Path) and source.is_dir():
        raise InputError(f"{source}: a folder; `ncodec batch encode` codes the videos in it")
    if isinstance(source, Path) and source.is_file():
        with pipes.opened(source) as file:
            if file.read(len(tables.SIGNATURE)) == tables.SIGNATURE:
                advice = "`ncodec decode` turns it back into a video, `ncodec info` shows what it holds"
                raise InputError(f"{source}: an .nvc file, so it is encoded already; {advice}")


def loading_of(profile: Profile, options: EncodeOptions, info: ModelInfo) -> Loading:
    """How the codec of an encoding job is loaded; the layered one looks at what the generator makes of its base."""
    looks = options.metric is not None or (profile is Profile.LAYERED and options.preset != "fast")
    return Loading(profile, options.model, info, options.device, looks, threads=options.threads)


def _coder(loading: Loading, options: EncodeOptions) -> Coder:
    if options.cluster is not None:
        from neurcodec.jobs.distributed import Remote

        return Remote(loading, options.cluster)
    return coder(loading, options.workers or 1)


@contextmanager
def _output(target: pipes.Place, options: EncodeOptions) -> Iterator[BinaryIO]:
    """Where the file is written before it is the target, with a rate target more than once."""
    if not isinstance(target, Path):
        yield from _into(target, options.rated)
    elif target != pipes.STANDARD:
        with atomic_file(target, again=options.resume) as temporary, temporary.open("wb") as file:
            yield file
    else:
        with pipes.standard_output() as output:
            yield from _into(output, options.rated)


def _into(output: BinaryIO, again: bool) -> Iterator[BinaryIO]:
    """The output itself, or a file whose bytes go there in the end."""
    if not again:
        yield output
        return
    with TemporaryFile() as whole:
        yield cast(BinaryIO, whole)
        whole.seek(0)
        shutil.copyfileobj(whole, output)


def _store(target: pipes.Place, described: Header, options: EncodeOptions) -> AbstractContextManager[Store | None]:
    """Where chunks are looked for before they are coded; None where nothing would be found."""
    if options.resume:
        if not isinstance(target, Path) or target == pipes.STANDARD:
            raise ArgumentError("resume needs a target with a name")
        return FileStore(target.with_name(f"{target.name}.part"), described)
    return nullcontext(MemoryStore() if options.rated else None)


def _fitted(source: pipes.Place, reader: VideoReader, output: BinaryIO, making: Making) -> EncodeReport:
    """Write the file as often as it takes to meet the rate target; chunks that keep their quality are coded once."""
    plan = RatePlan(making.options.target_size, making.options.target_kbps)
    cuts = _probe(reader, making, plan)
    for number in count(1):
        output.seek(0)
        output.truncate()
        stage = f"pass {number} of about {max(number, TYPICAL_PASSES)}"
        with opened(pipes.media_again(source), making.options) as again:
            report = Pass(making, again, output, plan, cuts, stage).run()
        if plan.settled(report.bytes):
            break
    return report


def _probe(reader: VideoReader, making: Making, plan: RatePlan) -> list[int]:
    """Tell the plan what samples of the chunks come to; returns the frames of each chunk."""
    options, base, total = making.options, float(reader.info.time_base), expected_frames(reader.info)
    waiting: deque[tuple[int, int, list[Pending]]] = deque()
    cuts: list[int] = []
    copied = 0

    def frames() -> Iterator[Frame]:
        nonlocal copied
        for item in items:
            if isinstance(item, Packet):
                copied += len(item.data) if options.audio else 0
            else:
                yield item

    def look(left: int) -> None:
        while len(waiting) > left:
            count, length, samples = waiting.popleft()
            plan.add(count, length, length * base, [pending() for pending in samples])

    def tell() -> None:
        making.progress(Progress(sum(cuts), total, 0, 0.0, len(cuts), "probes of all chunks"))

    tell()
    making.warn(reader)
    with closing(prefetch(reader.items(), READ_AHEAD)) as items:
        for whole in chunks(reader, frames(), options):
            cuts.append(len(whole.pts))
            sample = Pictures(whole.rgb[:SAMPLE], whole.pts[:SAMPLE], whole.last_duration)
            settings = [replace(options.settings, quality=quality) for quality in PROBES]
            samples = [making.coder.submit(sample, one, lambda: None) for one in settings]
            waiting.append((len(whole.pts), whole.pts[-1] + whole.last_duration - whole.pts[0], samples))
            look(making.coder.ahead)
            tell()
    look(0)
    plan.begin(copied)
    making.warn(reader)
    return cuts
