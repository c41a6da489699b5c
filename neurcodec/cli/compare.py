"""`ncodec compare`: two videos in one picture, video or page, with their sizes and metrics."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import neurcodec
from neurcodec.cli import _common
from neurcodec.errors import DependencyError
from neurcodec.files.output import atomic_file, check_target
from neurcodec.jobs.options import Progress

if TYPE_CHECKING:
    from neurcodec.cli._progress import Bar


@click.command(name="compare")
@click.argument("first", metavar="A", type=click.Path(path_type=Path, readable=False))
@click.argument("second", metavar="B", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A picture (.png, .jpg), a video (.mp4, .mkv, .mov), or a page with a wipe between the two (.html).",
)
@click.option("--split", is_flag=True, help="Of a picture or video, the left half of A and the right half of B.")
@click.option(
    "--frame",
    type=click.IntRange(0),
    metavar="N",
    help="The frame of a picture or page.  [default: one of typical motion, on a page six]",
)
@click.option("--frames", type=click.IntRange(1), default=300, show_default=True, help="Read at most so many frames.")
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the metrics' weights.  [default: $NEURCODEC_WEIGHTS or ~/.cache/neurcodec/weights]",
)
@click.option("--model", metavar="NAME|DIR", help="To decode .nvc files.  [default: the one that the file names]")
@_common.device
@_common.threads
@_common.force
@_common.quiet
def command(
    first: Path,
    second: Path,
    out: Path,
    split: bool,
    frame: int | None,
    frames: int,
    weights: Path | None,
    model: str | None,
    device: str,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """Show the videos A and B beside each other; .nvc files are decoded.

    The metrics are those of B against A (PSNR, MS-SSIM, and LPIPS when its weights are there), printed as well.
    """
    from neurcodec.cli._progress import Bar

    try:
        from neurcodec.evaluation import side_by_side
        from neurcodec.evaluation.metrics import default_weights, load_networks
    except ImportError as error:
        text = f"compare needs packages that are not installed ({error}): pip install 'neurcodec[bench]'"
        raise DependencyError(text) from error
    side_by_side.check_format(out, split)
    for source in (first, second):
        check_target(out, source, force)
    if frame is not None:
        frames = max(frames, frame + 1)
    decoding = {"model": model, "device": device, "threads": threads}
    with Bar("compare", quiet) as bar:
        sides = [side_by_side.load_side(path, frames, partial(_decode, decoding, bar)) for path in (first, second)]
        bar(Progress(0, None, 0, 0.0, stage="measuring and drawing"))
        networks = load_networks(("psnr", "ms-ssim", "lpips"), weights or default_weights())
        scores = side_by_side.score(sides[0], sides[1], networks)
        names = side_by_side.labels(sides[0], sides[1], scores)
        with atomic_file(out) as temporary:
            if side_by_side.is_page(out):
                side_by_side.save_page(temporary, sides, scores, frame)
            else:
                side_by_side.save(temporary, sides, names, split, frame)
    for name in names if not quiet else ():
        click.echo(name)


def _decode(options: dict[str, Any], bar: Bar, source: Path, target: Path) -> None:
    """Decode a side, and show how far that is."""
    neurcodec.decode(
        source, target, **options, progress=lambda state: bar(replace(state, stage=f"decoding {source.name}"))
    )
