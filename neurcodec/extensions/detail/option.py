"""The option --detail."""

import click

OPTION = click.option(
    "--detail",
    type=click.IntRange(0, 255),
    default=0,
    show_default=True,
    metavar="N",
    help="layered: every Nth base frame carries latents, 0 none.",
)
