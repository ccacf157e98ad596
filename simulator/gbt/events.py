"""What happens on the connections of a platform, one small object each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Response
from edge.wire.gbt.stream import Skipped
from simulator.gbt.asks import Ask
from simulator.gbt.checks import Fault


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A vehicle, or a platform, has logged in.

    Attributes:
        who: the VIN, or the platform's user.
        edition: that it speaks.
        number: of the session.
        platform: whether it is a platform.
        by: the platform that forwards the vehicle's login; empty for its own connection.
        number_rose: whether the session number may follow the one before.
        missed: logins in between that never came here, by that number.
    """

    who: str
    edition: Edition
    number: int
    platform: bool = False
    by: str = ""
    number_rose: bool = True
    missed: int = 0


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """A vehicle or a platform has logged out in order.

    Attributes:
        who: the VIN, or the platform's user.
        number: of the session.
    """

    who: str
    number: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A message was refused.

    Attributes:
        who: the VIN or id that it names.
        command: its command mark.
        fault: which check it fails.
        detail: more for people.
        flag: what was answered; None for silence.
    """

    who: str
    command: int
    fault: Fault
    detail: str
    flag: Response | None


@dataclass(frozen=True, slots=True)
class Doubled:
    """A report came again with the same time and bytes; it is counted and not kept again.

    Attributes:
        who: the VIN.
        time_s: Unix time of collection.
    """

    who: str
    time_s: int


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes on a connection that belong to no frame.

    Attributes:
        who: the vehicle or platform of the connection; empty before login.
        skipped: what was skipped, and why.
    """

    who: str
    skipped: Skipped


@dataclass(frozen=True, slots=True)
class Answered:
    """A terminal has answered a command of the platform.

    Attributes:
        who: the VIN.
        ask: the command.
        flag: of the answer.
        parameters: that it tells, by id.
        after_s: seconds that it took.
    """

    who: str
    ask: Ask
    flag: int
    parameters: tuple[tuple[int, int | bytes], ...]
    after_s: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A terminal has not answered a command in time, or its connection ended.

    Attributes:
        who: the VIN.
        ask: the command.
        why: what happened instead.
    """

    who: str
    ask: Ask
    why: str


@dataclass(frozen=True, slots=True)
class KeyAnswered:
    """A terminal has answered a data key of the platform's; with success it holds.

    Attributes:
        who: the VIN.
        flag: of the answer.
    """

    who: str
    flag: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The platform ends a connection, or the other side has ended it.

    Attributes:
        who: the vehicle or platform of the connection; empty before login.
        why: the reason.
    """

    who: str
    why: str


Event = LoggedIn | LoggedOut | Refused | Doubled | Garbage | Answered | Unanswered | KeyAnswered | Closed


class Turn(NamedTuple):
    """What becomes of what came in.

    Attributes:
        send: bytes for the other side.
        events: what happened.
        close: why the connection is to be closed behind `send`; empty while it is not.
    """

    send: bytes = b""
    events: tuple[Event, ...] = ()
    close: str = ""
