"""`ncodec probe`: what a video would come to, before it is encoded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import neurcodec
from neurcodec.cli import _coding, _common
from neurcodec.cli._help import GroupedCommand, examples
from neurcodec.cli._text import plain
from neurcodec.codec.settings import MAX_QUALITY
from neurcodec.jobs.options import DEFAULT_QUALITY

if TYPE_CHECKING:
    from neurcodec.jobs.probe import ProbeReport, Trial

_EXAMPLES = examples("ncodec probe in.mp4", "ncodec probe in.mp4 --vmaf 70 --seconds 20", "ncodec probe in.mp4 --json")


def _qualities(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        values = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise click.BadParameter("not a list of whole numbers such as 9,15,21") from error
    if any(not 0 <= value <= MAX_QUALITY for value in values):
        raise click.BadParameter(f"qualities are 0 to {MAX_QUALITY}")
    return values


@click.command(name="probe", cls=GroupedCommand, epilog=_EXAMPLES)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path, readable=False))
@click.option("--qualities", callback=_qualities, metavar="Q,Q...", help="What is tried.  [default: 9,15,21,27,34]")
@click.option(
    "--vmaf",
    "goal",
    type=_common.Number(0, 100),
    metavar="X",
    help="Recommend the lowest quality with this VMAF.  [default: 80]",
)
@click.option(
    "--seconds",
    type=_common.Number(0, min_open=True),
    metavar="S",
    help="About how long it may take; one sample is always looked at.  [default: 60]",
)
@_coding.profile
@_coding.preset
@_coding.gop
@_coding.model
@_common.device
@_common.threads
@click.option("--json", "as_json", is_flag=True, help="Everything, as one JSON object.")
@_common.quiet
def command(source: Path, as_json: bool, quiet: bool, **choices: Any) -> None:
    """Would it pay? Code short samples of the video IN at several qualities.

    Shows for each what the whole file would have: its size, also as a share of the source's, the VMAF (with the extra
    [bench], or an FFmpeg with libvmaf), and how long encoding would take. Nothing is written.
    """
    from neurcodec.cli._progress import Bar

    _common.set_up_logging(quiet, verbose=False)
    with Bar("probe", quiet) as bar:
        report = neurcodec.probe(source, **choices, progress=bar)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
        return
    for line in _lines(source, report, choices["goal"]):
        click.echo(plain(line))


def _lines(source: Path, report: ProbeReport, goal: float | None) -> Iterator[str]:
    from neurcodec.jobs.probe import GOAL

    wanted = GOAL if goal is None else goal
    yield (f"{source}: {report.width}x{report.height}, {report.frames} frames, {_time(report.seconds)}, "
           f"{report.source_bytes:,} bytes; samples: {report.samples}")  # fmt: skip
    yield f"{'quality':>7}{'bytes':>16}{'of source':>11}{'kbps':>9}{'VMAF':>7}{'encoding':>10}"
    for trial in report.trials:
        value = "-" if trial.vmaf is None else f"{trial.vmaf:.1f}"
        yield (f"{trial.quality:>7}{trial.bytes:>16,}{trial.bytes / report.source_bytes:>11.1%}"
               f"{trial.bytes * 8 / 1000 / report.seconds:>9.1f}{value:>7}{_time(trial.seconds):>10}")  # fmt: skip
    if report.missing:
        yield f"no VMAF, so nothing is recommended but the default, -q {DEFAULT_QUALITY}: {report.missing}"
    elif report.recommended is None:
        yield f"VMAF {wanted:g} is not reached: this codec is for lower rates; x265 or AV1 do better there"
    else:
        yield _advice(report, report.recommended, wanted)


def _advice(report: ProbeReport, quality: int, goal: float) -> str:
    above: Trial = next(trial for trial in report.trials if trial.quality >= quality)
    share = above.bytes / report.source_bytes
    if share >= 1:
        return f"it would not pay: VMAF {goal:g} takes -q {quality}, which is larger than the source"
    return f"recommended: -q {quality}, for VMAF {goal:g}; at most {share:.1%} of the source"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
