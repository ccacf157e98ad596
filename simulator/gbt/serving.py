"""Runs a platform for its operator: reads what it needs, serves, shows, and ends with the figures."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import math
import ssl
import sys
import threading
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from edge.clock import Clock
from edge.errors import KeyFileError
from edge.wire.gbt.faults import GbtError
from simulator.gbt.asks import Ask
from simulator.gbt.events import Event, LoggedIn
from simulator.gbt.platform import GbtPlatform
from simulator.gbt.register import OPEN_REGISTER, load_register
from simulator.gbt.server import GbtServer
from simulator.gbt.session import PlatformConnection
from simulator.gbt.settings import PlatformSettings
from simulator.gbt.store import Store
from simulator.gbt.view import event_json, event_text, kpi_json, kpi_table, look_json, look_table

_LOOK_S = 0.25
_LINES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Serving:
    """What the operator asks for; see `nevgate gbt serve`."""

    host: str
    port: int
    register_file: Path | None
    store: Path | None
    settings: PlatformSettings
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_clients: Path | None = None
    asks: tuple[tuple[bytes, Ask], ...] = ()
    once: bool = False
    for_s: float | None = None
    as_json: bool = False


@dataclass(slots=True)
class _Operator:
    """Shows events, and asks what was to be asked."""

    as_json: bool
    live: bool
    asks: list[tuple[bytes, Ask]]
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_SHOWN))
    server: GbtServer | None = None

    def take(self, connection: PlatformConnection, event: Event) -> None:
        if self.as_json:
            _line(event_json(event))
        elif self.live:
            self.lines.append(event_text(event))
        else:
            click.echo(event_text(event))
        if isinstance(event, LoggedIn) and not event.platform and not event.by:
            # The answer to the login has to go first.
            asyncio.get_running_loop().call_soon(self._ask, connection)

    def _ask(self, connection: PlatformConnection) -> None:
        now = [(vin, ask) for vin, ask in self.asks if vin == connection.who.encode("ascii", "replace")]
        self.asks = [one for one in self.asks if one not in now]
        for vin, ask in now:
            try:
                if self.server is not None:
                    self.server.ask(vin, ask)
            except GbtError as error:
                click.echo(f"nevgate: '{ask}': {error}", err=True)


def run(serving: Serving, clock: Clock, stop: threading.Event, screen: Console, wide: Console) -> None:
    """Serve until `stop`, the end of the first connection, or of the time.

    Args:
        serving: what is asked for.
        clock: gives the time.
        stop: ends it when it is set.
        screen: where the live table goes, if it is a terminal.
        wide: where the figures go at the end.

    Raises:
        NevgateError: a file cannot be used, the address cannot be listened at, the store cannot be written.
    """
    register = OPEN_REGISTER if serving.register_file is None else load_register(serving.register_file)
    tls = _server_context(serving)
    live = screen.is_terminal and not serving.as_json
    with ExitStack() as stack:
        store = stack.enter_context(Store(serving.store))
        platform = GbtPlatform(store, register, serving.settings)
        operator = _Operator(serving.as_json, live, list(serving.asks))
        asyncio.run(_serve(serving, platform, operator, tls, clock, stop, screen))
        report = platform.kpis()
        if serving.as_json:
            _line({"account": look_json(platform), "kpis": kpi_json(report)})
            return
        hop = platform.hops()[0]
        aside = "".join(f", {count:,} {cause}" for cause, count in hop.set_aside.items() if count)
        screen.print(f"messages: {hop.entered:,} entered = {hop.left:,} reports kept{aside}", highlight=False)
        if platform.vehicles:
            wide.print(kpi_table(report))


async def _serve(
    serving: Serving,
    platform: GbtPlatform,
    operator: _Operator,
    tls: ssl.SSLContext | None,
    clock: Clock,
    stop: threading.Event,
    screen: Console,
) -> None:
    server = GbtServer(platform, serving.host, serving.port, tls=tls, clock=clock, on_event=operator.take)
    operator.server = server
    async with server:
        place = f"{serving.host}:{server.bound_port}"
        kind = "TLS" if tls is not None else "plain TCP"
        known = "every vehicle is known"
        if serving.register_file is not None:
            known = f"{len(platform.register.vehicles)} vehicles are known"
        click.echo(f"GB/T 32960.3 platform at {place} ({kind}), {known}; Ctrl-C ends it", err=True)
        if tls is None and not _is_loopback(serving.host):
            click.echo("it is reached from other machines without TLS: positions come in plain", err=True)
        sys.stderr.flush()
        end_s = math.inf if serving.for_s is None else server.elapsed_s() + serving.for_s
        with ExitStack() as stack:
            shown = None
            if operator.live:
                shown = stack.enter_context(Live(console=screen, auto_refresh=False))
            while not (stop.is_set() or server.failed or (serving.once and server.closed)):
                left_s = end_s - server.elapsed_s()
                if left_s <= 0:
                    break
                if shown is not None:
                    table = look_table(platform, clock.wall_ns(), place, operator.lines)
                    shown.update(table, refresh=True)
                server.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(server.changed.wait(), min(_LOOK_S, left_s))
    server.raise_failure()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _server_context(serving: Serving) -> ssl.SSLContext | None:
    if serving.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password of our own, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(serving.tls_certificate, serving.tls_key, password=b"")
        if serving.tls_clients is not None:
            context.load_verify_locations(serving.tls_clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, OSError) as error:
        raise KeyFileError(
            f"cannot be used for TLS: {error.strerror or error}",
            where=str(serving.tls_certificate),
            todo="Give --tls-certificate and --tls-key as a pair of PEM files, the key without a passphrase",
        ) from error
    return context


def _line(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=True, default=_plain))


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)
