"""What a session may do, and how long it waits for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.clock import NS_PER_S

IN_FLIGHT_MOST = 100


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The rules of one session.

    Attributes:
        where: the broker as a person knows it, such as ``broker.example:8883``; stands before every notice.
        acknowledge: what lets go of a message: the platform's receipt, or the broker's PUBACK. A message
            without numbers is let go of by its PUBACK in either case.
        in_flight: messages published and not yet answered by the broker, at most, from 1 to 100; the
            broker's Receive Maximum lowers it.
        maximum_packet_size: bytes of the largest packet to send, where less is wanted than the broker takes.
        constrained: never more than one backlog message, of `constrained_bytes`, unacknowledged, whatever
            the link is found to carry (`edge.uplink.backlog_pace`).
        constrained_bytes: payload bytes that a new backlog message may have on any link.
        backlog_open: backlog messages at most that neither the destination has acknowledged nor are to be
            sent again; enough for what the platform answers with one receipt, several times.
        puback_timeout_s: a connection on which a message goes unanswered for so long is closed.
        receipt_timeout_s: a message without a receipt for so long after its PUBACK is sent again; doubled at
            each repeat up to 16 times. While the platform says nothing at all, only the oldest such message
            is repeated.
        resend_pause_s: a number that a receipt reports missing is sent again only so long after its last
            sending, since the receipt may have crossed it.
        settled_after_s: a connection that lasted so long, or on which a message was acknowledged, resets
            the backoff.
        retry_first_s: pause before the second attempt to connect; doubled up to `retry_cap_s`, and of each
            pause a random part between a half and the whole is waited.
        retry_cap_s: longest pause between attempts.
        late_first_s: as `retry_first_s`, where a person has to do something or the broker asks for quiet.
        late_cap_s: as `retry_cap_s`, likewise.
        give_up_after: a message during whose sending, alone in flight, the connection was lost so many
            times in a row is set aside, since the broker or something before it will not have it; 0: never.
        farewell_s: how long the farewell may take.
    """

    where: str = "broker"
    acknowledge: Literal["receipt", "puback"] = "receipt"
    in_flight: int = 20
    maximum_packet_size: int | None = None
    constrained: bool = False
    constrained_bytes: int = 4096
    backlog_open: int = 64
    puback_timeout_s: float = 60.0
    receipt_timeout_s: float = 60.0
    resend_pause_s: float = 5.0
    settled_after_s: float = 30.0
    retry_first_s: float = 1.0
    retry_cap_s: float = 60.0
    late_first_s: float = 30.0
    late_cap_s: float = 600.0
    give_up_after: int = 8
    farewell_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.in_flight <= IN_FLIGHT_MOST:
            message = f"in_flight is {self.in_flight}, not 1 to {IN_FLIGHT_MOST}"
            raise ValueError(message)


def ns(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * NS_PER_S)
