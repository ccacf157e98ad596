"""`Composer`: makes messages out of records and gaps; each destination has one that speaks its tongue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.forward.view import View, whole
from edge.records import Record
from edge.uplink.outgoing import Kind
from edge.wire.loss import LossRange


@dataclass(frozen=True, slots=True)
class Composed:
    """A message.

    Attributes:
        payload: its bytes, as they will be sent every time; empty where the first record cannot be sent.
        count: how many of the records offered are in it, or cannot be sent at all; 0 where none can be sent
            yet.
        cause: why a record cannot be sent.
        unsaid: whether they are let be without a word: nothing of them goes to the destination.
    """

    payload: bytes
    count: int
    cause: str = ""
    unsaid: bool = False


class Composer(ABC):
    """Composes the messages of one vehicle for one destination.

    Args:
        view: what the destination may have of a record.

    Attributes:
        view: as above.
    """

    def __init__(self, view: View = whole) -> None:
        self.view = view

    @abstractmethod
    def records(
        self,
        kind: Kind,
        records: Sequence[Record],
        *,
        stream: bytes,
        predecessor: bytes | None,
        boot: bytes,
        most_bytes: int | None,
    ) -> Composed:
        """Put as many of the first records into one message as may be sent as one.

        Args:
            kind: what the message is.
            records: with consecutive numbers, at least one, all of one boot; whole, as they were collected.
            stream: whose numbers these are.
            predecessor: the stream before it, named with the first numbers.
            boot: names the boot of the records' times.
            most_bytes: of the payload; None if only the wire's limits hold. A single record goes even if it
                is larger, since it can be no smaller.
        """

    @abstractmethod
    def likely(self, most_bytes: int | None) -> int:
        """How many records will probably go into a message of so many bytes."""

    @abstractmethod
    def gap(self, entry: LossRange, *, stream: bytes, predecessor: bytes | None, boot: bytes) -> bytes:
        """The message that tells why numbers will not come; empty where the destination is told of none."""

    def items_in(self, payload: bytes) -> frozenset[str] | None:
        """Ids of the items that a message holds; None where it is one of CBOR, which says so itself."""
        del payload
        return None

    def facts(self) -> Mapping[str, int]:
        """Further counts for the account."""
        return {}
