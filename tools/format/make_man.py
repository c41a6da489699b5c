"""Writes the manual page from the commands: `python -m tools.format.make_man`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from neurcodec.cli import group
from tools.format.make_cli import ROOT, codes

PAGE = ROOT / "share" / "man" / "man1" / "ncodec.1"


def page() -> str:
    """The manual page, in roff."""
    context = click.Context(group, info_name="ncodec", **group.context_settings)
    parts = [
        '.TH NCODEC 1 "" neurcodec "User Commands"',
        ".SH NAME\nncodec \\- neural video codec for very low bitrates",
        ".SH SYNOPSIS\n.B ncodec\n.I COMMAND\n[\\fIOPTIONS\\fR] ...",
        ".SH DESCRIPTION",
        *_text(group.help or ""),
        ".SH COMMANDS",
        *_commands(group, context),
        ".SH EXIT STATUS",
        *(f".TP\n.B {code}\n{_escaped(meaning)}" for code, meaning in codes()),
        ".SH ENVIRONMENT",
        ".TP\n.B NEURCODEC_MODELS\nFolder of one's own models.",
        ".TP\n.B NEURCODEC_WEIGHTS\nFolder of the weights of metrics.",
        ".TP\n.B NEURCODEC_CACHE\nFolder of what has been measured.",
    ]
    return "\n".join(parts) + "\n"


def _commands(parent: click.Group, context: click.Context) -> Iterator[str]:
    for name in parent.list_commands(context):
        command = parent.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(command, own)
            continue
        usage = own.get_usage().removeprefix("Usage: ")
        yield f".SS {_escaped(' '.join(usage.split()))}"
        yield from _text(command.help or "")
        for parameter in command.get_params(own):
            record = parameter.get_help_record(own)
            if record is not None and isinstance(parameter, click.Option):
                yield f".TP\n.B {_escaped(record[0])}\n{_escaped(record[1])}"


def _text(text: str) -> Iterator[str]:
    """Paragraphs; those that click leaves as they are have their own lines."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith("\b\n"):
            yield ".PP\n.nf\n" + "\n".join(map(_escaped, paragraph.split("\n")[1:])) + "\n.fi"
        else:
            yield f".PP\n{_escaped(' '.join(paragraph.split()))}"


def _escaped(text: str) -> str:
    """Text that roff takes as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
