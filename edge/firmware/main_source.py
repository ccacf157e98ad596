"""Writes a board's `program.py`: what is on the board is constructed, connected, and run."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from edge.firmware.boards import Board, Mcp2515Bus, PybCanBus, UartPort

_CLASSES = {"mcp2515": "Mcp2515", "machine_can": "MachineCan", "pyb_can": "PybCan"}


class Kind(StrEnum):
    """What a bundle makes of a board."""

    BRIDGE = "bridge"
    TELEMETRY = "telemetry"


def main_source(board: Board, kind: Kind, *, armed: bool = False) -> str:
    """The text of `program.py`; the same board gives the same text.

    Args:
        board: the board.
        kind: what it is to be.
        armed: whether the loader may be entered without the jumper: for a bench.
    """
    system, own = _imports(board, kind, armed=armed)
    body = _bridge(board, armed=armed) if kind is Kind.BRIDGE else _telemetry(board)
    lines = [
        f'"""The program of a {board.name}, {kind}. Generated: change the board\'s description."""',
        "",
        *sorted(system),
        "",
        *sorted(own),
        "",
        "",
        "def run(slot):",
        '    """Start, and never return; what is raised ends in the trampoline."""',
        *(f"    {line}".rstrip() for line in body),
    ]
    return "\n".join(lines) + "\n"


def _imports(board: Board, kind: Kind, *, armed: bool) -> tuple[set[str], set[str]]:
    system = {"import machine", "import time"}
    own = {"from build_id import BUILD, VERSION", "from starting.outcome import Outcome"}
    for bus in board.buses:
        own.add(f"from bridge.controllers.{bus.controller} import {_CLASSES[bus.controller]}")
        if bus.controller == "pyb_can":
            system.add("import pyb")
    if kind is Kind.TELEMETRY:
        system.add("import decoder")
        own.discard("from build_id import BUILD, VERSION")
        own |= {
            "from starting.running import Listeners, run_node",
            "from telemetry.start import make_node, read_settings",
        }
        if board.wireless:
            own.add("from starting.wireless import join")
        return system, own
    own |= {
        "from bridge.board import Board",
        "from bridge.bridge import Bridge",
        f"from bridge.ports import {_port_class(board)}",
        "from starting.running import loader_of, run_bridge",
    }
    facts = ["boot_number", "reset_cause", "serial"]
    if board.loader and not armed:
        facts.insert(0, "armed")
    if board.temperature:
        facts.insert(0, "Thermometer")
    own.add(f"from starting.facts import {', '.join(facts)}")
    if board.family == "stm32" and not isinstance(board.port, UartPort):
        system.add("import pyb")
    if board.supervisor:
        own |= {
            "from bridge.power import Power",
            "from supervisor.machine import PowerSupervisor",
            f"from supervisor.parameters import {_parameters(board)}",
            "from supervisor.pins import SupervisorPins",
        }
    return system, own


def _port_class(board: Board) -> str:
    return "StreamPort" if isinstance(board.port, UartPort) or board.family == "stm32" else "StandardPort"


def _bridge(board: Board, *, armed: bool) -> Iterator[str]:
    yield "outcome = Outcome(slot)"
    if board.supervisor:
        # First of all: the line of the gateway's power must not wait for anything.
        yield from _supervisor(board)
    yield from _controllers(board)
    yield from _port(board)
    yield from _watchdog(board)
    loader = "True" if armed else f"armed({board.loader.pin!r})" if board.loader else "False"
    yield "board = Board("
    yield f"    {board.name!r},"
    yield "    outcome.version(VERSION),"
    yield "    BUILD,"
    yield "    boot_number(),"
    yield f"    cells={board.cells},"
    yield "    serial=serial(),"
    yield "    reset_cause=reset_cause(),"
    if board.temperature:
        yield "    temperature=Thermometer().read,"
    yield f"    loader=loader_of(outcome, {loader}),"
    yield ")"
    power = "power" if board.supervisor else "None"
    yield f"run_bridge(Bridge({_tuple(board)}, port, time, watchdog, board, {power}), outcome)"


def _telemetry(board: Board) -> Iterator[str]:
    yield "outcome = Outcome(slot)"
    yield from _controllers(board)
    yield f"listeners = Listeners({_tuple(board)}, {board.cells})"
    if board.wireless:
        yield 'station = join(outcome.home + "wireless.json")'
    yield 'node = make_node(read_settings(outcome.home + "node.json"), decoder, listeners.rings)'
    yield from _watchdog(board)
    yield "run_node(node, listeners, watchdog, outcome)"


def _tuple(board: Board) -> str:
    return "(" + "".join(f"can{number}, " for number in range(len(board.buses))).rstrip(" ") + ")"


def _controllers(board: Board) -> Iterator[str]:
    for number, bus in enumerate(board.buses):
        if isinstance(bus, Mcp2515Bus):
            yield f"spi{number} = machine.SPI("
            yield f"    {bus.spi},"
            yield f"    baudrate={bus.spi_hz},"
            yield "    polarity=0,"
            yield "    phase=0,"
            yield f"    sck=machine.Pin({bus.sck!r}),"
            yield f"    mosi=machine.Pin({bus.mosi!r}),"
            yield f"    miso=machine.Pin({bus.miso!r}),"
            yield ")"
        yield f"can{number} = {_CLASSES[bus.controller]}("
        if isinstance(bus, Mcp2515Bus):
            yield f"    spi{number},"
            yield f"    machine.Pin({bus.select!r}, machine.Pin.OUT, value=1),"
            interrupt = f"machine.Pin({bus.interrupt!r}, machine.Pin.IN, machine.Pin.PULL_UP)"
            yield f"    {interrupt if bus.interrupt is not None else None},"
            yield f"    {bus.oscillator_hz},"
        else:
            yield "    pyb.CAN," if isinstance(bus, PybCanBus) else "    machine.CAN,"
            yield f"    {bus.number},"
            yield "    machine.mem32,"
            yield f"    {bus.base:#x},"
            yield f"    {bus.clock_hz},"
        yield f"    {bus.bitrate},"
        yield f"    {bus.sample_point},"
        if isinstance(bus, PybCanBus):
            yield f"    {bus.data_bitrate},"
            yield f"    {bus.data_sample_point},"
        yield "    time.ticks_us,"
        if isinstance(bus, Mcp2515Bus):
            yield "    time.sleep_us,"
            yield f"    hard={bus.hard},"
        yield ")"


def _port(board: Board) -> Iterator[str]:
    port = board.port
    if isinstance(port, UartPort):
        pins = "".join(
            f", {name}=machine.Pin({pin!r})"
            for name, pin in (("tx", port.tx), ("rx", port.rx))
            if pin is not None
        )
        # A STM32's UART has no buffer for what it sends.
        buffers = "rxbuf=512" if board.family == "stm32" else "rxbuf=512, txbuf=2048"
        yield f"uart = machine.UART({port.number}, {port.speed}{pins}, timeout=0, {buffers})"
        yield "port = StreamPort(uart, forgets=True)"
    elif board.family == "stm32":
        yield "usb = pyb.USB_VCP()"
        yield "usb.setinterrupt(-1)"
        yield "port = StreamPort(usb, forgets=True)"
    else:
        yield "port = StandardPort()"


def _watchdog(board: Board) -> Iterator[str]:
    yield f"watchdog = machine.WDT(timeout={board.watchdog_ms})" if board.watchdog_ms else "watchdog = None"


def _parameters(board: Board) -> str:
    return "for_24_v" if board.supervisor and board.supervisor.vehicle_v > 12 else "Parameters"  # noqa: PLR2004 - volts


def _supervisor(board: Board) -> Iterator[str]:
    fitted = board.supervisor
    if fitted is None:
        return
    changed = ", ".join(f"{name}={value}" for name, value in sorted(fitted.parameters.items()))
    yield "pins = SupervisorPins("
    yield f"    {fitted.ignition!r}, {fitted.enable!r}, {fitted.supply!r}, {fitted.full_scale_mv}"
    yield ")"
    yield f"parameters = {_parameters(board)}({changed})"
    yield "power = Power(PowerSupervisor(parameters, time.ticks_ms(), pins.powered), pins)"
