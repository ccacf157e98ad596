"""`nevgate firmware status`: what a board is, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.table import Table

from edge.bus.vlink.board_report import MODES, RESETS, STATES, SUPERVISOR
from edge.cli.console import page
from edge.cli.firmware_board import board_option
from edge.cli.program import emit_json
from edge.firmware.asking import SPEED, BoardAnswer, ask_board
from edge.wire.vlink_messages import NO_IGNITION, NO_SUPPLY, NO_TEMPERATURE, OVERRUN_COUNTED, Bus, BusStatus


@click.command()
@board_option
@click.option(
    "--speed", type=click.IntRange(9_600), default=SPEED, show_default=True, help="Bit/s of a UART."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(channel: str, speed: int, as_json: bool) -> None:
    """Ask a board over vlink what it is and how it stands. Not while a gateway has its port.

    'nevgate status' asks the gateway instead, which tells the same of its boards.

    \b
    Examples:
      nevgate firmware status
      nevgate firmware status -b /dev/ttyAMA0 --speed 921600 --json
    """
    answer = ask_board(channel, speed)
    if as_json:
        emit_json(_record(answer))
        return
    hello = answer.hello
    page().print(f"{hello.board} at {answer.port}: firmware {hello.firmware}, build {hello.build.hex()}")
    page().print(_buses(answer))
    for name, value in _facts(answer):
        page().print(f"{name}: {value}")
    for event in answer.events:
        page().print(f"event {event.code:#06x}: {event.text}")


def _buses(answer: BoardAnswer) -> Table:
    table = Table(box=None, header_style="bold")
    counted = "overruns" if answer.hello.capabilities & OVERRUN_COUNTED else "overruns at least"
    for heading in (
        "bus",
        "controller",
        "bit/s",
        "sampled at",
        "mode",
        "state",
        "frames",
        "dropped",
        counted,
        "errors",
    ):
        table.add_column(heading)
    for number, (bus, status) in enumerate(zip(answer.hello.buses, answer.status.buses, strict=False)):
        table.add_row(*map(str, _bus(number, bus, status, answer).values()))
    return table


def _bus(number: int, bus: Bus, status: BusStatus, answer: BoardAnswer) -> dict[str, Any]:
    counted = bool(answer.hello.capabilities & OVERRUN_COUNTED)
    rate = f"{bus.bitrate:,}" + (f" / {bus.data_bitrate:,}" if bus.data_bitrate else "")
    return {
        "bus": number,
        "controller": bus.controller,
        "rate": rate,
        "sampled": f"{bus.sample_point / 10:.1f} %",
        "mode": MODES.get(status.mode, status.mode),
        "state": STATES[status.state] if status.state < len(STATES) else status.state,
        "frames": f"{status.accepted:,}",
        "dropped": f"{status.ring_dropped:,}",
        "overruns": f"{status.overrun_counted if counted else status.overrun_flags:,}",
        "errors": f"{status.bus_errors:,}",
    }


def _facts(answer: BoardAnswer) -> Iterator[tuple[str, str]]:
    status = answer.status
    if status.temperature != NO_TEMPERATURE:
        yield "temperature", f"{status.temperature / 10:.1f} °C"
    if status.supply_mv != NO_SUPPLY:
        yield "supply", f"{status.supply_mv / 1000:.1f} V"
    if status.ignition != NO_IGNITION:
        yield "ignition", "on" if status.ignition else "off"
    if status.supervisor:
        yield "supervisor", _named(SUPERVISOR, status.supervisor)
    yield "free memory", f"{status.heap_free // 1024:,} KiB"
    yield "longest turn", f"{status.loop_worst_us / 1000:.1f} ms"
    yield "last reset", _named(RESETS, status.reset_cause)
    line = f"{status.stalls:,} stalls, {status.rx_bad_packets:,} bad packets"
    yield "line", f"{line}, {status.sent_packets:,} packets sent"


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else str(number)


def _record(answer: BoardAnswer) -> dict[str, Any]:
    hello, status = answer.hello, answer.status
    return {
        "port": answer.port,
        "board": hello.board,
        "firmware": hello.firmware,
        "build": hello.build.hex(),
        "boot": hello.boot,
        "capabilities": hello.capabilities,
        "ring_frames": hello.ring_frames,
        "buses": [
            {
                "controller": bus.controller,
                "bitrate": bus.bitrate,
                "data_bitrate": bus.data_bitrate or None,
                "sample_point": bus.sample_point,
                "mode": MODES.get(one.mode, one.mode),
                "state": _named(STATES, one.state),
                "accepted": one.accepted,
                "ring_dropped": one.ring_dropped,
                "overrun_counted": one.overrun_counted,
                "overrun_flags": one.overrun_flags,
                "bus_errors": one.bus_errors,
                "tec": one.tec,
                "rec": one.rec,
            }
            for bus, one in zip(hello.buses, status.buses, strict=False)
        ],
        "temperature_c": None if status.temperature == NO_TEMPERATURE else status.temperature / 10,
        "supply_v": None if status.supply_mv == NO_SUPPLY else status.supply_mv / 1000,
        "ignition": None if status.ignition == NO_IGNITION else bool(status.ignition),
        "supervisor": _named(SUPERVISOR, status.supervisor) or None,
        "heap_free_bytes": status.heap_free,
        "loop_worst_us": status.loop_worst_us,
        "reset_cause": _named(RESETS, status.reset_cause),
        "stalls": status.stalls,
        "stalled_ms": status.stalled_ms,
        "bad_packets": status.rx_bad_packets,
        "packets": status.sent_packets,
        "events": [
            {"t_us": one.t_us, "code": one.code, "argument": one.argument, "text": one.text}
            for one in answer.events
        ],
    }
