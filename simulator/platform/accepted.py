"""What the platform has judged and takes in: messages of records, and what a vehicle states beside them."""

from __future__ import annotations

from dataclasses import dataclass

from edge.records import Record
from edge.wire.account_message import AccountMessage
from edge.wire.checkpoint import Checkpoint
from edge.wire.loss import LossRange
from edge.wire.media_message import MediaChunk, MediaEnded
from edge.wire.message import MessageKind
from edge.wire.time_corrections import TimeCorrections

Statement = Checkpoint | AccountMessage | TimeCorrections
"""What a vehicle signs beside its records."""


def statement_kind(statement: Statement) -> str:
    """What a statement is called where its evidence is kept."""
    match statement:
        case Checkpoint():
            return "checkpoint"
        case AccountMessage():
            return "account"
        case _:
            return "time corrections"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message of records that can be taken at its word.

    Attributes:
        vehicle: who signed it.
        stream: 16 bytes.
        boot: 16 bytes.
        kind: live, alarm, backlog or event, as it was signed.
        road: the topic that it came on, which is backlog for what could not be sent when it was made.
        records: in rising order of numbers; their times need not rise.
        losses: the range entries.
        predecessor: the 16 bytes of the stream that this one continues, if it says so.
        key_id: which key signed it.
        provable: whether that convinces third parties; the code of a device does not.
    """

    vehicle: str
    stream: bytes
    boot: bytes
    kind: MessageKind
    road: MessageKind
    records: tuple[Record, ...]
    losses: tuple[LossRange, ...]
    predecessor: bytes | None
    key_id: bytes
    provable: bool = True

    @property
    def device_key(self) -> bytes:
        """The id of the device's key that it is authenticated under; empty for a signature."""
        return b"" if self.provable else self.key_id

    @property
    def urgent(self) -> bool:
        """Whether it tells of an alarm, so that its receipt must not wait."""
        return self.kind is MessageKind.ALARM or any(record.alarm for record in self.records)

    @property
    def prompt(self) -> bool:
        """Whether it came as soon as it was made, so that its age says how fast the road is."""
        return self.road in {MessageKind.LIVE, MessageKind.ALARM}


@dataclass(frozen=True, slots=True)
class AcceptedMedia:
    """A chunk of a still or clip, or the word that no more of one will come, to be taken at its word.

    Attributes:
        vehicle: who signed it.
        message: what it is.
        key_id: which key signed it.
    """

    vehicle: str
    message: MediaChunk | MediaEnded
    key_id: bytes


@dataclass(frozen=True, slots=True)
class AcceptedStatement:
    """A statement that can be taken at its word.

    Attributes:
        vehicle: who signed it.
        statement: what it says.
        key_id: which key signed it.
        provable: whether that convinces third parties; the code of a device does not.
    """

    vehicle: str
    statement: Statement
    key_id: bytes
    provable: bool = True

    @property
    def device_key(self) -> bytes:
        """The id of the device's key that it is authenticated under; empty for a signature."""
        return b"" if self.provable else self.key_id

    @property
    def boot(self) -> bytes:
        """The boot in which it was made, empty for corrections, which may be of several."""
        return b"" if isinstance(self.statement, TimeCorrections) else self.statement.boot
