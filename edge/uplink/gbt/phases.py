"""Where a terminal's session stands: its phase, what it waits for, and how it is to go on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge.uplink.gbt import troubles
from edge.uplink.gbt.requests import Ask
from edge.uplink.reasons import STOPPED, Reason


class TerminalPhase(Enum):
    """Where a session stands."""

    WAITING = "waiting to connect"
    CONNECTING = "connecting"
    PREPARING = "preparing to log in"
    LOGGING_IN = "logging in"
    PAUSED = "waiting to log in again"
    ONLINE = "online"
    LOGGING_OUT = "logging out"
    CLOSING = "closing"
    DONE = "done"


class LogoutCause(Enum):
    """Why a session logs out."""

    STOP = STOPPED
    DROP = troubles.DROPPED
    CHANGE = troubles.CHANGING
    AGAIN = troubles.SWAPPED


@dataclass(frozen=True, slots=True)
class Closing:
    """How the session ends a connection.

    Attributes:
        reason: why.
        wait_ns: how long it stays away; None for the growing pauses.
    """

    reason: Reason
    wait_ns: int | None


@dataclass(slots=True)
class Standing:
    """What connection and dialogue know of each other.

    Attributes:
        phase: where the session stands.
        at_ns: when to connect (waiting), or to log in again (paused).
        ask: the request that is under way.
        closing: how the connection is ended, if the session ends it.
        cause: why the session logs out, if it does.
    """

    phase: TerminalPhase = TerminalPhase.WAITING
    at_ns: int = 0
    ask: Ask | None = None
    closing: Closing | None = None
    cause: LogoutCause = LogoutCause.STOP

    @property
    def online(self) -> bool:
        """Whether reports can go now."""
        return self.phase is TerminalPhase.ONLINE
