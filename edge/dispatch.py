"""Dispatch: records become signed messages, an alarm at once, and lost numbers become range entries."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from edge.account import Hop
from edge.errors import WireError
from edge.forward.view import View, whole
from edge.records import Record
from edge.uplink.outbox import Loss
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.wire.cose import Signer
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.loss import LossCause, LossRange
from edge.wire.message import MESSAGE_WEIGHT, MessageKind, RecordMessage, encode, weight_of

KINDS = {
    Kind.ALARM: MessageKind.ALARM,
    Kind.LIVE: MessageKind.LIVE,
    Kind.BACKLOG: MessageKind.BACKLOG,
}

CANNOT_BE_WRITTEN = "cannot be written as a message"
TOO_LARGE = "too large for a message"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who numbers the records.

    Attributes:
        vehicle: the VIN or pseudonym that stands in topics and messages.
        stream: 16 random bytes, drawn when the gateway starts.
        boot: 16 bytes that name the boot whose monotonic time the records carry.
        predecessor: the stream before this one, named with the first numbers; None where there is none.
    """

    vehicle: str
    stream: bytes
    boot: bytes
    predecessor: bytes | None = None


class Dispatch(ABC):
    """Takes records in and hands messages on, for one destination and past the journal.

    Attributes:
        last_number: of the record taken in last; 0 for none.
    """

    last_number: int = 0

    @abstractmethod
    def add(self, record: Record) -> None:
        """Take in the next record of the stream."""

    @abstractmethod
    def flush(self) -> None:
        """Hand on the records that wait for company."""

    @abstractmethod
    def gather_losses(self) -> int:
        """Take up what the outbox gave up; how many range entries the platform has yet to be told."""

    @abstractmethod
    def report_losses(self, room: Callable[[], bool]) -> None:
        """Tell the platform which numbers were given up, one signed range entry each.

        Args:
            room: whether the outbox has room for one more, so that no record has to give way to it.
        """

    @abstractmethod
    def hop(self) -> Hop:
        """Report records that came in, and those that went on in messages."""


class CoseDispatch(Dispatch):
    """Collects records and hands signed CBOR messages on.

    A live message goes out when `live_records` records are together. A record with an alarm of level 3 or
    more goes out at once as an alarm message, after the live records before it, since a message's numbers
    have no gaps. Records of before an alarm go as backlog: a platform knows reissues by their message's kind.
    Signed bytes are made once; a repeat is the outbox's business.

    Records that are too large for one message go in several. A record that cannot be written at all is set
    aside and its number told to the platform as lost; it costs no other record.

    Args:
        identity: of the vehicle and its stream.
        keys: the catalogue's wire keys.
        signer: signs for the vehicle, role up.
        put: takes a message into the outbox.
        take_losses: hands out the number ranges that the outbox gave up.
        live_records: how many records make a live message, from 1; may be changed while running.
        largest_payload: bytes of the largest payload that is taken as a kind now; None if nothing limits it.
        view: what the destination may have of a record; asked when its message is made.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        keys: ItemKeys,
        signer: Signer,
        put: Callable[[Outgoing], None],
        take_losses: Callable[[], Iterable[Loss]],
        live_records: int,
        largest_payload: Callable[[Kind], int | None] = lambda _: None,
        view: View = whole,
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._signer = signer
        self._put = put
        self._take_losses = take_losses
        self._largest_payload = largest_payload
        self._view = view
        self.live_records = live_records
        self.last_number = 0
        self._topics = VehicleTopics(identity.vehicle)
        self._waiting: list[Record] = []
        self._late = False
        self._weight = 0
        self._untold: deque[LossRange] = deque()
        self._set_aside: Counter[str] = Counter()
        self._entered = 0
        self._messages = 0
        self._bytes = 0
        self._ranges = 0

    def add(self, record: Record) -> None:
        """See `Dispatch.add`."""
        self._entered += 1
        self.last_number = record.number
        if record.reissue is not self._late:
            self.flush()
            self._late = record.reissue
        if record.alarm and not record.reissue and self._view(record).alarm:
            self.flush()
            self._show(Kind.ALARM, [record])
            return
        weight = weight_of(record)
        if self._weight + weight > MESSAGE_WEIGHT:
            self.flush()
        self._waiting.append(record)
        self._weight += weight
        if len(self._waiting) >= min(self.live_records, DEFAULT_LIMITS.records):
            self.flush()

    def flush(self) -> None:
        """See `Dispatch.flush`."""
        if self._waiting:
            records, self._waiting, self._weight = self._waiting, [], 0
            self._show(Kind.BACKLOG if self._late else Kind.LIVE, records)

    def gather_losses(self) -> int:
        """See `Dispatch.gather_losses`."""
        if not self._untold:
            for loss in self._take_losses():
                if loss.stream == self._identity.stream:
                    self._lose(loss.first_number, loss.last_number)
        return len(self._untold)

    def report_losses(self, room: Callable[[], bool]) -> None:
        """See `Dispatch.report_losses`."""
        while room() and self.gather_losses():
            entry = self._untold.popleft()
            self._ranges += 1
            self._hand_on(Kind.LIVE, self._sign(Kind.LIVE, (), (entry,)), entry.first, entry.last, 0)

    def hop(self) -> Hop:
        """See `Dispatch.hop`."""
        set_aside = dict(self._set_aside)
        if self._waiting:
            set_aside["waiting for the next message"] = len(self._waiting)
        facts = {"messages": self._messages, "bytes": self._bytes, "range entries": self._ranges}
        if self._untold:
            facts["range entries not yet sent"] = len(self._untold)
        return Hop(
            name="dispatch",
            unit="records",
            entered=self._entered,
            left=self._entered - sum(set_aside.values()),
            set_aside=set_aside,
            facts=facts,
        )

    def _show(self, kind: Kind, records: Sequence[Record]) -> None:
        """Hand on of records what the destination may have now."""
        self._send(kind, [self._view(record) for record in records])

    def _send(self, kind: Kind, records: Sequence[Record]) -> None:
        """Hand records on in one message; in two halves if that is too large or cannot be written."""
        if any(later.number != earlier.number + 1 for earlier, later in pairwise(records)):
            raise ValueError("records of one message have consecutive numbers")
        most = self._largest_payload(kind)
        try:
            payload = self._sign(kind, records, ())
        except WireError as error:
            if len(records) == 1:
                self._set_aside[CANNOT_BE_WRITTEN] += 1
                self._give_up(records[0], CANNOT_BE_WRITTEN, str(error))
                return
        else:
            readable = len(payload) <= DEFAULT_LIMITS.message_bytes
            if len(records) == 1 and not (readable and weight_of(records[0]) <= MESSAGE_WEIGHT):
                self._set_aside[TOO_LARGE] += 1
                self._give_up(records[0], TOO_LARGE, f"its message has {len(payload):,} bytes")
                return
            if len(records) == 1 or (readable and (most is None or len(payload) <= most)):
                self._hand_on(kind, payload, records[0].number, records[-1].number, len(records))
                return
        middle = len(records) // 2
        self._send(kind, records[:middle])
        self._send(kind, records[middle:])

    def _give_up(self, record: Record, cause: str, words: str) -> None:
        self._lose(record.number, record.number)
        if self._set_aside[cause] == 1:
            logger.warning("record %d %s: %s; further ones are only counted", record.number, cause, words)

    def _lose(self, first: int, last: int) -> None:
        if self._untold and self._untold[-1].last + 1 == first:
            self._untold[-1] = replace(self._untold[-1], last=last)
        else:
            self._untold.append(LossRange(first, last, LossCause.LOST))

    def _sign(self, kind: Kind, records: Sequence[Record], losses: Sequence[LossRange]) -> bytes:
        begins = any(number == 1 for number in (*(r.number for r in records[:1]), *(e.first for e in losses)))
        message = RecordMessage(
            kind=KINDS[kind],
            vehicle=self._identity.vehicle,
            stream=self._identity.stream,
            boot=self._identity.boot,
            records=tuple(records),
            losses=tuple(losses),
            predecessor=self._identity.predecessor if begins else None,
        )
        return self._signer.sign(encode(message, self._keys))

    def _hand_on(self, kind: Kind, payload: bytes, first: int, last: int, count: int) -> None:
        self._messages += 1
        self._bytes += len(payload)
        self._put(
            Outgoing(
                kind=kind,
                topic=self._topics.up(kind),
                payload=payload,
                stream=self._identity.stream,
                first_number=first,
                last_number=last,
                record_count=count,
            )
        )
