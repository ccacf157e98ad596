"""`Outgoing`: one signed message on its way out, and what it ranks as."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

TOPIC_ROOT = "nev/v1"


class Kind(IntEnum):
    """What a message is, in the order in which messages are sent; a topic belongs to one kind.

    When the queue is full, the last kind loses first: media, then backlog, event, live, alarm.
    """

    ALARM = 0
    LIVE = 1
    EVENT = 2
    BACKLOG = 3
    MEDIA = 4

    @property
    def topic_level(self) -> str:
        """The last level of the kind's topic."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class VehicleTopics:
    """The MQTT topics of one vehicle.

    Attributes:
        vehicle: the VIN, or a pseudonym that the platform knows.
    """

    vehicle: str

    def up(self, kind: Kind) -> str:
        """Where messages of `kind` are published."""
        return f"{TOPIC_ROOT}/{self.vehicle}/up/{kind.topic_level}"

    @property
    def receipt(self) -> str:
        """Where the platform publishes its receipts."""
        return f"{TOPIC_ROOT}/{self.vehicle}/down/receipt"

    @property
    def status(self) -> str:
        """Where the gateway says, retained, whether it is connected; also its last will."""
        return f"{TOPIC_ROOT}/{self.vehicle}/status"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it will be sent, every time with the same bytes.

    Attributes:
        kind: its rank.
        topic: the MQTT topic.
        payload: the signed bytes.
        stream: the 128-bit id of the stream that its numbers count in; empty if it answers for no numbers.
        first_number: the first number that it answers for (a record's, or one told lost in it); from 1.
        last_number: the last; every number between is answered for as well.
        record_count: the records in it, not counting those that it tells lost.
    """

    kind: Kind
    topic: str
    payload: bytes
    stream: bytes = b""
    first_number: int = 0
    last_number: int = 0
    record_count: int = 0

    def __post_init__(self) -> None:
        span = self.last_number - self.first_number + 1 if self.stream else 0
        if self.stream and not 1 <= self.first_number <= self.last_number:
            message = f"numbers {self.first_number} to {self.last_number} are no range"
            raise ValueError(message)
        if not 0 <= self.record_count <= span:
            message = f"{self.record_count} records do not fit {span} numbers"
            raise ValueError(message)

    @property
    def numbered(self) -> bool:
        """Whether a receipt can speak of it; one without numbers is acknowledged by its PUBACK."""
        return bool(self.stream)

    def __str__(self) -> str:
        size = f"{len(self.payload):,} bytes on {self.topic}"
        if not self.numbered:
            return size
        return f"numbers {self.first_number} to {self.last_number}, {size}"
