"""What `run` and `replay` share: a gateway watched, ended by a signal, and accounted for."""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import click
from rich.console import Console
from rich.live import Live

from edge.account import Account
from edge.bus.condition import Conditions
from edge.bus.source import FrameSource
from edge.capture import MaskedSource
from edge.cli.account_table import live_view, print_account
from edge.cli.ending import stop_on_signal, supply_signal
from edge.cli.program import Finite, emit_json
from edge.clock import NS_PER_S, Clock
from edge.gateway import Gateway
from edge.loading import Loaded
from edge.power.following import PowerFollower
from edge.sensors.source import ItemSource

_REFRESH_NS = NS_PER_S // 4
UNFINISHED_EXIT = 3
POWER_EXIT = 5

Command = TypeVar("Command", bound=Callable[..., object])


def watching_options(drain_s: float) -> Callable[[Command], Command]:
    """Give a command the options of a run that is watched and accounted for.

    Args:
        drain_s: how long it waits for receipts at the end unless told otherwise.
    """
    options = (
        click.option(
            "--drain",
            "drain_s",
            type=Finite(min=0),
            default=drain_s,
            show_default=True,
            help="Seconds to wait for receipts at the end.",
        ),
        click.option("--live/--no-live", default=True, help="Show a live table on a terminal."),
        click.option(
            "--json", "as_json", is_flag=True, help="Print the account as JSON on standard output at the end."
        ),
        click.option("--verbose", is_flag=True, help="Log more."),
    )

    def give(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return give


def make_gateway(
    loaded: Loaded, clock: Clock, observed: Sequence[str] = (), *, boot: bytes | None = None
) -> Gateway:
    """Make a gateway with the system's randomness; what was mended in its databases is said once."""
    for database, defect in loaded.defects():
        place = f"{database.path}:{defect.line}" if defect.line else str(database.path)
        logging.getLogger("nevgate").warning("%s: %s: %s", place, defect.code, defect.text)
    jitter = random.SystemRandom()
    return Gateway(loaded, clock=clock, rng=jitter, draw=os.urandom, boot=boot, observed=observed)


def run_watched(
    gateway: Gateway,
    loaded: Loaded,
    source: FrameSource | MaskedSource,
    *,
    clock: Clock,
    title: str,
    drain_s: float,
    live: bool,
    as_json: bool,
    sensors: Sequence[ItemSource] = (),
    conditions: Conditions | None = None,
    power: PowerFollower | None = None,
) -> None:
    """Run a gateway to its end, show it meanwhile, print its account; exit 3 if anything was left unsent.

    Whatever ends the run, what waits is sent and the account printed. A first signal ends the run, or, once
    that has ended by itself, the wait for receipts. If the supervisor of power has asked for the end, it
    exits with 5 whatever was left, since power goes.

    Raises:
        NevgateError: what ended the run before its time; the account is printed before.
    """
    console = Console(stderr=True)
    shown_ns = 0
    finished = False
    try:
        with (
            stop_on_signal(gateway.wake) as stop,
            supply_signal(gateway.wake) as supply_lost,
            _shown(console, on=live and console.is_terminal) as screen,
        ):

            def watch(watched: Gateway) -> None:
                nonlocal shown_ns
                if supply_lost.is_set():
                    supply_lost.clear()
                    logging.getLogger("nevgate").warning("the supply is going (SIGPWR)")
                    watched.supply_lost()
                if power is not None:
                    power.step(watched, stop)
                now_ns = clock.boot_ns()
                if screen is not None and now_ns - shown_ns >= _REFRESH_NS:
                    shown_ns = now_ns
                    screen.update(live_view(watched.view(), loaded.catalogue, title))

            gateway.start()
            try:
                gateway.run(source, sensors=sensors, stop=stop, watch=watch, conditions=conditions)
            finally:
                with nullcontext() if power is None else power.closing():
                    finished = gateway.finish(drain_s if power is None else power.drain_s(drain_s), stop)
    finally:
        tell(gateway.account(), finished=finished, kept=gateway.road.durable, as_json=as_json)
    if power is not None and power.why:
        click.echo(f"nevgate: ended: supervisor asked: {power.why}", err=True)
        sys.exit(POWER_EXIT)
    if not (finished and gateway.account().balanced):
        sys.exit(UNFINISHED_EXIT)


def tell(account: Account, *, finished: bool, as_json: bool, kept: bool = False) -> None:
    """Print the account, and say so if something was left, and whether it is kept for the next start."""
    if as_json:
        emit_json(account.as_json())
    else:
        print_account(account)
    if not finished:
        end = "it is kept in the journal and goes at the next start" if kept else "see the account"
        click.echo(f"nevgate: not everything was acknowledged before the end; {end}", err=True)


def log_to_stderr(*, verbose: bool) -> None:
    """Log with time to standard error, as a service's journal wants it."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
        force=True,
    )
    for noisy in ("can", "asammdf"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


@contextmanager
def _shown(console: Console, *, on: bool) -> Iterator[Live | None]:
    if not on:
        yield None
        return
    with Live(console=console, refresh_per_second=4, transient=True) as screen:
        yield screen
        # What is taller than the terminal is wiped only if it is emptied before.
        screen.update("", refresh=True)
