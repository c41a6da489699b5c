"""Help in groups: options under headings, examples at the end, the commands by what they are for."""

from __future__ import annotations

from typing import Any

import click

from neurcodec.errors import ArgumentError

_OPTIONS = {
    "Quality and size": (
        "quality", "qualities", "goal", "seconds", "target_size", "target_kbps", "target_ms_ssim", "target_lpips",
        "target_vmaf", "weights", "preset",
    ),
    "Part of the video": ("start", "end", "frames"),
    "Input and output": (
        "output_dir", "delete_source", "suffix", "format", "video_codec", "crf", "no_audio", "salvage", "no_limits",
        "resume", "force",
    ),
    "Running": ("jobs", "engine", "address", "gpus", "device", "compile", "threads", "as_json", "quiet", "verbose"),
}  # fmt: skip
_COMMANDS = {
    "Coding": ("encode", "decode", "batch"),
    "Looking": ("probe", "info", "verify", "play", "compare"),
}
_REST = "Coding"
"""The heading of options that are in no group: they say how frames are coded."""


class GroupedCommand(click.Command):
    """A command that lists its options in groups, and says arguments that mean nothing as wrong usage."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ArgumentError as error:
            raise click.UsageError(str(error), ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        headings: dict[str, list[tuple[str, str]]] = {name: [] for name in (next(iter(_OPTIONS)), _REST, *_OPTIONS)}
        places = {name: heading for heading, names in _OPTIONS.items() for name in names}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                place = "Running" if "--help" in parameter.opts else places.get(parameter.name or "", _REST)
                headings[place].append(record)
        for heading, records in headings.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


class GroupedCommands(click.Group):
    """A group that lists its commands in groups."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        places = {name: heading for heading, names in _COMMANDS.items() for name in names}
        headings: dict[str, list[str]] = {name: [] for name in (*_COMMANDS, "Models and measurements")}
        for name in self.list_commands(ctx):
            headings[places.get(name, "Models and measurements")].append(name)
        for heading, names in headings.items():
            rows = [(name, command) for name in names if (command := self.get_command(ctx, name)) is not None]
            with formatter.section(heading):
                formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in rows])


def examples(*lines: str) -> str:
    """An epilog of example commands, each with what it does behind a #."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
