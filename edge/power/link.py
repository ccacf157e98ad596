"""`PowerLink`: the supervisor of power as the keeper asks it, over a line."""

from __future__ import annotations

from dataclasses import replace

from edge.power.line import PowerCommand, PowerLine, PowerSaid
from edge.power.supervisor import SupervisorEvent, SupervisorStatus


class PowerLink:
    """A `Supervisor` that is spoken with over a `PowerLine`.

    Args:
        line: to it.

    Attributes:
        answered: whether it has taken up that the gateway has ended.
    """

    def __init__(self, line: PowerLine) -> None:
        self._line = line
        self._status: SupervisorStatus | None = None
        self.answered = False

    @property
    def status(self) -> SupervisorStatus | None:
        """See `Supervisor.status`."""
        return self._status

    def keep_power(self, seconds: int) -> None:
        """See `Supervisor.keep_power`."""
        self._line.ask(PowerCommand.KEEP_POWER, seconds)

    def shutdown_done(self) -> None:
        """See `Supervisor.shutdown_done`."""
        self._line.ask(PowerCommand.SHUTDOWN_DONE)

    def wake_in(self, seconds: int) -> None:
        """See `Supervisor.wake_in`."""
        self._line.ask(PowerCommand.WAKE_TIMER, seconds)

    def hear(self) -> PowerSaid:
        """Take up what it has said since the last time, and tell it."""
        said = self._line.said()
        if said.status is not None:
            self._status = said.status
        # It says how it stands once a second only.
        turned = [bool(told.argument) for told in said.events if told.event is SupervisorEvent.IGNITION]
        if turned and self._status is not None:
            self._status = replace(self._status, ignition=turned[-1])
        self.answered |= any(
            answer.command is PowerCommand.SHUTDOWN_DONE and answer.done for answer in said.answers
        )
        return said
