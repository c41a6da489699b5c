"""`ncodec doctor`: what is installed here, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from neurcodec.cli._text import plain


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="All checks, as one JSON list.")
def command(as_json: bool) -> int:
    """Look at versions, devices and models, and test that latents decode exactly here.

    One line for each, with one of advice under what is wrong. The exit code is 1 if anything is.
    """
    from neurcodec.cli._checks import examine

    checks = []
    for check in examine():
        checks.append(check)
        if not as_json:
            click.echo(plain(f"{'ok' if check.ok else 'WRONG':<7}{check.name:<24}{check.found}"))
            if check.advice:
                click.echo(plain(f"{'':<7}-> {check.advice}"))
    if as_json:
        click.echo(json.dumps([{**asdict(check), "ok": check.ok} for check in checks], indent=2))
    return 0 if all(check.ok for check in checks) else 1
