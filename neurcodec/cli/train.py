"""`ncodec train STAGE`: the stages of training, from folders of clips to a model folder (docs/training.md)."""

from __future__ import annotations

from pathlib import Path

import click

from neurcodec.cli import _common

STAGES = ("pairs", "coarse", "priors", "native", "captions", "generator", "export")


@click.command()
@click.argument("stage", type=click.Choice(STAGES))
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="Folder of clips or pictures (pairs, captions).",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of everything that training writes; a stage goes on from its last checkpoint.",
)
@click.option("--weights", type=click.Path(path_type=Path, exists=True), help="Folder with lpips/ and priors/.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("models/default"),
    show_default=True,
    help="Model folder (export).",
)
@click.option("--config", multiple=True, metavar="NAME=VALUE", help="Override a setting of the stage's config.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda[:N].")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")
@_common.quiet
def command(
    stage: str,
    data: tuple[Path, ...],
    runs: Path,
    weights: Path | None,
    out: Path,
    config: tuple[str, ...],
    device: str,
    threads: int,
    quiet: bool,
) -> None:
    """Run one training STAGE: pairs, coarse, priors, native, captions, generator, export - in this order.

    Stage captions may be left out. It reads what the clips show from the table SOURCES.md beside their folder.

    \b
    ncodec train pairs --data clips/ --data photos/
    ncodec train coarse --config minutes=60
    ncodec train priors
    ncodec train native
    ncodec train captions --data clips/
    ncodec train generator --weights weights/ --config minutes=120
    ncodec train export --out models/default
    """
    from neurcodec.training import stages

    _common.set_up_logging(quiet, verbose=True)
    settings = {}
    for item in config:
        name, separator, value = item.partition("=")
        if not separator:
            raise click.UsageError(f"--config {item}: write NAME=VALUE")
        settings[name] = value
    stages.run(stage, stages.Place(data, runs, weights, out, device, threads), settings)
