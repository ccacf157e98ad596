"""Sees before a board does whether its controllers can have the bit rates that it describes."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from edge.errors import FirmwareError
from edge.firmware.boards import Board, Bus, MachineCanBus, Mcp2515Bus
from edge.firmware.sources import sources_folder

_PACKAGE = "_nevgate_board_sources"


def check_timing(board: Board) -> None:
    """Have the board's own drivers compute the timing of each bus.

    Raises:
        FirmwareError: a controller cannot have a bit rate or sample point exactly; names what it can.
    """
    for number, bus in enumerate(board.buses):
        try:
            _construct(bus)
        except ValueError as refused:
            raise FirmwareError(
                str(refused),
                where=f"{board.name}, bus {number} ({bus.controller})",
                todo="Change bitrate, sample_point, or the clock that the description names: "
                + ("oscillator_hz" if isinstance(bus, Mcp2515Bus) else "clock_hz"),
            ) from refused


def _construct(bus: Bus) -> None:
    """Construct a driver, which computes the timing and touches nothing."""
    module = _driver(bus.controller)
    match bus:
        case Mcp2515Bus():
            module.Mcp2515(
                _NoSpi,
                _selects_nothing,
                None,
                bus.oscillator_hz,
                bus.bitrate,
                bus.sample_point,
                None,
                None,
                bus.hard,
            )
        case MachineCanBus():
            module.MachineCan(
                None, bus.number, None, bus.base, bus.clock_hz, bus.bitrate, bus.sample_point, None
            )
        case _:
            module.PybCan(
                None, bus.number, None, bus.base, bus.clock_hz, bus.bitrate, bus.sample_point,
                bus.data_bitrate, bus.data_sample_point, None,
            )  # fmt: skip


class _NoSpi:
    """What a driver of an MCP2515 asks of an SPI while it is made."""

    write_readinto = None


def _selects_nothing(_level: int) -> None:
    """Chip select, which a driver lets go of."""


def _driver(name: str) -> Any:  # noqa: ANN401 - boards' programs have no types here
    """A driver's module out of the sources of boards, which are no package of an installation."""
    if _PACKAGE not in sys.modules:
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(sources_folder())]
        sys.modules[_PACKAGE] = package
    return import_module(f"{_PACKAGE}.bridge.controllers.{name}")
