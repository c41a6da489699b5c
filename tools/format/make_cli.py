"""Writes docs/cli.md, the command reference, from the commands themselves: `python -m tools.format.make_cli`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click

from neurcodec import errors
from neurcodec.cli import group

ROOT = Path(__file__).parents[2]
WIDTH = 100


def sections(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    """Markdown of a command and of the commands inside it."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    path = context.command_path
    yield f"## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from sections(found, child, context)


def codes() -> list[tuple[int, str]]:
    """Exit codes with their meaning, from the exception tree."""
    rows = [(0, "Done"), (2, "Wrong usage: an unknown option, a bad value"), (errors.INTERRUPTED, "Ctrl-C or SIGTERM")]
    tree = ast.parse(Path(errors.__file__).read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            if node.name == "ArgumentError":  # of functions; a command says it as wrong usage
                continue
            rows.append((getattr(errors, node.name).exit_code, (ast.get_docstring(node) or "").rstrip(".")))
    return sorted(rows)


def reference() -> str:
    """The whole document."""
    table = "\n".join(f"| {code} | {meaning} |" for code, meaning in codes())
    head = (
        "# Command reference\n\nMade by `make docs` from the commands; do not edit.\n\n"
        "Errors are one line on standard error, `ncodec: error: what, where, what to do`, and an exit code:\n\n"
        f"| code | meaning |\n|---|---|\n{table}\n\n"
    )
    return head + "\n".join(sections(group, "ncodec"))


if __name__ == "__main__":
    (ROOT / "docs" / "cli.md").write_text(reference())
