"""What a session is told and what it answers: the events in, the actions out."""

from __future__ import annotations

from dataclasses import dataclass

from edge.uplink.reasons import Reason
from edge.wire.receipt import Receipt

RECEIVE_MAXIMUM_DEFAULT = 65_535
"""What holds when the broker names no Receive Maximum (MQTT 5.0, 3.2.2.3.3)."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted the session (CONNACK with a success code).

    Attributes:
        session_present: whether the broker kept this client's session from before.
        receive_maximum: how many QoS 1 messages the broker takes unacknowledged.
        maximum_packet_size: bytes of the largest packet that the broker takes; None if it names none.
        protocol: "5" or "3.1.1".
        retain_available: whether the broker keeps retained messages.
        maximum_qos: the greatest quality of service that the broker takes.
    """

    session_present: bool
    receive_maximum: int = RECEIVE_MAXIMUM_DEFAULT
    maximum_packet_size: int | None = None
    protocol: str = "5"
    retain_available: bool = True
    maximum_qos: int = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """No session came about."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A session has ended, wanted or not; nothing more comes from it."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker has answered a subscription.

    Attributes:
        topic: what was asked for.
        reason_code: from 0x80 on a refusal (MQTT 5.0, 3.9.3).
    """

    topic: str
    reason_code: int = 0


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker has answered a message.

    Attributes:
        token: of the `Publish`.
        reason_code: 0 under MQTT 3.1.1, which has none.
    """

    token: int
    reason_code: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message has come in on a subscribed topic; not yet looked into."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ReceiptArrived:
    """The platform has sent a receipt, and it was found valid."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed, or there may be something new in the store."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The session shall end: what waits is still sent until `deadline_ns`, then it signs off."""

    deadline_ns: int


LinkEvent = Connected | Refused | Disconnected | Subscribed | Puback | Arrived
Event = Connected | Refused | Disconnected | Subscribed | Puback | ReceiptArrived | Tick | Stop


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection and a session; answered by `Connected` or `Refused`."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe with QoS 1; answered by `Subscribed`."""

    topic: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish with QoS 1; answered by `Puback` or `Disconnected`."""

    token: int
    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End the connection; answered by `Disconnected`, or `Refused` if it was not up yet.

    Attributes:
        with_will: whether the broker shall publish the last will.
    """

    with_will: bool = True


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Send a `Tick` at `t_ns` if nothing else happens before."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should read, said once until it changes.

    Attributes:
        text: what is so, where, and what to do.
        trouble: whether it is worse than before.
    """

    text: str
    trouble: bool


Action = Connect | Subscribe | Publish | Disconnect | WakeAt | Notice
