"""`nevgate status`: what the running gateway does, and what alarms stand."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from edge.cli.consenting import reaching_options
from edge.cli.console import page
from edge.cli.place import DEFAULT_CONFIG
from edge.cli.program import emit_json
from edge.config.configuration import load_config
from edge.control.client import ControlClient
from edge.control.socket_path import socket_path
from edge.errors import ConfigError

ALARM_EXIT = 4

_BUSES = ("bus", "interface", "read by", "listening", "link", "")
_BOARDS = (
    "board",
    "firmware",
    "temperature",
    "supply",
    "ignition",
    "supervisor",
    "free",
    "loop",
    "resets",
    "lost",
    "clock",
)
_DESTINATIONS = ("destination", "records", "messages", "last", "")
_PARTS = ("alarms", "buses", "power", "policy", "clock", "place", "mask", "left")


@click.command()
@reaching_options
def command(config_path: Path | None, socket: Path | None, as_json: bool) -> None:
    """Ask the running gateway how its buses stand, what has left the vehicle, and whether there is an alarm.

    A bus is an alarm while its controller is up and does not read back as listen-only, or while it is not
    set up as the configuration says (docs/socketcan.md).

    \b
    Examples:
      nevgate status
      nevgate status -c /etc/nevgate/nevgate.toml --json
      nevgate status --socket /run/nevgate/control.sock || echo "see to it"

    Exit status: 0 no alarm, 4 an alarm stands, 1 or 2 an error, such as that no gateway runs.
    """
    state = ControlClient(_socket(config_path) if socket is None else socket).ask({"do": "state"})
    if as_json:
        emit_json({key: state[key] for key in _PARTS if key in state})
    else:
        _show(state)
    if state["alarms"]:
        sys.exit(ALARM_EXIT)


def _socket(config_path: Path | None) -> Path:
    config = load_config(config_path or DEFAULT_CONFIG)
    path = socket_path(config.control, None if config.journal is None else config.journal.folder)
    if path is None:
        raise ConfigError(
            "this gateway has no control socket, so that it cannot be asked",
            where=str(config_path or DEFAULT_CONFIG),
            todo="Add a table [journal] with a folder, or [control] with a socket",
        )
    return path


def _show(state: Mapping[str, Any]) -> None:
    for alarm in state["alarms"]:
        click.secho(f"ALARM: bus {alarm['bus']}: {alarm['words']}", fg="red", bold=True)
        click.echo(f"       for {alarm['for_s']:,} s")
    if not state["alarms"]:
        click.echo("no alarm")
    policy, clock = state["policy"], state["clock"]
    click.echo(f"policy {policy['title']}, {policy['signature']}")
    if not clock["trusted"]:
        click.echo(f"no consent holds: {clock['why']}")
    if state.get("power"):
        click.echo(_power(state["power"]))
    if state["buses"]:
        page().print(_table(_BUSES, map(_bus, state["buses"])))
        boards = {one["interface"]: one["board"] for one in state["buses"] if one.get("board")}
        if boards:
            page().print(_table(_BOARDS, map(_board, boards.values())))
    page().print(_table(_DESTINATIONS, map(_destination, state["left"])))


def _power(power: Mapping[str, Any]) -> str:
    words = [f"supervisor of power: {power['supervisor']}"]
    if power["supply_v"] is not None:
        words.append(f"{power['supply_v']:.1f} V")
    if power["ignition"] is not None:
        words.append(f"ignition {'on' if power['ignition'] else 'off'}")
    if power["ending"]:
        words.append(f"the gateway ends: {power['ending']}")
    return ", ".join(words)


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    return table


def _bus(one: Mapping[str, Any]) -> tuple[str, ...]:
    allowed = one["listening"] == "not listen-only" and not one["listening_required"]
    words = [*one["alarms"], one["away"], "as configured (listen_only)" if allowed else ""]
    return (
        one["bus"],
        one["interface"],
        one["way"],
        one["listening"],
        one["link"],
        ", ".join(word for word in words if word),
    )


def _board(one: Mapping[str, Any]) -> tuple[str, ...]:
    heap, loop, error = one["heap_free_bytes"], one["loop_worst_us"], one["clock_error_us"]
    ignition = {None: "", True: "on", False: "off"}[one["ignition"]]
    resets = f"{one['resets']:,}" + (f", last: {one['reset_cause']}" if one["reset_cause"] else "")
    drift = "" if one["drift_ppm"] is None else f", {one['drift_ppm']:+.1f} ppm"
    return (
        one["board"],
        one["firmware"],
        "" if one["temperature_c"] is None else f"{one['temperature_c']:.1f} °C",
        "" if one["supply_v"] is None else f"{one['supply_v']:.1f} V",
        ignition,
        one["supervisor"],
        "" if heap is None else f"{heap // 1024:,} KiB",
        "" if loop is None else f"{loop / 1000:.1f} ms",
        resets,
        f"{one['lost']:,} frames",
        "" if error is None else f"±{error:.0f} µs{drift}",
    )


def _destination(one: Mapping[str, Any]) -> tuple[str, ...]:
    why = "" if one["allowed"] else f"nothing goes there: {one['why']}"
    return (one["destination"], f"{one['records']:,}", f"{one['messages']:,}", one["last"] or "never", why)
