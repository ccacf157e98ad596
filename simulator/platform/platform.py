"""The platform without its sockets: payloads in, receipts out, everything counted between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edge.account import Hop
from edge.wire.checkpoint import Checkpoint
from edge.wire.keys import SigningKey
from edge.wire.time_corrections import TimeCorrections
from simulator.platform.accepted import Accepted, AcceptedMedia, AcceptedStatement, statement_kind
from simulator.platform.books import DOUBLE, Books
from simulator.platform.intake import Alert, RecordIntake
from simulator.platform.judge import Judge, vehicle_of
from simulator.platform.media import CHUNKS, COMPLETED, ENDS_OF_UNKNOWN, MediaIntake
from simulator.platform.media_rows import MediaState
from simulator.platform.pace import ReceiptPacer
from simulator.platform.receipts import Publication, ReceiptDesk, receipt_of
from simulator.platform.rejected import Cause, RejectedError
from simulator.platform.rows import Rejection, Stream, StreamKey
from simulator.platform.statements import StatementIntake
from simulator.platform.store import Store, StoreError
from simulator.platform.vehicles import VehicleCounts, VehicleWatch

HEAD_BYTES = 64
TOPIC_CHARACTERS = 200
DETAIL_CHARACTERS = 300

STATUS = "status word"
STATEMENTS: Mapping[str, str] = MappingProxyType(
    {"checkpoint": "checkpoints", "account": "accounts", "time corrections": "time corrections"}
)
"""The facts under which statements are counted."""


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
        self._desk = ReceiptDesk(key)
        self._records = RecordIntake(store, self._alert)
        self._statements = StatementIntake(store, self._alert)
        self._media = MediaIntake(store, self._alert)
        self._pacer = pacer or ReceiptPacer()
        self._media_pacer = ReceiptPacer(interval_s=self._pacer.interval_s, messages=self._pacer.messages)
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
                self._take_in(self._judge.judge(topic, payload), payload, now_ns)
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
        media = self._media_pacer.all_owed() if all_receipts else self._media_pacer.due(now_ns)
        receipts = [self._receipt(key, now_ns) for key in owed]
        return [*receipts, *filter(None, (self._media_receipt(key, now_ns) for key in media))]

    def next_due_s(self, now_ns: int) -> float | None:
        """Seconds until `commit` would hand out the next receipt, or None."""
        times = (self._pacer.next_due_s(now_ns), self._media_pacer.next_due_s(now_ns))
        return min((one for one in times if one is not None), default=None)

    def hops(self) -> tuple[Hop, Hop]:
        """The account of this run: messages, and the records in those that were accepted."""
        return self._books.hops()

    def _forget(self) -> None:
        """Go back to the last commit; what came since was not acknowledged and will come again."""
        self._store.rollback()
        self._books = self._committed.copy()

    def _status(self, vehicle: str, payload: bytes) -> None:
        """A status is no record: it is believed if signed, shown, and kept by the broker alone."""
        if payload:
            self.watch[vehicle].status = self._judge.judge_status(vehicle, payload)
        self._books.messages[STATUS] += 1

    def _take_in(
        self, accepted: Accepted | AcceptedStatement | AcceptedMedia, payload: bytes, now_ns: int
    ) -> None:
        match accepted:
            case AcceptedMedia():
                self._take_media(accepted, payload, now_ns)
            case Accepted():
                self._take_records(accepted, payload, now_ns)
            case AcceptedStatement():
                self._take_statement(accepted, payload, now_ns)

    def _take_records(self, accepted: Accepted, payload: bytes, now_ns: int) -> None:
        self._check_predecessor(accepted)
        stream = self._stream(accepted, accepted.stream, now_ns)
        tally = self._records.take(stream, accepted, payload, now_ns)
        if not tally.known:
            self._link(stream, accepted.predecessor)
        self._books.enter(accepted, tally)
        self._pacer.note(stream.key, now_ns, urgent=accepted.urgent)
        watched = self._heard(stream, now_ns)
        watched.records += tally.stored
        watched.authenticated += 0 if accepted.provable else tally.stored
        watched.doubles += tally.doubles
        watched.conflicts += tally.conflicts
        if tally.stored:
            self.watch.stored(accepted.vehicle, accepted.records, now_ns, prompt=accepted.prompt)

    def _take_statement(self, accepted: AcceptedStatement, payload: bytes, now_ns: int) -> None:
        if isinstance(accepted.statement, TimeCorrections) and not accepted.provable:
            self._check_boots(accepted.vehicle, accepted.statement, accepted.device_key)
        stream = self._stream(accepted, accepted.statement.stream, now_ns)
        if self._statements.take(stream, accepted, payload, now_ns):
            self._books.messages["stored"] += 1
            self._books.message_facts[STATEMENTS[statement_kind(accepted.statement)]] += 1
        else:
            self._books.messages[DOUBLE] += 1
        if isinstance(accepted.statement, Checkpoint):
            # The receipt is the countersignature, for which the vehicle waits.
            self._pacer.note(stream.key, now_ns, urgent=True)
        self._heard(stream, now_ns)

    def _take_media(self, accepted: AcceptedMedia, payload: bytes, now_ns: int) -> None:
        kept, news = self._media.take(accepted, payload, now_ns)
        watched = self.watch[accepted.vehicle]
        watched.last_seen_ns = now_ns
        if kept is None:
            self._books.messages[ENDS_OF_UNKNOWN] += 1
            return
        self._books.messages["stored" if news else DOUBLE] += 1
        self._books.message_facts[CHUNKS] += 1
        whole = kept.state is MediaState.COMPLETE
        if news and whole:
            self._books.message_facts[COMPLETED] += 1
            watched.media += 1
        final = kept.state is not MediaState.ARRIVING
        self._media_pacer.note((kept.vehicle, kept.name, b""), now_ns, urgent=final)

    def _media_receipt(self, key: StreamKey, now_ns: int) -> Publication | None:
        vehicle, name, _ = key
        receipt = self._media.receipt(vehicle, name, now_ns)
        if receipt is None:
            return None
        self._books.message_facts["receipts out"] += 1
        return self._desk.publication(vehicle, receipt)

    def _stream(self, accepted: Accepted | AcceptedStatement, name: bytes, now_ns: int) -> Stream:
        """The stream, which is of signatures or of one device's key alone.

        Else whoever has a device's key could number records in the gateway's stream, and by their receipts
        have the gateway believe that its own have arrived, or keep it out of a stream by being there first.
        """
        return self._store.stream(accepted.vehicle, name, now_ns, device_key=accepted.device_key)

    def _check_boots(self, vehicle: str, statement: TimeCorrections, device_key: bytes) -> None:
        """Let a device correct the time of its own boots only, not of the gateway's or another device's."""
        for correction in statement.corrections:
            if self._store.has_boot_of_others(vehicle, correction.boot, device_key):
                raise RejectedError(Cause.NOT_A_DEVICES, "the records of that boot are under another key")

    def _check_predecessor(self, accepted: Accepted) -> None:
        """Keep a device from putting its stream behind the gateway's, which would then seem to fork."""
        before = accepted.predecessor
        if accepted.provable or before is None:
            return
        if self._store.has_signed_stream(accepted.vehicle, before):
            raise RejectedError(Cause.NOT_A_DEVICES, "its stream names a signed one as its predecessor")

    def _heard(self, stream: Stream, now_ns: int) -> VehicleCounts:
        stream.last_seen_ns = now_ns
        self._store.touch(stream)
        return self.watch.heard(stream, now_ns)

    def _link(self, stream: Stream, predecessor: bytes | None) -> None:
        """Keep what a stream's first message names as its predecessor; later words do not change it."""
        if predecessor is None or predecessor == stream.predecessor:
            return
        if stream.predecessor is None:
            stream.predecessor = predecessor
            return
        self._books.message_facts["naming another predecessor"] += 1
        text = (
            f"names {predecessor.hex()} as its predecessor, before it was {stream.predecessor.hex()},"
            " which is kept"
        )
        self._alert(Alert(stream.vehicle, stream.stream, text))

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
        vehicle, name, device_key = key
        self._books.message_facts["receipts out"] += 1
        stream = self._store.stream(vehicle, name, now_ns, device_key=device_key)
        countersigned = self._statements.newest_checkpoint(stream)
        receipt = receipt_of(name, stream.sequence, now_ns, countersigned=countersigned)
        device = self._judge.keyring.device(vehicle, device_key)
        return self._desk.publication(vehicle, receipt, device)

    def _alert(self, alert: Alert) -> None:
        if self._on_alert is not None:
            self._on_alert(alert)
