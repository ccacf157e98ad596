"""What capture says in words, made fit for a log and for people: it reads what strangers send."""

from __future__ import annotations

from dataclasses import replace

import edge.errors
from edge.bus.condition import BusAlarm, BusCondition
from edge.capturing.message import Failed
from edge.errors import NevgateError
from edge.power.line import PowerSaid

_ERRORS = {
    name: kind
    for name, kind in vars(edge.errors).items()
    if isinstance(kind, type) and issubclass(kind, NevgateError)
}


def printable(text: str) -> str:
    """A text as one line for a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def printable_condition(condition: BusCondition) -> BusCondition:
    """How a bus stands, in such texts."""
    alarms = tuple(BusAlarm(alarm.kind, printable(alarm.words)) for alarm in condition.alarms)
    board = condition.board
    if board is not None:
        board = replace(
            board,
            board=printable(board.board),
            firmware=printable(board.firmware),
            supervisor=printable(board.supervisor),
            reset_cause=printable(board.reset_cause),
        )
    return replace(
        condition,
        bus=printable(condition.bus),
        interface=printable(condition.interface),
        way=printable(condition.way),
        link=printable(condition.link),
        away=printable(condition.away),
        alarms=alarms,
        board=board,
    )


def printable_power(said: PowerSaid) -> PowerSaid:
    """What a supervisor of power said, in such texts."""
    return replace(
        said,
        events=tuple(replace(event, cause=printable(event.cause)) for event in said.events),
        answers=tuple(replace(answer, text=printable(answer.text)) for answer in said.answers),
    )


def error_of(failed: Failed) -> NevgateError | None:
    """Why capture ends, as an error; None if it crashed."""
    kind = _ERRORS.get(failed.error)
    if kind is None:
        return None
    return kind(printable(failed.what), where=printable(failed.where), todo=printable(failed.todo))
