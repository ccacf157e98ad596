"""How each bus stands at the moment: what reads it, whether it only listens, what alarms stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Listening(StrEnum):
    """Whether the controller of a bus takes part in it by itself, as it reads back."""

    ONLY = "listen-only"
    NOT_ONLY = "not listen-only"
    UNKNOWN = "cannot tell"
    """There is no controller, as of ``vcan``, or nobody can be asked."""


class AlarmKind(StrEnum):
    """What a person has to see to; the words are those of the account."""

    NOT_LISTEN_ONLY = "not listen-only"
    NOT_AS_CONFIGURED = "not as configured"


@dataclass(frozen=True, slots=True)
class BusAlarm:
    """Something is not as it has to be.

    Attributes:
        kind: what.
        words: for people, a sentence without a full stop, with what to do.
    """

    kind: AlarmKind
    words: str


@dataclass(frozen=True, slots=True)
class BoardHealth:
    """How a microcontroller stands that a bus is read by; what it does not tell is None.

    Attributes:
        board: its name.
        firmware: version and build of its firmware.
        temperature_c: of its chip.
        supply_v: of the vehicle.
        ignition: whether it is on.
        supervisor: state of the supervisor of power in words; empty where there is none.
        heap_free_bytes: free memory.
        loop_worst_us: the longest turn of its main loop in the last second.
        resets: so often it was reset while this gateway ran.
        reset_cause: why it booted last.
        lost: frames of all its buses that it had taken and that did not come.
        stalls: so often the gateway took nothing while something waited, since it booted.
        clock_error_us: how far its times can be wrong on this machine's clock, either way.
        drift_ppm: how much faster this machine's clock runs than its.
    """

    board: str
    firmware: str
    temperature_c: float | None = None
    supply_v: float | None = None
    ignition: bool | None = None
    supervisor: str = ""
    heap_free_bytes: int | None = None
    loop_worst_us: int | None = None
    resets: int = 0
    reset_cause: str = ""
    lost: int = 0
    stalls: int = 0
    clock_error_us: float | None = None
    drift_ppm: float | None = None


@dataclass(frozen=True, slots=True)
class BusCondition:
    """How a bus stands.

    Attributes:
        bus: its name.
        interface: what is read: ``socketcan can0``.
        way: how frames are taken: ``ring``, ``raw``, ``vlink`` or ``python-can``; empty until that is chosen.
        link: the interface in words: ``can, 500000 bit/s, listen-only``; empty where nobody can be asked.
        listening: whether its controller only listens.
        listening_required: whether it has to.
        away: why nothing can come; empty while the interface is there and up.
        alarms: what stands.
        board: how the microcontroller stands that it is read by; None where there is none.
    """

    bus: str
    interface: str = ""
    way: str = ""
    link: str = ""
    listening: Listening = Listening.UNKNOWN
    listening_required: bool = True
    away: str = ""
    alarms: tuple[BusAlarm, ...] = ()
    board: BoardHealth | None = None


class Conditions:
    """Where the sources of buses put down how these stand; each has one writer.

    Any thread may read.

    Args:
        buses: how they stand at first, in the order in which they are shown.
    """

    def __init__(self, buses: Iterable[BusCondition] = ()) -> None:
        self._by_bus = {one.bus: one for one in buses}

    def of(self, bus: str) -> BusCondition:
        """How a bus stands; one that was never told of stands in no way that is known."""
        return self._by_bus.get(bus) or BusCondition(bus)

    def tell(self, condition: BusCondition) -> None:
        """Put down how a bus stands now."""
        self._by_bus[condition.bus] = condition

    def all(self) -> tuple[BusCondition, ...]:
        """All buses, in the order in which they were told of first."""
        return tuple(self._by_bus.values())
