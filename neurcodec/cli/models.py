"""`ncodec models`: the installed networks."""

from __future__ import annotations

from pathlib import Path

import click


@click.group(name="models")
def command() -> None:
    """List the installed models, show where they are, add some, check them."""


@command.command(name="list")
def list_() -> None:
    """One line per model: name, size, hashes of the pictures' weights and of the latents' integers."""
    from neurcodec.files import models

    for model in models.available():
        size = sum(path.stat().st_size for path in (model.entropy_path, *model.weight_paths))
        click.echo(f"{model.name:<16}{size / 1e6:6.1f} MB  {model.weights_hash.hex()}  {model.entropy_hash.hex()}")


@command.command()
@click.argument("name", required=False)
def path(name: str | None) -> None:
    """The folder of model NAME, or without it the folders in which models are looked for."""
    from neurcodec.files import models

    folders = [models.find(name).folder] if name else models.model_folders()
    for folder in folders:
        click.echo(folder)


@command.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def add(folder: Path) -> None:
    """Check the model in DIR and keep a copy, which files that name its hashes are then decoded with."""
    from neurcodec.codec import networks
    from neurcodec.files import models

    networks.load(models.find(str(folder)), "cpu")
    click.echo(models.add(folder).folder)


@command.command()
@click.argument("name", metavar="NAME|DIR", default="default")
def verify(name: str) -> None:
    """Load every network of a model and check that its parts are whole and fit together."""
    from neurcodec.codec import networks
    from neurcodec.files import models

    model = models.find(name)
    networks.load(model, "cpu")
    click.echo(f"{model.name}: whole; weights {model.weights_hash.hex()}, entropy {model.entropy_hash.hex()}")
