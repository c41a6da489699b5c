"""The option --sketch."""

import click

OPTION = click.option("--sketch", is_flag=True, help="Add the edges of each chunk's first frame, for the generator.")
