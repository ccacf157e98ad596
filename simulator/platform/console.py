"""Shows a running platform to its operator: a live table on a terminal, lines of JSON in a pipe."""

from __future__ import annotations

import json
import threading

from rich.console import Console
from rich.live import Live

from edge.account import Account
from edge.clock import Clock
from simulator.platform.serve import PlatformService
from simulator.platform.view import look_json, look_table, vehicle_rows

TABLE_PERIOD_S = 0.5
JSON_PERIOD_S = 1.0


def show(
    service: PlatformService, console: Console, clock: Clock, stop: threading.Event, *, as_json: bool
) -> None:
    """Show the platform until `stop` is set or the service has failed."""
    if as_json:
        previous = ""
        while not (service.failed or clock.wait(stop, JSON_PERIOD_S)):
            line = _line(service)
            if line != previous:
                _print_line(console, line)
            previous = line
        return
    with Live(console=console, auto_refresh=False) as live:
        while not (service.failed or clock.wait(stop, TABLE_PERIOD_S)):
            rows = service.look(vehicle_rows)
            live.update(look_table(rows, service.hops(), service.trouble, clock.wall_ns()), refresh=True)


def summarise(service: PlatformService, console: Console, *, as_json: bool) -> None:
    """Say at the end what entered and what became of it."""
    account = Account.of(service.hops())
    if as_json:
        summary = {"summary": account.as_json(), **json.loads(_line(service))}
        _print_line(console, json.dumps(summary, ensure_ascii=False))
        return
    for hop in account.hops:
        aside = "".join(f", {count:,} {cause}" for cause, count in hop.set_aside.items() if count)
        verdict = "balanced" if hop.balanced else f"{hop.difference:,} WITHOUT A NAME"
        console.print(f"{hop.unit}: {hop.entered:,} entered = {hop.left:,} stored{aside}; {verdict}")


def _line(service: PlatformService) -> str:
    rows = service.look(vehicle_rows)
    return json.dumps(look_json(rows, service.hops(), service.trouble), ensure_ascii=False)


def _print_line(console: Console, line: str) -> None:
    console.file.write(line + "\n")
    console.file.flush()
