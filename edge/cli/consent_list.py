"""`nevgate consent list`: what is collected by consent, and where each consent stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from edge.cli.consenting import RUNNING, ask_ledger, reaching_options
from edge.cli.console import page
from edge.cli.program import emit_json

_HEADINGS = ("class", "purpose", "state", "collected", "until", "consent", "may go to", "")


@click.command()
@reaching_options
def command(config_path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Show for each class and purpose whether it is collected, by law or by consent, and until when.

    Asks the gateway that runs; where none does, the journal is looked at, and nothing is collected.

    \b
    Examples:
      nevgate consent list
      nevgate consent list -c /etc/nevgate/nevgate.toml --json
      nevgate consent list --socket /run/nevgate/control.sock
    """
    state = ask_ledger(config_path, socket, {"do": "state"})
    if as_json:
        emit_json(
            {key: state[key] for key in ("policy", "clock", "uses", "contact", RUNNING) if key in state}
        )
        return
    policy, clock = state["policy"], state["clock"]
    click.echo(f"policy {policy['title']}, {policy['signature']}")
    if not clock["trusted"]:
        click.echo(f"no consent holds: {clock['why']}")
    if not state[RUNNING]:
        click.echo("no gateway runs, so nothing is collected now")
    table = Table(box=None, header_style="bold")
    for heading in _HEADINGS:
        table.add_column(heading)
    for use in state["uses"]:
        table.add_row(*_row(use, running=state[RUNNING]))
    page().print(table)
    if state.get("contact"):
        click.echo(f"ask {state['contact']}")


def _row(use: Mapping[str, Any], *, running: bool) -> tuple[str, ...]:
    consent = use["consent"] or {}
    number = f"{consent['number']}, {consent['role']}" if consent else ""
    if consent and not consent["keep"]:
        number += ", for one start"
    goes = ", ".join(use["jurisdictions"]) if use["leaves"] else "stays in the vehicle"
    collected = ("yes" if use["collected"] else "no") if running else ""
    return (
        use["class"],
        use["purpose"],
        use["state"],
        collected,
        consent.get("until", ""),
        number,
        goes,
        use["why"],
    )
