"""`nevgate simulate`: plays the reference vehicle on buses or into a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.bus import multicast
from edge.cli.program import Finite, emit_json
from edge.clock import SystemClock
from edge.errors import ConfigError
from edge.frames import FrameBatch
from simulator.vehicle.player import Player, multicast_channels, open_buses
from simulator.vehicle.scenario import SCENARIOS
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import BUSES
from simulator.vehicle.writing import check_path, write_recording


@click.command()
@click.option(
    "--duration",
    "duration_s",
    type=Finite(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds of the vehicle's time.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Decides everything that is drawn.")
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    default="drive",
    show_default=True,
    help="What the driver does and what goes wrong.",
)
@click.option(
    "--bus",
    "chosen",
    multiple=True,
    type=click.Choice(BUSES),
    help="Only this bus; may be given several times.",
)
@click.option(
    "--out",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a recording; its ending chooses the format: .log (candump), .asc, .blf, .trc, .csv.",
)
@click.option(
    "--interface", help="Play live on this python-can interface: virtual, udp_multicast, socketcan ..."
)
@click.option(
    "--channel",
    "channels",
    multiple=True,
    metavar="BUS=CHANNEL",
    help="Where a bus is played, once for each bus; udp_multicast has channels of its own, GROUP:PORT else.",
)
@click.option(
    "--speed",
    type=Finite(min=0),
    default=1.0,
    show_default=True,
    help="Of live playing; 0 does not wait.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    duration_s: float,
    seed: int,
    scenario: str,
    chosen: tuple[str, ...],
    path: Path | None,
    interface: str | None,
    channels: tuple[str, ...],
    speed: float,
    as_json: bool,
) -> None:
    """Play the reference vehicle on buses or into a recording.

    The same seed and scenario give the same frames to the last bit. Without --out and --interface the frames
    are only counted.

    \b
    Examples:
      nevgate simulate --duration 60 --out drive.log
      nevgate simulate --scenario alarm --seed 7 --out alarm.blf
      nevgate simulate --scenario charge --bus battery --out charge.csv
      nevgate simulate --interface udp_multicast --duration 60
      nevgate simulate --interface socketcan --channel powertrain=vcan0 --channel battery=vcan1
      nevgate simulate --duration 10 --json | jq .frames
    """
    buses = chosen or BUSES
    if channels and interface is None:
        raise ConfigError("--channel says where to play, but not by what", todo="Add --interface")
    if path is not None and interface is not None:
        raise ConfigError("--out and --interface do not go together", todo="Leave one of them out")
    vehicle = ReferenceVehicle(seed, scenario)
    if path is not None:
        check_path(path, buses, fd_buses=vehicle.fd_buses)
    batches = _with_progress(vehicle.frames(duration_s), duration_s)
    summary: dict[str, object] = {"scenario": scenario, "seed": seed, "duration_s": duration_s}
    if path is not None:
        counts: Mapping[str, int] = write_recording(path, batches, buses)
        summary["out"] = str(path)
    elif interface is not None:
        player = _play(batches, interface, _channels(channels, buses, interface), speed)
        counts = player.sent
        summary |= {"refused": player.refused.total(), "late_ms": round(player.late_ns / 1e6, 1)}
    else:
        for _ in batches:
            pass
        counts = {bus: vehicle.sent_by_bus[bus] for bus in buses}
    summary |= {"frames": sum(counts.values()), "buses": {bus: counts[bus] for bus in buses if bus in counts}}
    _show(summary, as_json=as_json)


def _channels(channels: Iterable[str], buses: Iterable[str], interface: str) -> dict[str, str]:
    chosen = {}
    for channel in channels:
        bus, equals, name = channel.partition("=")
        if not equals or not name or bus not in BUSES:
            raise ConfigError(
                f"--channel {channel!r} is not BUS=CHANNEL", todo=f"BUS is one of: {', '.join(BUSES)}"
            )
        chosen[bus] = name
    if not chosen and interface == multicast.INTERFACE:
        return multicast_channels(tuple(buses))
    wanted = {bus: chosen[bus] for bus in buses if bus in chosen}
    if not wanted:
        raise ConfigError("no bus has a channel", todo="Give --channel BUS=CHANNEL, such as powertrain=vcan0")
    return wanted


def _play(batches: Iterable[FrameBatch], interface: str, channels: Mapping[str, str], speed: float) -> Player:
    with ExitStack() as stack:
        player = Player(open_buses(stack, interface, channels), SystemClock(), speed=speed)
        player.play(batches)
    return player


def _with_progress(batches: Iterable[FrameBatch], duration_s: float) -> Iterator[FrameBatch]:
    """Hand `batches` on while a bar on standard error, if that is a terminal, shows how far they are."""
    console = Console(stderr=True)
    columns = (
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.completed:.0f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("simulating", total=duration_s)
        for batch in batches:
            yield batch
            progress.advance(task, 0.1)


def _show(summary: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        emit_json(summary)
        return
    for name, value in summary.items():
        if isinstance(value, dict):
            for bus, count in value.items():
                click.echo(f"  {bus:<12}{count:>10}")
        else:
            click.echo(f"{name:<14}{value:>10}" if isinstance(value, int) else f"{name:<14}{value}")
