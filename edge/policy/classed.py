"""A database whose signals have classes: what the door is built from, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edge.database.model import Database
from edge.policy.classes import DataClass

SignalName = tuple[str, str]
"""Message and signal, as the database names them."""


@dataclass(frozen=True, slots=True)
class Integrity:
    """A checksum, CRC or alive counter, and what it is taken over.

    Attributes:
        signal: the checksum or counter itself.
        covers: the signals that it is taken over; None for every bit of its message, described or not.
    """

    signal: SignalName
    covers: frozenset[SignalName] | None


@dataclass(frozen=True, slots=True)
class DiagnosticRule:
    """Which reassembled diagnostic messages belong to a class.

    Attributes:
        data_class: the class that they belong to.
        service: service identifier, first byte of the message: 0x41 answers an OBD request 0x01, 0x62 a UDS
            request 0x22.
        identifiers: parameter or data identifiers (PID, DID) as inclusive ranges; empty if the service has
            none, or if all are meant.
        identifier_bytes: bytes of the identifier after the service, big-endian; 0 if there is none.
        data_bytes: how many bytes follow the identifier; None for any number. A message of another length
            is refused: what follows may be the next identifier's data.
    """

    data_class: DataClass
    service: int
    identifiers: tuple[tuple[int, int], ...]
    identifier_bytes: int
    data_bytes: int | None

    def matches(self, message: bytes) -> bool:
        """Whether the reassembled `message`, from its service byte on, is one of those meant."""
        start = 1 + self.identifier_bytes
        if len(message) < start or message[0] != self.service:
            return False
        if self.data_bytes is not None and len(message) != start + self.data_bytes:
            return False
        if not self.identifiers:
            return True
        identifier = int.from_bytes(message[1:start], "big")
        return any(first <= identifier <= last for first, last in self.identifiers)


@dataclass(frozen=True, slots=True)
class DiagnosticChannel:
    """An arbitration id that carries ISO-TP (ISO 15765-2, normal addressing).

    Attributes:
        arbitration_id: 11 or 29 bits.
        extended: 29-bit id.
        message: the message of the database that describes its single frames; empty if none does, then
            single frames are judged by the rules as well.
        rules: what reassembled messages may contain.
        pgn: of a message matched by PGN: every id of that PGN is meant, whatever its addresses; else None.
    """

    arbitration_id: int
    extended: bool
    message: str
    rules: tuple[DiagnosticRule, ...]
    pgn: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ClassedDatabase:
    """A database and what its class file says of it.

    Attributes:
        database: the database.
        classes: the class of each classified signal; a signal that is missing here is never collected.
        integrity: the checksums and counters, each once.
        channels: the ids that carry ISO-TP.
        j1939: whether the bus carries J1939 transport sessions (SAE J1939-21), so that their packets are
            reassembled and never passed on as they are.
    """

    database: Database
    classes: Mapping[SignalName, DataClass]
    integrity: tuple[Integrity, ...] = ()
    channels: tuple[DiagnosticChannel, ...] = ()
    j1939: bool | None = None
    speaks_j1939: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", MappingProxyType(dict(self.classes)))
        by_pgn = any(message.pgn is not None for message in self.database.messages)
        object.__setattr__(self, "speaks_j1939", by_pgn if self.j1939 is None else self.j1939)

    def __reduce__(self) -> tuple[type[ClassedDatabase], tuple[object, ...]]:
        """To another process: a view of a mapping does not travel, the mapping does."""
        return type(self), (self.database, dict(self.classes), self.integrity, self.channels, self.j1939)

    def class_of(self, message: str, signal: str) -> DataClass | None:
        """The class of a signal; None if it has none."""
        return self.classes.get((message, signal))

    def unclassified(self) -> tuple[SignalName, ...]:
        """The signals without a class, in the database's order, those of PDUs in containers too."""
        return tuple(
            (message.name, signal.name)
            for outer in self.database.messages
            for message in (outer, *outer.contained)
            for signal in message.signals
            if (message.name, signal.name) not in self.classes
        )
