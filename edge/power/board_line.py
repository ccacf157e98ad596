"""`BoardLine`: the line to a supervisor of power in the process that has the board's port."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Protocol

from edge.bus.vlink.commands import Outcome
from edge.power.line import PowerAnswer, PowerCommand, PowerEvent, PowerSaid
from edge.power.supervisor import SupervisorEvent, SupervisorState, SupervisorStatus
from edge.wire.vlink_messages import ACK_DONE, NO_IGNITION, NO_SUPPLY, Event, Status

EVENTS: Mapping[int, SupervisorEvent] = {each.value: each for each in SupervisorEvent}
STATES: Mapping[int, SupervisorState] = {each.value: each for each in SupervisorState}
COMMANDS: Mapping[int, PowerCommand] = {each.value: each for each in PowerCommand}

_ARGUMENT_OCTETS = {PowerCommand.SHUTDOWN_DONE: 0, PowerCommand.KEEP_POWER: 2, PowerCommand.WAKE_TIMER: 4}


class Board(Protocol):
    """What is needed of the source of a board (`edge.bus.vlink.source.VlinkSource`)."""

    def said(self) -> Iterable[Status | Event | Outcome]:
        """What board and supervisor said since the last call."""

    def ask(self, code: int, argument: bytes = b"") -> int:
        """Have a command sent; its number."""

    def attend(self, timeout_s: float) -> None:
        """Keep the session going once frames are over."""

    def hang_up(self) -> None:
        """Close the port."""


class BoardLine:
    """A `PowerLine` over a board; whatever the board says that no supervisor says is left out.

    One command of a kind is under way at a time, so that none can overtake a later one.
    """

    def __init__(self) -> None:
        self._board: Board | None = None
        self._lock = threading.Lock()
        self._under_way: dict[int, PowerCommand] = {}
        self._wanted: dict[PowerCommand, int] = {}

    def reach(self, board: Board) -> None:
        """Speak over this board from now on."""
        self._board = board

    def said(self) -> PowerSaid:
        """See `PowerLine.said`."""
        if self._board is None:
            return PowerSaid()
        events: list[PowerEvent] = []
        answers: list[PowerAnswer] = []
        status = None
        for one in self._board.said():
            match one:
                case Status():
                    status = _status(one)
                case Event() if one.code in EVENTS:
                    events.append(PowerEvent(EVENTS[one.code], one.argument, one.text))
                case Outcome() if one.code in COMMANDS:
                    answers.append(PowerAnswer(COMMANDS[one.code], one.result == ACK_DONE, one.text))
                    self._answered(one.number)
                case _:
                    pass
        return PowerSaid(tuple(events), tuple(answers), status)

    def ask(self, command: PowerCommand, seconds: int = 0) -> None:
        """See `PowerLine.ask`."""
        with self._lock:
            self._wanted[command] = seconds
            self._send()

    def attend(self, timeout_s: float) -> None:
        """See `PowerLine.attend`."""
        if self._board is not None:
            self._board.attend(timeout_s)

    def hang_up(self) -> None:
        """See `PowerLine.hang_up`."""
        if self._board is not None:
            self._board.hang_up()

    def _answered(self, number: int) -> None:
        with self._lock:
            self._under_way.pop(number, None)
            self._send()

    def _send(self) -> None:
        if self._board is None:
            return
        for command in self._wanted.keys() - self._under_way.values():
            argument = self._wanted.pop(command).to_bytes(_ARGUMENT_OCTETS[command], "little")
            self._under_way[self._board.ask(command, argument)] = command


def _status(status: Status) -> SupervisorStatus | None:
    """How the supervisor stands; None where none is fitted, or it is of a kind that is not known here."""
    state = STATES.get(status.supervisor, SupervisorState.NONE)
    if state is SupervisorState.NONE:
        return None
    return SupervisorStatus(
        state,
        None if status.supply_mv == NO_SUPPLY else status.supply_mv,
        None if status.ignition == NO_IGNITION else bool(status.ignition),
    )
