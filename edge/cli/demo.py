"""`nevgate demo`: the whole road on one machine, with a live table and a balanced account at the end."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from edge.cli.account_table import live_view, print_account
from edge.cli.ending import stop_on_signal
from edge.cli.program import Finite, emit_json
from edge.cli.running import UNFINISHED_EXIT
from edge.clock import NS_PER_S, SystemClock
from edge.gateway import Gateway
from edge.loading import Loaded
from simulator.demo import Demonstration, DemoPlan, demonstrate
from simulator.vehicle.player import Player
from simulator.vehicle.scenario import SCENARIOS

_REFRESH_NS = NS_PER_S // 4
_LINE_NS = 5 * NS_PER_S


class _Screen:
    """A live table on a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console, clock: SystemClock) -> None:
        self._console = console
        self._clock = clock
        self._shown_ns = 0
        self.live = Live(console=console, refresh_per_second=4, transient=True)

    def watch(self, gateway: Gateway, loaded: Loaded, player: Player) -> None:
        """Show the gateway, now and then."""
        now_ns = self._clock.boot_ns()
        terminal = self._console.is_terminal
        if now_ns - self._shown_ns < (_REFRESH_NS if terminal else _LINE_NS):
            return
        self._shown_ns = now_ns
        view = gateway.view()
        sent = player.hop().left
        if terminal:
            self.live.update(live_view(view, loaded.catalogue, f"demo: {sent:,} frames sent"))
        else:
            number = view.record.number if view.record else 0
            self._console.print(f"{sent:,} frames sent, record {number}, uplink {view.uplink.phase.value}")


@click.command()
@click.option(
    "--duration", "duration_s", type=Finite(min=2), default=20.0, show_default=True, help="Seconds."
)
@click.option(
    "--speed", type=Finite(min=0.1, max=20), default=1.0, show_default=True, help="Times real time."
)
@click.option("--seed", default=1, show_default=True, help="Decides everything that is drawn in the vehicle.")
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    default="drive",
    show_default=True,
    help="What the driver does and what goes wrong.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the account as JSON on standard output.")
def command(duration_s: float, speed: float, seed: int, scenario: str, as_json: bool) -> None:
    """Run the reference vehicle, four virtual buses, the gateway, a broker and the platform on this machine.

    Nothing is left behind: keys, broker and store live in a temporary folder. Ends by itself.

    \b
    Examples:
      nevgate demo
      nevgate demo --scenario alarm --duration 60
      nevgate demo --json | jq .balanced

    Exit status: 0 every frame and record arrived and the account balances, 3 not.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    clock = SystemClock()
    screen = _Screen(Console(stderr=True), clock)
    plan = DemoPlan(duration_s=duration_s, speed=speed, seed=seed, scenario=scenario)
    with tempfile.TemporaryDirectory(prefix="nevgate-demo-") as folder, stop_on_signal() as stop, screen.live:
        shown = demonstrate(plan, Path(folder), clock=clock, stop=stop, watch=screen.watch)
    _tell(shown, as_json=as_json)
    if not shown.complete:
        sys.exit(UNFINISHED_EXIT)


def _tell(shown: Demonstration, *, as_json: bool) -> None:
    lost = shown.frames_sent - shown.frames_received
    if as_json:
        emit_json(
            {
                **shown.account.as_json(),
                "frames_sent": shown.frames_sent,
                "frames_received": shown.frames_received,
                "records_made": shown.records_made,
                "records_stored": shown.records_stored,
            }
        )
        return
    print_account(
        shown.account,
        {
            "frames": f"{shown.frames_sent:,} sent = {shown.frames_received:,} received + {lost:,} lost",
            "records": f"{shown.records_made:,} made = {shown.records_stored:,} stored by the platform",
        },
    )
