"""`nevgate consent refuse`: say no to a class being collected for a purpose."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.consenting import ask_ledger, kept_line, use_options
from edge.cli.program import emit_json


@click.command()
@use_options
def command(
    data_class: str, purpose: str, role: str, config_path: Path | None, socket: Path | None, as_json: bool
) -> None:
    """Say no to a CLASS being collected for a PURPOSE; what you agreed to before ends, and its data go.

    \b
    Examples:
      nevgate consent refuse position service
      nevgate consent refuse cabin recording --role owner
    """
    answer = ask_ledger(
        config_path, socket, {"do": "refuse", "class": data_class, "purpose": purpose, "role": role}
    )
    if as_json:
        emit_json(dict(answer))
        return
    click.echo(f"You refused, as {role}: {data_class} is not collected for {purpose}")
    for line in kept_line(answer):
        click.echo(line)
