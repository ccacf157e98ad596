"""What a terminal's session is told and what it answers: the events in, the actions out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.uplink.events import Notice, WakeAt
from edge.uplink.gbt.answered import SecurityEvent, SettingsChanged
from edge.uplink.reasons import Reason


@dataclass(frozen=True, slots=True)
class Opened:
    """The connection that was asked for stands."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection did not open, or has ended; nothing more comes from it.

    Attributes:
        reason: why.
        by_peer: whether it stood and the other side has ended it.
    """

    reason: Reason
    by_peer: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes have come in, cut anywhere."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed, or there may be something new in the store.

    Attributes:
        unsent: bytes of `Send` that the link could not pass on yet.
    """

    unsent: int = 0


@dataclass(frozen=True, slots=True)
class LogInAgain:
    """The vehicle has other battery packs than it logged in with: it logs out and in (2025, after a swap)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The session shall end: what waits is still sent until `deadline_ns`, then it logs out."""

    deadline_ns: int


LinkEvent = Opened | Closed | Received
Event = LinkEvent | Tick | LogInAgain | Stop


@dataclass(frozen=True, slots=True)
class Open:
    """Open a connection; answered by `Opened` or `Closed`."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes; whole frames."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection once what was to be sent has gone, or soon; answered by `Closed`."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Parameters were set by the platform, and hold from now on."""

    changed: SettingsChanged


@dataclass(frozen=True, slots=True)
class Perform:
    """Carry out what the platform has ordered, once what was to be sent has gone, or soon."""

    order: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Log:
    """Make an entry in the log of security events."""

    event: SecurityEvent


Action = Open | Send | Close | Apply | Perform | Log | Notice | WakeAt
