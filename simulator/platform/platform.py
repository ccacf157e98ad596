"""The platform without its sockets: payloads in, receipts out, everything counted between."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.account import Hop
from edge.records import Record
from edge.uplink.outgoing import VehicleTopics
from edge.wire.cose import Role, Signer
from edge.wire.keys import SigningKey
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.receipt import encode as encode_receipt
from simulator.platform.judge import Accepted, Judge, vehicle_of
from simulator.platform.pace import ReceiptPacer, StreamKey
from simulator.platform.rejected import Cause, RejectedError
from simulator.platform.rows import Evidence, Rejection, Stream
from simulator.platform.sequence import Arrival, Sequence
from simulator.platform.store import Store, StoreError
from simulator.platform.vehicles import VehicleWatch

HEAD_BYTES = 64
TOPIC_CHARACTERS = 200
DETAIL_CHARACTERS = 300
RECEIPT_SPANS = 256
"""Missing ranges in one receipt; the watermark of a receipt that would need more ends before the next."""

SPANS_AT_MOST = 65_536
"""A stream's numbers may fall into so many spans; a message that would open more is rejected."""

SIGNERS_IN_MEMORY = 1024
STATUS = "status word"
DOUBLE = "double"
CONFLICT = "conflicting double"


@dataclass(frozen=True, slots=True)
class Publication:
    """A receipt to publish, QoS 1.

    Attributes:
        topic: MQTT topic.
        payload: the signed receipt.
    """

    topic: str
    payload: bytes


@dataclass(slots=True)
class Books:
    """The counts of one run: what entered, what became of it, and facts beside."""

    messages: Counter[str] = field(default_factory=Counter)
    message_facts: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    record_facts: Counter[str] = field(default_factory=Counter)

    def copy(self) -> Books:
        """Books of their own with the same counts."""
        return Books(
            self.messages.copy(), self.message_facts.copy(), self.records.copy(), self.record_facts.copy()
        )


@dataclass(slots=True)
class Tally:
    """What became of the records of one accepted message.

    Attributes:
        news: whether the message brought anything that was not here.
        stored: new records.
        doubles: records that are stored already, with equal contents.
        conflicts: records whose number is stored already, with other contents.
        recovered: of the new ones, those that had been reported lost.
    """

    news: bool = False
    stored: int = 0
    doubles: int = 0
    conflicts: int = 0
    recovered: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that an operator must look at.

    Attributes:
        vehicle: the signed vehicle.
        stream: 16 bytes.
        text: one sentence that says what happened.
    """

    vehicle: str
    stream: bytes
    text: str


def receipt_of(
    stream: bytes, sequence: Sequence, server_time_ns: int, spans_at_most: int = RECEIPT_SPANS
) -> Receipt:
    """The cumulative receipt of a stream: what is settled up to its highest number, and what is missing.

    Where more ranges are missing than a receipt may name, it ends before the first one that it cannot name:
    a receipt never acknowledges what is not here.
    """
    missing = sequence.missing()
    highest = sequence.highest
    if len(missing) > spans_at_most:
        highest = missing[spans_at_most][0] - 1
        missing = missing[:spans_at_most]
    return Receipt(
        stream=stream,
        watermark=sequence.watermark,
        missing=tuple(NumberRange(first, last) for first, last in missing),
        server_time_ns=server_time_ns,
        highest=highest,
    )


def _hop(unit: str, counts: Mapping[str, int], facts: Mapping[str, int]) -> Hop:
    """The account of `counts`: ``entered``, ``stored``, and each cause for setting something aside."""
    causes = {cause: count for cause, count in counts.items() if cause not in {"entered", "stored"}}
    entered, stored = counts.get("entered", 0), counts.get("stored", 0)
    return Hop("platform", unit, entered=entered, left=stored, set_aside=causes, facts=dict(facts))


class Platform:
    """Checks what comes in, stores it once, and says what has arrived.

    `receive` any number of payloads, then `commit`: only then are they durable, may they be acknowledged to
    the broker, and may the receipts that `commit` hands out be published. Time is handed in, in Unix
    nanoseconds.

    Args:
        judge: decides what is taken in.
        store: keeps it.
        key: signs the receipts; vehicles know its public half.
        pacer: when receipts are due.
        on_alert: told what an operator must look at.

    Attributes:
        watch: what is known of each vehicle, for people to look at.
    """

    def __init__(
        self,
        judge: Judge,
        store: Store,
        key: SigningKey,
        *,
        pacer: ReceiptPacer | None = None,
        on_alert: Callable[[Alert], None] | None = None,
    ) -> None:
        self._judge = judge
        self._store = store
        self._key = key
        self._signers: OrderedDict[str, Signer] = OrderedDict()
        self._pacer = pacer or ReceiptPacer()
        self._on_alert = on_alert
        self.watch = VehicleWatch()
        self._books = Books()
        self._committed = Books()

    def receive(self, topic: str, payload: bytes, now_ns: int) -> None:
        """Take in one message; what is wrong with it is counted and set aside, never raised.

        Raises:
            StoreError: if the store cannot be written; then nothing since the last `commit` is kept.
        """
        self._books.messages["entered"] += 1
        status = vehicle_of(topic, "status")
        try:
            if status is not None and not status[1]:
                self._status(status[0], payload)
            else:
                self._take(self._judge.judge(topic, payload), payload, now_ns)
        except RejectedError as rejected:
            self._reject(topic, payload, rejected, now_ns)
        except StoreError:
            self._forget()
            raise

    def commit(self, now_ns: int, *, all_receipts: bool = False) -> list[Publication]:
        """Make what was received durable, and hand out the receipts that are due.

        Args:
            now_ns: Unix time in nanoseconds.
            all_receipts: also those that would wait for more messages, as when the platform stops.

        Raises:
            StoreError: if the store cannot be written; then nothing since the last `commit` is kept, and
                nothing of it may be acknowledged.
        """
        try:
            self._store.commit()
        except StoreError:
            self._forget()
            raise
        self._committed = self._books.copy()
        owed = self._pacer.all_owed() if all_receipts else self._pacer.due(now_ns)
        return [self._receipt(key, now_ns) for key in owed]

    def next_due_s(self, now_ns: int) -> float | None:
        """Seconds until `commit` would hand out the next receipt, or None."""
        return self._pacer.next_due_s(now_ns)

    def hops(self) -> tuple[Hop, Hop]:
        """The account of this run: messages, and the records in those that were accepted."""
        books = self._books
        return (
            _hop("messages", books.messages, books.message_facts),
            _hop("records", books.records, books.record_facts),
        )

    def _forget(self) -> None:
        """Go back to the last commit; what came since was not acknowledged and will come again."""
        self._store.rollback()
        self._books = self._committed.copy()

    def _status(self, vehicle: str, payload: bytes) -> None:
        """A status is no record: it is believed if signed, shown, and kept by the broker alone."""
        if payload:
            self.watch[vehicle].status = self._judge.judge_status(vehicle, payload)
        self._books.messages[STATUS] += 1

    def _take(self, accepted: Accepted, payload: bytes, now_ns: int) -> None:
        stream = self._store.stream(accepted.vehicle, accepted.stream, now_ns)
        sequence = stream.sequence
        if len(sequence.settled) + len(accepted.records) + len(accepted.losses) > SPANS_AT_MOST:
            raise RejectedError(
                Cause.FRAGMENTED, f"the stream has {len(sequence.settled)} separate spans of numbers already"
            )
        digest = hashlib.sha256(payload).digest()
        if self._store.knows_message(digest):
            tally = Tally(doubles=len(accepted.records))
        else:
            evidence = Evidence(
                sha256=digest,
                kind=accepted.kind.topic,
                key_id=accepted.key_id,
                provable=True,
                boot=accepted.boot,
                received_ns=now_ns,
                signed=payload,
            )
            tally = self._add(stream, accepted, evidence)
        sequence.doubles += tally.doubles
        sequence.conflicts += tally.conflicts
        stream.last_seen_ns = now_ns
        self._store.touch(stream)
        self._count(stream, accepted, tally, now_ns)
        self._pacer.note((accepted.vehicle, accepted.stream), now_ns, urgent=accepted.urgent)

    def _add(self, stream: Stream, accepted: Accepted, evidence: Evidence) -> Tally:
        """Store what a message brings that is not here yet; a message all known leaves nothing behind."""
        tally = Tally()
        fresh: list[Record] = []
        conflicting: list[int] = []
        for record in accepted.records:
            arrival = stream.sequence.arrive(record.number)
            if arrival is not Arrival.SEEN:
                fresh.append(record)
                tally.recovered += arrival is Arrival.NEW_BUT_REPORTED_LOST
                continue
            first = self._store.record(stream, record.number)
            if first is not None and (first.record, first.boot) == (record, accepted.boot):
                tally.doubles += 1
            else:
                conflicting.append(record.number)
        tally.stored, tally.conflicts = len(fresh), len(conflicting)
        tally.news = bool(fresh or conflicting or accepted.losses)
        if tally.news:
            message = self._store.add_message(stream, evidence)
            self._store.add_records(stream, message, fresh)
            for loss in accepted.losses:
                stream.sequence.report_lost(loss.first, loss.last)
                self._store.add_loss(stream, message, loss)
            for number in conflicting:
                self._store.add_conflict(stream, message, number, evidence.received_ns)
        if conflicting:
            more = f" and {len(conflicting) - 1} more" if len(conflicting) > 1 else ""
            self._alert(
                stream,
                f"number {conflicting[0]}{more} came again with other contents; the first is kept,"
                " the second message as evidence",
            )
        self._link(stream, accepted.predecessor)
        return tally

    def _link(self, stream: Stream, predecessor: bytes | None) -> None:
        """Keep what a stream's first message names as its predecessor; later words do not change it."""
        if predecessor is None or predecessor == stream.predecessor:
            return
        if stream.predecessor is None:
            stream.predecessor = predecessor
            return
        self._books.message_facts["naming another predecessor"] += 1
        self._alert(
            stream,
            f"names {predecessor.hex()} as its predecessor, before it was {stream.predecessor.hex()},"
            " which is kept",
        )

    def _count(self, stream: Stream, accepted: Accepted, tally: Tally, now_ns: int) -> None:
        cause = "stored" if tally.news else DOUBLE
        self._books.messages[cause] += 1
        self._books.records["entered"] += len(accepted.records)
        for name, count in (
            ("stored", tally.stored),
            (DOUBLE, tally.doubles),
            (CONFLICT, tally.conflicts),
        ):
            if count:
                self._books.records[name] += count
        for name, count in (
            ("range entries", len(accepted.losses) if tally.news else 0),
            ("came after being reported lost", tally.recovered),
        ):
            if count:
                self._books.record_facts[name] += count
        watched = self.watch.heard(stream, now_ns)
        watched.records += tally.stored
        watched.doubles += tally.doubles
        watched.conflicts += tally.conflicts
        if tally.stored:
            self.watch.stored(accepted.vehicle, accepted.records, now_ns)

    def _reject(self, topic: str, payload: bytes, rejected: RejectedError, now_ns: int) -> None:
        self._books.messages[rejected.cause] += 1
        place = vehicle_of(topic, "up")
        if place is not None and self._judge.keyring.knows(place[0]):
            self.watch[place[0]].rejected += 1
        self._store.add_rejection(
            Rejection(
                received_ns=now_ns,
                topic=topic[:TOPIC_CHARACTERS],
                cause=rejected.cause,
                detail=rejected.detail[:DETAIL_CHARACTERS],
                size=len(payload),
                sha256=hashlib.sha256(payload).digest(),
                head=payload[:HEAD_BYTES],
            )
        )

    def _receipt(self, key: StreamKey, now_ns: int) -> Publication:
        vehicle, stream = key
        self._books.message_facts["receipts out"] += 1
        receipt = receipt_of(stream, self._store.stream(vehicle, stream, now_ns).sequence, now_ns)
        signed = self._signer(vehicle).sign(encode_receipt(receipt))
        return Publication(VehicleTopics(vehicle).receipt, signed)

    def _signer(self, vehicle: str) -> Signer:
        signer = self._signers.get(vehicle)
        if signer is None:
            signer = self._signers[vehicle] = Signer(self._key, vehicle=vehicle, role=Role.DOWN)
            if len(self._signers) > SIGNERS_IN_MEMORY:
                self._signers.popitem(last=False)
        return signer

    def _alert(self, stream: Stream, text: str) -> None:
        if self._on_alert is not None:
            self._on_alert(Alert(stream.vehicle, stream.stream, text))
