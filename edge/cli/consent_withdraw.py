"""`nevgate consent withdraw`: take a consent back."""

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
    """Take back the consent to a CLASS being collected for a PURPOSE.

    Collecting stops at once. What was collected under the consent alone is erased, within the time that the
    policy states; what a platform has received is not touched.

    \b
    Examples:
      nevgate consent withdraw position service
      nevgate consent withdraw position service -c /etc/nevgate/nevgate.toml --json
    """
    answer = ask_ledger(
        config_path, socket, {"do": "withdraw", "class": data_class, "purpose": purpose, "role": role}
    )
    if as_json:
        emit_json(dict(answer))
        return
    number = answer["entry"]["number"]
    click.echo(f"Consent {number} is withdrawn: {data_class} is not collected for {purpose} any more")
    if not answer.get("blocks_erased"):
        when = f"by {answer['erase_by']}" if answer["erase_by"] else "at once"
        click.echo(f"What was collected under it alone is erased {when}")
    for line in kept_line(answer):
        click.echo(line)
