"""`ncodec info`: what is in an .nvc file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from neurcodec.cli import _common
from neurcodec.cli._text import plain


@click.command(name="info")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="Everything, as one JSON object.")
@_common.no_limits
def command(file: Path, as_json: bool, no_limits: bool) -> None:
    """Show what the .nvc FILE ("-": standard input) holds: picture, timing, rate, frame types, where the bytes go.

    Frames are I, P and S (motion only); in a layered file those of its base, and filled ones, and latents_P
    are the bytes of its detail.
    """
    import neurcodec

    facts = neurcodec.info(file, limits=not no_limits)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in _lines(facts):
        click.echo(plain(f"{name:<12}{value}"))


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    kinds = facts["bytes_by_kind"]
    shares = ", ".join(f"{name} {size:,} ({size / facts['bytes']:.1%})" for name, size in kinds.items() if size)
    rate = "variable" if facts["variable_frame_rate"] else f"{facts['frame_rate']:g}"
    streams = ", ".join(f"{stream['kind']} ({stream['codec']})" for stream in facts["streams"])
    lines = [
        ("format", f"{facts['format_version']}, {facts['profile']} profile, model {facts['model']}"),
        ("picture", f"{facts['width']}x{facts['height']}, {rate} frames/s"),
        ("length", f"{facts['frames']} frames, {facts['duration']:.3f} s, {facts['chunks']} chunks"),
        ("frames", ", ".join(f"{kind} {count}" for kind, count in facts["frame_types"].items())),
        ("quality", _range(facts["quality"])),
        ("bytes", f"{facts['bytes']:,}"),
        ("rate", f"{facts['bits_per_pixel']:.5f} bits/pixel, {facts['kbps'] or 0:.1f} kbps"),
        ("of these", shares),
    ]
    lines += [("caption", caption) for caption in facts["captions"]]
    if streams:
        lines.append(("streams", streams))
    return [*lines, *((f"  {key}", value) for key, value in sorted(facts["metadata"].items()))]


def _range(values: list[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"
