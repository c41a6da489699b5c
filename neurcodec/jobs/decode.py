"""Decoding a file: pictures are made chunk by chunk and written in a thread of their own, with the packets."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from neurcodec.container import ModelInfo, Packet, Profile, Reader, VideoTrack
from neurcodec.errors import DamageError
from neurcodec.files import chapters, models, pipes
from neurcodec.files.ffmpeg import check_hardware
from neurcodec.files.frame_range import expected
from neurcodec.files.output import atomic_file, atomic_pictures, check_target, is_picture_pattern
from neurcodec.jobs.inspection import open_source
from neurcodec.jobs.options import DecodeOptions, DecodeReport, Progress, ProgressCallback, ignore_progress
from neurcodec.jobs.playback import Playback, decoder
from neurcodec.jobs.threads import Sink
from neurcodec.jobs.workers import Loading
from neurcodec.media import Frame, VideoInfo, VideoWriter

logger = logging.getLogger(__name__)

_WRITE_BEHIND = 16  # frames and packets


def decode_file(
    source: pipes.Place,
    target: pipes.Place,
    options: DecodeOptions | None = None,
    progress: ProgressCallback = ignore_progress,
) -> DecodeReport:
    """Turn the .nvc file `source` into the video `target`; memory is bounded by the chunks that are under way.

    The target's suffix chooses the format; .png takes a number pattern. It appears only when it is whole. "-" is
    standard input, or output as Matroska; both may also be open binary files. Raises the errors of neurcodec.errors;
    with `options.salvage` damage is reported in the result instead.
    """
    options = options or DecodeOptions()
    check_target(target, source, options.overwrite)
    if options.video_codec is not None:
        check_hardware(options.video_codec)
    with open_source(source, options.salvage, options.limits) as reader:
        loading = loading_of(reader.header.profile, reader.model, options)
        total = None if options.salvage else expected(reader, options.frame_range)
        progress(Progress(0, total, 0, 0.0))  # loading takes a moment
        with _output(target, options.overwrite) as output:
            with (
                _writer(output, reader, options) as writer,  # first: it knows at once whether it can be written
                decoder(loading, options.workers or 1) as own,
            ):
                job = _Job(Playback(reader, own, options.frame_range, options.salvage), writer, total, progress)
                job.run()
            for line in writer.warnings():
                logger.warning("%s", line)
            if not job.frames:
                raise DamageError("no chunk of frames is whole; nothing to decode")
    return job.report()


def loading_of(profile: Profile, wanted: ModelInfo, options: DecodeOptions) -> Loading:
    """How the codec that decodes a file is loaded; ModelError where its model is not here.

    Without diffusion a layered file needs none but for detail and filled frames, whose digest then says so.
    """
    native = profile is Profile.NATIVE
    model = models.for_file(wanted, options.model, latents=native, pictures=native or options.diffusion)
    if model.weights_hash != wanted.weights_hash and (native or options.diffusion):
        logger.warning("%s has other pixel weights than the encoder's; the picture may differ", model.folder)
    place = str(model.folder)
    return Loading(profile, place, model.info, options.device, options.diffusion, options.compile, options.threads)


def _output(target: pipes.Place, overwrite: bool) -> AbstractContextManager[Path | BinaryIO]:
    if not isinstance(target, Path):
        return nullcontext(target)
    if target == pipes.STANDARD:
        return pipes.standard_output()
    return atomic_pictures(target, overwrite) if is_picture_pattern(target) else atomic_file(target)


def _writer(target: Path | BinaryIO, reader: Reader, options: DecodeOptions) -> VideoWriter:
    """What the frames and packets are written with."""
    info = video_info(reader)
    if options.frame_range is not None:
        info = replace(info, chapters=())
    coding = None if options.crf is None else {"crf": str(options.crf)}
    format = options.format or (None if isinstance(target, Path) else "mkv")
    return VideoWriter(target, info, options.video_codec, coding, format)


class _Job:
    """One file being decoded."""

    def __init__(self, playback: Playback, writer: VideoWriter, total: int | None, progress: ProgressCallback) -> None:
        self.playback, self.writer, self.total, self.progress = playback, writer, total, progress
        self.reader = playback.reader
        self.frames = 0
        self.seconds = 0.0

    def run(self) -> None:
        """Decode everything."""
        self.progress(Progress(0, self.total, 0, 0.0))
        with (
            Sink[Frame | Packet](self._write, _WRITE_BEHIND) as sink,
            closing(iter(self.playback)) as items,
        ):
            for item in items:
                sink.put(item)

    def report(self) -> DecodeReport:
        """What was done, and lost."""
        gaps = [
            f"frames from {gap.first_frame} on are missing"
            if gap.frames is None
            else f"{gap.frames} frames from {gap.first_frame} on are missing"
            for gap in self.reader.gaps
        ]
        damage = [loss.reason for loss in self.reader.losses]
        return DecodeReport(self.frames, self.playback.chunks, (*damage, *self.playback.lost, *gaps))

    def _write(self, item: Frame | Packet) -> None:
        """In the writing thread."""
        if isinstance(item, Packet):
            self.writer.write_packet(item)
            return
        self.writer.write(item)
        self.frames += 1
        self.seconds += float(item.duration * self.reader.header.time_base)
        done = Progress(self.frames, self.total, self.playback.bytes, self.seconds, self.playback.chunks)
        self.progress(done)


def video_info(reader: Reader) -> VideoInfo:
    """The description that the written video gets."""
    metadata, marks = chapters.from_metadata(reader.metadata)
    return VideoInfo(
        **reader.header.common(),
        metadata=metadata,
        chapters=marks,
        streams=tuple(reader.streams[number] for number in sorted(reader.streams)),
        track=reader.track or VideoTrack(),
    )
