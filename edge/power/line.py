"""`PowerLine`: what is said and asked between the gateway and the supervisor of its power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from edge.power.supervisor import SupervisorEvent, SupervisorStatus

KEEP_MAX_S = 65_535
"""What can be asked for at once by `PowerCommand.KEEP_POWER`."""

WAKE_MAX_S = 500_000
"""A supervisor's wake timer reaches no further."""


class PowerCommand(IntEnum):
    """All that a supervisor may be asked; the numbers are those of vlink's CMD."""

    SHUTDOWN_DONE = 3
    KEEP_POWER = 4
    WAKE_TIMER = 5


LONGEST_S = {
    PowerCommand.SHUTDOWN_DONE: 0,
    PowerCommand.KEEP_POWER: KEEP_MAX_S,
    PowerCommand.WAKE_TIMER: WAKE_MAX_S,
}
"""The largest number of seconds that goes with a command."""


@dataclass(frozen=True, slots=True)
class PowerEvent:
    """What a supervisor told of itself.

    Attributes:
        event: what happened.
        argument: of the event, see docs/supervisor.md.
        cause: in the supervisor's words.
    """

    event: SupervisorEvent
    argument: int
    cause: str


@dataclass(frozen=True, slots=True)
class PowerAnswer:
    """What became of a command.

    Attributes:
        command: which.
        done: whether it was; False if it was refused, or nothing answered.
        text: for people.
    """

    command: PowerCommand
    done: bool
    text: str


@dataclass(frozen=True, slots=True)
class PowerSaid:
    """What came from a supervisor, each kind in order.

    Attributes:
        events: what it told.
        answers: what became of commands.
        status: how it stands; None if that was not told anew.
    """

    events: tuple[PowerEvent, ...] = ()
    answers: tuple[PowerAnswer, ...] = ()
    status: SupervisorStatus | None = None

    def __bool__(self) -> bool:
        return bool(self.events or self.answers or self.status is not None)

    @property
    def pressing(self) -> bool:
        """Whether somebody waits for it."""
        return bool(self.events or self.answers)


def joined(said: Sequence[PowerSaid]) -> PowerSaid:
    """What came several times, as one."""
    told = [one.status for one in said if one.status is not None]
    return PowerSaid(
        tuple(event for one in said for event in one.events),
        tuple(answer for one in said for answer in one.answers),
        told[-1] if told else None,
    )


class PowerLine(Protocol):
    """A line to a supervisor, over the board that a bus is read through.

    It outlives the capture of frames: when that is closed, `attend` keeps it going until `hang_up`.
    """

    def said(self) -> PowerSaid:
        """What came since the last call; any thread may ask."""

    def ask(self, command: PowerCommand, seconds: int = 0) -> None:
        """Have a command sent, and again until it is answered; returns at once. Any thread may ask.

        Of a command that was not answered yet only what was asked last is sent after it.

        Args:
            command: which.
            seconds: that go with it, up to `LONGEST_S`.
        """

    def attend(self, timeout_s: float) -> None:
        """Send and receive for so long, once capture is closed; one thread at a time."""

    def hang_up(self) -> None:
        """Let go of the line."""
