"""Dispatch: records become signed messages, an alarm at once, and lost numbers become range entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from edge.account import Hop
from edge.records import Record
from edge.uplink.outbox import Loss
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.wire.cose import Signer
from edge.wire.item_keys import ItemKeys
from edge.wire.loss import LossCause, LossRange
from edge.wire.message import MessageKind, RecordMessage, encode

KINDS = {Kind.ALARM: MessageKind.ALARM, Kind.LIVE: MessageKind.LIVE}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who numbers the records.

    Attributes:
        vehicle: the VIN or pseudonym that stands in topics and messages.
        stream: 16 random bytes, drawn when the gateway starts.
        boot: 16 bytes that name the boot whose monotonic time the records carry.
    """

    vehicle: str
    stream: bytes
    boot: bytes


class Dispatch:
    """Collects records and hands signed messages on.

    A live message goes out when `live_records` records are together. A record with an alarm of level 3 or
    more goes out at once as an alarm message, after the live records before it, since a message's numbers
    have no gaps. Signed bytes are made once; a repeat is the outbox's business.

    Args:
        identity: of the vehicle and its stream.
        keys: the catalogue's wire keys.
        signer: signs for the vehicle, role up.
        put: takes a message into the outbox.
        take_losses: hands out the number ranges that the outbox gave up.
        live_records: how many records make a live message, from 1; may be changed while running.
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
    ) -> None:
        self._identity = identity
        self._keys = keys
        self._signer = signer
        self._put = put
        self._take_losses = take_losses
        self.live_records = live_records
        self._topics = VehicleTopics(identity.vehicle)
        self._waiting: list[Record] = []
        self._entered = 0
        self._sent = 0
        self._messages = 0
        self._bytes = 0
        self._ranges = 0

    @property
    def last_number(self) -> int:
        """The greatest record number handed on; 0 for none."""
        return self._sent

    def add(self, record: Record) -> None:
        """Take in the next record of the stream."""
        self._entered += 1
        if record.alarm:
            self.flush()
            self._send(Kind.ALARM, [record])
            return
        self._waiting.append(record)
        if len(self._waiting) >= self.live_records:
            self.flush()

    def flush(self) -> None:
        """Hand on the live records that wait for company."""
        if self._waiting:
            records, self._waiting = self._waiting, []
            self._send(Kind.LIVE, records)

    def report_losses(self) -> None:
        """Tell the platform which numbers the outbox gave up, one signed range entry each."""
        for loss in self._take_losses():
            if loss.stream == self._identity.stream:
                entry = LossRange(loss.first_number, loss.last_number, LossCause.LOST)
                self._ranges += 1
                self._send(Kind.LIVE, [], [entry])

    def hop(self) -> Hop:
        """Report records that came in, and those that went on in messages."""
        waiting = len(self._waiting)
        return Hop(
            name="dispatch",
            unit="records",
            entered=self._entered,
            left=self._entered - waiting,
            set_aside={"waiting for the next message": waiting} if waiting else {},
            facts={"messages": self._messages, "bytes": self._bytes, "range entries": self._ranges},
        )

    def _send(self, kind: Kind, records: list[Record], losses: list[LossRange] | None = None) -> None:
        if any(later.number != earlier.number + 1 for earlier, later in pairwise(records)):
            raise ValueError("records of one message have consecutive numbers")
        ranges = losses or []
        message = RecordMessage(
            kind=KINDS[kind],
            vehicle=self._identity.vehicle,
            stream=self._identity.stream,
            boot=self._identity.boot,
            records=tuple(records),
            losses=tuple(ranges),
        )
        payload = self._signer.sign(encode(message, self._keys))
        self._messages += 1
        self._bytes += len(payload)
        if records:
            self._sent = records[-1].number
        self._put(
            Outgoing(
                kind=kind,
                topic=self._topics.up(kind),
                payload=payload,
                stream=self._identity.stream,
                first_number=records[0].number if records else ranges[0].first,
                last_number=records[-1].number if records else ranges[-1].last,
                record_count=len(records),
            )
        )
