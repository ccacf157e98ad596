"""`Answered`: what becomes of a platform's command: the answer, what it changes, what is told and noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from edge.errors import UplinkError
from edge.uplink.events import Notice
from edge.uplink.gbt.server_change import Server, ServerChange
from edge.wire.gbt.frame import Response
from edge.wire.gbt.message import Message


class CommandRefusedError(UplinkError):
    """A platform's command is answered with an error, and nothing has changed.

    Attributes:
        flag: the response flag to answer with.
    """

    def __init__(self, what: str, flag: Response = Response.ERROR) -> None:
        super().__init__(what)
        self.flag = flag


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What a terminal goes by now, as configured and as platforms have set it (parameters of 0x81).

    Attributes:
        report_period_s: between two reports (02).
        alarm_period_s: between two reports while an alarm of level 3 or 4 holds (03); 0: each sample.
        storage_period_s: between two records that are kept (01).
        heartbeat_s: between two heartbeats (09).
        terminal_timeout_s: how long the terminal waits for an answer (0A).
        platform_timeout_s: how long the platform waits for the terminal (0B).
        login_pause_s: after three logins that failed (0C).
        sampled: whether the vehicle is under sampling inspection (10).
        server: the platform (05, 06).
        public_server: the public platform (0E, 0F); None where there is none.
        user: values of parameters that a profile describes (0x80 to 0xFE).
    """

    report_period_s: float
    alarm_period_s: float
    storage_period_s: float
    heartbeat_s: float
    terminal_timeout_s: float
    platform_timeout_s: float
    login_pause_s: float
    sampled: bool
    server: Server
    public_server: Server | None
    user: Mapping[int, int | bytes]


class Order(IntEnum):
    """What a platform may order of a terminal (0x82)."""

    UPGRADE = 1
    SHUTDOWN = 2
    RESET = 3
    FACTORY_RESET = 4
    DROP_LINK = 5
    ALARM = 6
    OPEN_SAMPLING = 7


@dataclass(frozen=True, slots=True)
class Given:
    """An order that was given and accepted.

    Attributes:
        order: which.
        argument: its bytes; of `Order.ALARM` one, the level.
        wall_s: when by the platform, Unix time.
    """

    order: Order
    argument: bytes
    wall_s: int


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """Parameters were set, and hold from now on.

    Attributes:
        live: all of them.
        ids: of those that are different from before.
    """

    live: LiveSettings
    ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class ChangeServer:
    """Leave the server, and go by `change` until it is done."""

    change: ServerChange[Answered]


@dataclass(frozen=True, slots=True)
class DropLink:
    """End the connection once the answer has been sent."""


@dataclass(frozen=True, slots=True)
class CarryOut:
    """Carry an order out once the answer has been sent.

    Attributes:
        given: the order.
        action: to be called with it; it must not block, and may end the process.
    """

    given: Given
    action: Callable[[Given], None]


Effect = SettingsChanged | ChangeServer | DropLink | CarryOut


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """An entry of the terminal's log of security events (GB/T 40855-2021, 5.2.2.7).

    Attributes:
        wall_s: date and time, whole seconds of Unix time.
        vin: of the vehicle.
        kind: of event, such as ``control order refused``.
        detail: more for people; never a key or a position.
    """

    wall_s: int
    vin: bytes
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What becomes of a command.

    Attributes:
        message: to be sent now, before anything of `effects`; None where the answer comes later.
        effects: to be carried out, in this order.
        notices: for people.
        events: for the log of security events.
    """

    message: Message | None
    effects: tuple[Effect, ...] = ()
    notices: tuple[Notice, ...] = ()
    events: tuple[SecurityEvent, ...] = ()
