"""`nevgate platform serve`: runs the platform at a broker and shows what comes in."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from edge.cli.broker_choices import BrokerChoice, broker_options, serving
from edge.cli.ending import stop_on_signal
from edge.clock import SystemClock
from simulator.platform.console import show, summarise


@click.command()
@broker_options(required=True)
@click.option(
    "--store", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The SQLite file."
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON a second; also when piped.")
def command(*, store: Path, as_json: bool, choice: BrokerChoice) -> None:
    """Receive vehicles' messages from a broker, check and store them, and answer with receipts.

    Runs until Ctrl-C and ends with its account. A message is acknowledged to the broker only once its records
    are on disk.

    \b
    Examples:
      nevgate platform serve --with-broker --keys keys/ --store platform.db
      nevgate platform serve --with-broker --port 18830 --keys keys/ --store platform.db
      nevgate platform serve --broker broker.example:8883 --tls --keys keys/ --store platform.db
      nevgate platform serve --broker 127.0.0.1:1883 --keys keys/ --store platform.db | jq .records
    """
    screen, errors = Console(), Console(stderr=True, highlight=False)
    as_json = as_json or not screen.is_terminal
    with stop_on_signal() as stop:
        with serving(choice, store, errors) as service:
            show(service, screen, SystemClock(), stop, as_json=as_json)
        summarise(service, screen, as_json=as_json)
        service.raise_failure()
