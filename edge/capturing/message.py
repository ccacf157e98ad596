"""What capture and core tell each other: the messages that cross the border between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.account import Hop
from edge.bus.condition import BusCondition
from edge.capturing.needs import Needed
from edge.errors import SourceError
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.power.line import PowerCommand, PowerSaid
from edge.sensors.observation import Observation

COUNT_MAX = (1 << 63) - 1
TIME_MAX_NS = 1 << 62
TEXT_MAX = 2000
"""Characters of a line for the log."""

ABSENT = -1
"""In the place of a count: the report does not say it."""


class BorderError(SourceError):
    """Bytes on the border between capture and core are no message, or one that cannot be."""


@dataclass(frozen=True, slots=True)
class Order:
    """To capture, first: what it is to open.

    Attributes:
        opener: ``package.module:function`` that opens sources and door; see `edge.capturing.opening.Opener`.
        arguments: for the opener.
        collect: the classes to collect at first.
        admission: name of what is admitted, see `Door.adopt`.
        buffer_bytes: masked frames that may wait for the core; the oldest make room.
        needed: what sources and sensors need of the system while they run; all else is refused to capture.
    """

    opener: str
    arguments: Mapping[str, Any]
    collect: tuple[DataClass, ...]
    admission: str
    buffer_bytes: int
    needed: tuple[Needed, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """To capture: hand on all that has come, or after `timeout_ms` say that nothing has."""

    number: int
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """To capture: collect other classes from the next batch on; `number` counts up."""

    number: int
    collect: tuple[DataClass, ...]
    admission: str


@dataclass(frozen=True, slots=True)
class Close:
    """To capture: take nothing more in, hand on what is there, and end."""


@dataclass(frozen=True, slots=True)
class PowerAsk:
    """To capture: ask the supervisor of power, see `edge.power.line.PowerLine.ask`; also after a `Close`."""

    command: PowerCommand
    seconds: int


@dataclass(frozen=True, slots=True)
class Ready:
    """From capture: everything is open.

    Attributes:
        t_ns: boot-monotonic time of it.
        live: see `FrameSource.live`.
        mask: name of the mask that batches will have.
        items: ids of the items that its sensors provide.
        lacking: what could not be hardened, or is open because of a need, a sentence each.
    """

    t_ns: int
    live: bool
    mask: str
    items: tuple[str, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """From capture: its account, in which the batches that follow before the next `Done` have left.

    Attributes:
        t_ns: boot-monotonic time of it.
        adopted: number of the last `Adopt` that it has taken up.
        hops: the account.
        place: name of the area that the vehicle is in, see `MaskedSource.place`.
        buses: how they stand, see `MaskedSource.buses`.
    """

    t_ns: int
    adopted: int
    hops: tuple[Hop, ...]
    place: str | None = None
    buses: tuple[BusCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """From capture: a `Report` in the words of those before it, so that only numbers are said.

    `edge.capturing.reporting` makes it, and a report of it again.

    Attributes:
        t_ns: see `Report`.
        adopted: see `Report`.
        counts: of all hops, in the order of their words; `ABSENT` for a word that this report does not say.
    """

    t_ns: int
    adopted: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Observed:
    """From capture: what sensors beside CAN said."""

    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """From capture: all that had come when it took up the `Ask` of that number has been handed on."""

    number: int


@dataclass(frozen=True, slots=True)
class Told:
    """From capture: a line for the log, with its level (`logging`)."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class PowerTold:
    """From capture: what the supervisor of power said; also after `Ended`, until the core hangs up."""

    said: PowerSaid


@dataclass(frozen=True, slots=True)
class Failed:
    """From capture, last: why it ends; `error` is the name of a class in `edge.errors`, else it crashed."""

    error: str
    what: str
    where: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """From capture, last: the sources have ended or were closed, and all of it has been handed on.

    Where it is also the line to the supervisor of power, it stays for that alone.
    """


Message = (
    Order
    | Ask
    | Adopt
    | Close
    | PowerAsk
    | Ready
    | Report
    | Counts
    | Observed
    | Done
    | Told
    | PowerTold
    | Failed
    | Ended
    | FrameBatch
)
