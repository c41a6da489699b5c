"""`ncodec bench`: rate, quality, speed and memory beside x265, SVT-AV1 and VVenC (docs/bench.md)."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurcodec.cli import _common
from neurcodec.codec.settings import MAX_QUALITY
from neurcodec.errors import DependencyError
from neurcodec.jobs.options import DEFAULT_MODEL

if TYPE_CHECKING:
    from neurcodec.evaluation.codecs import Codec

NONE = "none"
DEFAULT_CACHE = Path("~/.cache/neurcodec/bench")


def _qualities(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        values = tuple(sorted({int(part) for part in _names(text)}))
    except ValueError as error:
        raise click.BadParameter("not a list of whole numbers such as 8,24,40,56") from error
    if any(not 0 <= value <= MAX_QUALITY for value in values):
        raise click.BadParameter(f"qualities are 0 to {MAX_QUALITY}")
    return values


def _names(text: str) -> list[str]:
    return [] if text == NONE else [part.strip() for part in text.split(",") if part.strip()]


def _program(name: str, text: str) -> Callable[[Any], Any]:
    """An option that says where a program is, to this process and its children (`evaluation.programs.find`)."""

    def tell(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[f"NEURCODEC_{name.upper()}"] = value

    return click.option(f"--{name}", metavar="PROGRAM", callback=tell, expose_value=False, help=text)


@click.command(name="bench")
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the report.")
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the text goes, with links to the pictures in --out.  [default: report.md in --out]",
)
@click.option(
    "--qualities",
    default="8,24,40,56",
    show_default=True,
    callback=_qualities,
    metavar="Q,Q...",
    help="Our qualities, at least four for a BD-rate; 'none' leaves our side out.",
)
@click.option(
    "--peers",
    default="x265,svtav1,vvenc",
    show_default=True,
    metavar="NAME,...",
    help="Peers (x264, x265, svtav1, vvenc), or single presets (svtav1-p6, svtav1-p4), or 'none'.",
)
@click.option("--metrics", metavar="NAME,...", help="Metrics (docs/bench.md).  [default: all but the extra ones]")
@_program("ffmpeg", "FFmpeg with libvmaf, for VMAF, XPSNR and VVenC.  [default: imageio-ffmpeg's]")
@_program("cvvdp", "ColorVideoVDP.")
@_program("ssimulacra2", "SSIMULACRA2.")
@click.option("--frames", type=click.IntRange(1, 100_000), default=96, show_default=True, help="Frames per clip.")
@click.option(
    "--profile",
    type=click.Choice(["auto", "native", "layered"]),
    default="auto",
    show_default=True,
    help="Our profile.",
)
@click.option("--model", default=DEFAULT_MODEL, show_default=True, metavar="NAME|DIR", help="Our networks' weights.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the metrics' weights.  [default: $NEURCODEC_WEIGHTS or ~/.cache/neurcodec/weights]",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_CACHE,
    show_default=True,
    help="Folder of results that need not be measured again.",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="REPORT.json",
    help="An earlier report: what has not changed since is not measured again.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Measurements at a time; more than one disturbs the speeds.",
)
@_common.quiet
def command(
    clips: tuple[Path, ...],
    out: Path,
    page: Path | None,
    qualities: tuple[int, ...],
    peers: str,
    metrics: str | None,
    frames: int,
    profile: str,
    model: str,
    weights: Path | None,
    cache: Path,
    known: Path | None,
    jobs: int,
    quiet: bool,
) -> None:
    """Measure this codec and its peers on the first frames of CLIPS.

    Writes report.json, report.md, one plot per metric and one strip of pictures per clip. What was measured before is
    taken from the cache, so that a rerun after a change of the model or the code measures our side only.
    """
    try:
        from neurcodec.evaluation import bench, report
        from neurcodec.evaluation import peers as peer_codecs
        from neurcodec.evaluation.cache import Cache, read_report
        from neurcodec.evaluation.metrics import DEFAULT, default_weights, load_networks
    except ImportError as error:
        raise DependencyError(
            f"bench needs packages that are not installed ({error}): pip install 'neurcodec[bench]'"
        ) from error
    codecs: list[Codec] = [*_ours(qualities, profile, model), *peer_codecs.select(_names(peers))]
    if not codecs:
        raise click.UsageError("nothing to measure: both --qualities and --peers are 'none'")
    networks = load_networks(_names(metrics) if metrics else DEFAULT, weights or default_weights())
    for name, reason in networks.missing.items():
        if not quiet:
            click.echo(f"ncodec: warning: {name} is left out: {reason}", err=True)
    store = Cache(cache.expanduser())
    if known is not None:
        store.learn(read_report(known))
    results = bench.run(clips, frames, codecs, networks, store, jobs, quiet)
    run = report.Run(results, codecs, networks, f"ncodec {shlex.join(sys.argv[1:])}", jobs)
    place = report.write(run, out, page)
    if not quiet:
        click.echo(f"ncodec: the report is {place}", err=True)


def _ours(qualities: tuple[int, ...], profile: str, model: str) -> list[Codec]:
    """Our codec with the hashes of its code and weights; none without qualities."""
    if not qualities:
        return []
    from neurcodec.evaluation.codecs import Neurcodec, code_hash
    from neurcodec.files.models import find

    info = find(model).info
    weights = f"{info.name} {info.entropy_hash.hex()[:16]} {info.weights_hash.hex()[:16]}"
    return [Neurcodec(qualities, model, f"{weights} code {code_hash()}", profile)]
