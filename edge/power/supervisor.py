"""The supervisor of the gateway's power as the gateway sees it: what it says, and what it may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol


class SupervisorState(IntEnum):
    """Where the supervisor stands; the numbers are those of vlink's STATUS."""

    NONE = 0
    OFF = 1
    WAKING = 2
    CRANKING = 3
    ON = 4
    SHUTTING_DOWN = 5
    WATCHING = 6
    PROTECTED = 7

    @property
    def words(self) -> str:
        """For people."""
        return self.name.replace("_", " ").lower()


class SupervisorEvent(IntEnum):
    """What a supervisor tells; the numbers are the codes of vlink's EVENT."""

    POWER_ON = 0x201
    POWER_OFF = 0x202
    SHUTDOWN_PLEASE = 0x203
    SUPPLY_FALLING = 0x204
    IGNITION = 0x205
    CRANKING_BEGINS = 0x206
    CRANKING_OVER = 0x207
    WATCHING_BEGINS = 0x208
    PROTECTION = 0x209
    WAKE_REFUSED = 0x20A

    @property
    def words(self) -> str:
        """For people."""
        return self.name.replace("_", " ").lower()


SHUTDOWN_CAUSES = frozenset(
    {
        "nothing left to watch",
        "supply low",
        "watching budget spent",
        "cranking too long",
        "battery limit",
    }
)
"""Why a supervisor asks for the end, in its own words."""


class Wish(StrEnum):
    """What the gateway's run is to do."""

    GO_ON = "go on"
    SAVE = "save"
    """Commit now: the supply is falling and may be gone in a second."""
    END = "end"


@dataclass(frozen=True, slots=True)
class SupervisorStatus:
    """How the supervisor stands, out of a STATUS.

    Attributes:
        state: of its state machine.
        supply_mv: of the vehicle; None where unknown.
        ignition: whether it is on; None where unknown.
    """

    state: SupervisorState
    supply_mv: int | None = None
    ignition: bool | None = None


@dataclass(frozen=True, slots=True)
class ShutdownRequest:
    """The supervisor asks the gateway to end; it is said again until it is answered.

    Attributes:
        left_s: power is cut so soon without an answer.
        cause: in the supervisor's words.
    """

    left_s: float
    cause: str = ""


@dataclass(frozen=True, slots=True)
class SupplyFalling:
    """The supply has fallen below what the gateway can live on.

    Attributes:
        supply_mv: as measured.
    """

    supply_mv: int


class Supervisor(Protocol):
    """What can be asked of a supervisor; each call is a packet that may be lost, and returns at once."""

    @property
    def status(self) -> SupervisorStatus | None:
        """What it said last; None before it has said anything."""

    def keep_power(self, seconds: int) -> None:
        """Ask for power for so many seconds from now; 0 takes back what was asked."""

    def shutdown_done(self) -> None:
        """Say that the gateway has closed its journal, so that power may go."""

    def wake_in(self, seconds: int) -> None:
        """Have the gateway woken in so many seconds from now, once it is off; 0 takes that back."""
