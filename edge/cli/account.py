"""`nevgate account`: what became of every frame and record, by the journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from edge.archive.accounts import KeptAccount, last_account
from edge.archive.destinations import DestinationState, read_destinations
from edge.archive.selection import moment_text
from edge.cli.account_table import account_table
from edge.cli.console import page
from edge.cli.journal_ls import destination_json, destination_table
from edge.cli.place import find_place, place_options
from edge.cli.program import emit_json
from edge.clock import NS_PER_S, TimeQuality


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(folder: Path | None, config_path: Path | None, as_json: bool) -> None:
    """Print the last account that the gateway wrote into its journal, and what each destination has now.

    The account goes into the journal whenever it goes up: every hour, unless configured otherwise. Below it
    stands, as of this moment, how many numbers each destination has acknowledged, how many are held in
    messages, unsent, or given up. Works while the gateway runs and after it has stopped.

    \b
    Examples:
      nevgate account
      nevgate account /var/lib/nevgate
      nevgate account --config /etc/nevgate/nevgate.toml --json | jq .destinations

    Exit status: 3 if the account does not balance.
    """
    with find_place(folder, config_path).open() as archive:
        kept = last_account(archive)
        destinations = read_destinations(archive.connection)
    if as_json:
        emit_json(_as_json(kept, destinations))
    else:
        _show(kept, destinations)
    if kept is not None and not kept.message.account.balanced:
        raise SystemExit(3)


def _show(kept: KeptAccount | None, destinations: Sequence[DestinationState]) -> None:
    console = page()
    if kept is None:
        click.echo("no account is in the journal yet: the first one comes after uplink.account_period_s")
    else:
        message = kept.message
        known = kept.timebase.quality is not TimeQuality.NONE
        when = (
            f"{moment_text(kept.timebase.wall_ns(message.t_ns))} ({kept.timebase.quality.name})"
            if known
            else f"{message.t_ns / NS_PER_S:.3f} s after boot {message.boot.hex()}"
        )
        span_s = (message.t_ns - message.since_ns) / NS_PER_S
        click.echo(f"vehicle {message.vehicle}, at {when}, over {span_s:,.0f} s; block {kept.number}")
        console.print(account_table(message.account))
    if destinations:
        click.echo("now, by the journal:")
        console.print(destination_table(destinations))


def _as_json(kept: KeptAccount | None, destinations: Sequence[DestinationState]) -> dict[str, object]:
    told: dict[str, object] | None = None
    if kept is not None:
        message = kept.message
        known = kept.timebase.quality is not TimeQuality.NONE
        told = {
            "block": kept.number,
            "vehicle": message.vehicle,
            "stream": message.stream.hex(),
            "boot": message.boot.hex(),
            "t_ns": message.t_ns,
            "since_ns": message.since_ns,
            "wall_ns": kept.timebase.wall_ns(message.t_ns) if known else None,
            "quality": kept.timebase.quality.name,
            "last_number": message.last_number,
            **message.account.as_json(),
        }
    return {"account": told, "destinations": [destination_json(one) for one in destinations]}
