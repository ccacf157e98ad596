"""`Forwarder`: the journal as what a session sends from; one for each destination."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.forward.ahead import Ahead, Found
from edge.forward.choice import MOST_BACKLOG_RECORDS, Choice, Span, consecutive
from edge.forward.composer import Composer
from edge.forward.gaps import GIVEN_UP, Gap, Gaps, ledger_name
from edge.forward.held import VOLATILE, Held, HeldMessages
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules, SupplyLoss
from edge.journal.chain import period_of
from edge.journal.cursors import StreamCursor
from edge.journal.journal import Committed
from edge.journal.opening import OpenJournal
from edge.journal.pending import Addition, Edit
from edge.journal.reader import BootRecord, Reader
from edge.journal.stored import StoredMessage, deletion, insertion
from edge.uplink.outbox import QUEUE_FULL, Loss, Progress, Store, StoreCounts
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.wire.account_message import StreamLedger
from edge.wire.loss import LossCause, LossRange

WAITING = "waiting in the journal"
TOO_OLD = "too old to be sent"
GONE = "gone from the journal"
ERASED = "erased on purpose"
UNWRITABLE = "cannot be written as a message"

_REST_S = 60.0
_VOLATILE_MESSAGES = 1_000
_VOLATILE_BYTES = 16 << 20

logger = logging.getLogger(__name__)


class Forwarder(Store):
    """Makes messages of committed records when they can go, and keeps them until they are acknowledged.

    A message is in the journal, sealed, before the session sees it; the numbers in it are covered in the same
    transaction. So a crash at any time leaves each number in a message, waiting, or acknowledged, and a
    message that was sent is sent again with the same bytes.

    Alarms come first, then live records, each as its own kind; what waited too long to be live goes as
    backlog, when nothing else does, as large as the link takes it at the time.

    Args:
        opened: the journal.
        rules: of the destination.
        composer: makes and signs messages.
        recent: the last records.
        clock: time.
        boot: names the boot of records committed now.
        draw: draws random bytes.
        own_thread: whether the journal has a thread that commits; without one it is committed here.

    Attributes:
        own_thread: as above; may be set once, before the session runs.
        largest_payload: bytes of the largest payload that is taken as a kind now; None if nothing limits it.
        wake: called when there may be more to send.
    """

    def __init__(
        self,
        opened: OpenJournal,
        rules: ForwardRules,
        composer: Composer,
        recent: Recent,
        *,
        clock: Clock,
        boot: bytes,
        draw: Callable[[int], bytes],
        own_thread: bool,
    ) -> None:
        self._opened = opened
        self._journal = opened.journal
        self._rules = rules
        self._composer = composer
        self._recent = recent
        self._clock = clock
        self._boot = boot
        self._draw = draw
        self.own_thread = own_thread
        self._topics = VehicleTopics(rules.vehicle)
        self._lock = threading.RLock()
        self._reader: Reader | None = None
        self._ahead = Ahead(opened.reader, clock, lambda: self.wake())  # noqa: PLW0108 - `wake` is set later
        self._held = HeldMessages()
        self._making: dict[int, Held] = {}
        self._choice = Choice(rules, recent, boot)
        self._resting_until_ns = 0
        self._losses: list[Loss] = []
        self._entered = 0
        self._given: Counter[str] = Counter()
        self._positions = opened.positions()
        self._cursors = opened.cursors(rules.destination)
        total = opened.total(ledger_name(rules.destination), GIVEN_UP)
        self._gaps = Gaps(rules.destination, self._load_gaps(), total)
        self._load_messages()
        self._entered = sum(cursor.waiting for cursor in self._cursors)
        self.largest_payload: Callable[[Kind], int | None] = lambda _: None
        self.wake: Callable[[], None] = lambda: None
        self._journal.on_commit.append(self._committed)

    def close(self) -> None:
        """Let go of what was read with."""
        self._ahead.close()
        if self._reader is not None and self.own_thread:
            self._reader.close()

    @property
    def last_number(self) -> int:
        """The greatest number of the journal's own stream that this destination knows to be committed."""
        return self._cursors[0].last

    @property
    def waiting(self) -> int:
        """How many records are in no message yet."""
        with self._lock:
            return sum(cursor.waiting for cursor in self._cursors)

    def flush(self) -> None:
        """From now on live records wait for no company."""
        self._choice.flushing = True
        self.wake()

    def supply_lost(self) -> None:
        """The supply is going: what is newest goes first, or nothing new is begun for a while."""
        if self._rules.supply_loss is SupplyLoss.KEEP:
            self._resting_until_ns = self._clock.boot_ns() + round(_REST_S * NS_PER_S)
            return
        self._choice.newest_first = True
        self.flush()

    def put(self, item: Outgoing) -> None:
        """Take a message in that the journal has no part in, since it cannot be written."""
        with self._lock:
            full = (
                self._held.volatile.messages >= _VOLATILE_MESSAGES
                or self._held.volatile.payload_bytes + len(item.payload) > _VOLATILE_BYTES
            )
            if full and item.kind is not Kind.ALARM:
                self._held.refuse(item, QUEUE_FULL)
                if item.numbered:
                    self._losses.append(_loss(item))
            else:
                self._held.put(Held(item, VOLATILE, 0))
        self.wake()

    def send(self, payload: bytes) -> None:
        """Send a signed message that is no record and has no numbers; it is kept until its PUBACK."""
        with self._lock:
            if self._journal.failure:
                self.put(Outgoing(Kind.EVENT, self._topics.up(Kind.EVENT), payload))
            else:
                self._keep(Kind.EVENT, None, payload, 0, 0, 0)

    def keep_checkpoint(self, payload: bytes) -> Addition:
        """Have a signed checkpoint sent; its message is kept in the transaction that keeps the checkpoint."""
        with self._lock:
            held, edits = self._written(Kind.EVENT, None, payload, 0, 0, 0)
        return Addition(edits, lambda: self._kept(held))

    def note(self, position: int, progress: Progress) -> None:
        """See `Store.note`."""
        with self._lock:
            held = self._held.get(position)
            if held is not None:
                held.progress = progress
                held.sent = held.sent or progress is not Progress.WAITING

    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        """See `Store.next`; makes a message if there is none and something to make it of."""
        with self._lock:
            if self._making and not self.own_thread:
                self._journal.commit()
            found = self._held.next(kind, after)
            if found is None and self._compose(kind):
                found = self._held.next(kind, after)
            return found

    def get(self, position: int) -> Outgoing | None:
        """See `Store.get`."""
        with self._lock:
            held = self._held.get(position)
            return None if held is None else held.item

    def acknowledge(self, position: int) -> bool:
        """See `Store.acknowledge`; the row goes with the next transaction."""
        with self._lock:
            held = self._held.acknowledge(position)
            if held is not None and held.row != VOLATILE:
                self._journal.edit([deletion(held.row)])
            return held is not None

    def set_aside(self, position: int, cause: str) -> bool:
        """See `Store.set_aside`; its records stay in the journal."""
        with self._lock:
            held = self._held.give_up(position, cause)
            if held is None:
                return False
            if held.row != VOLATILE:
                edits = [deletion(held.row)]
                cursor = self._cursor(held.stream)
                if cursor is not None and held.item.record_count:
                    entry = LossRange(held.item.first_number, held.item.last_number, LossCause.LOST)
                    edits += self._gaps.note(cursor, entry)
                self._journal.edit(edits)
            elif held.item.numbered:
                self._losses.append(_loss(held.item))
            return True

    def counts(self) -> StoreCounts:
        """See `Store.counts`."""
        with self._lock:
            return self._held.counts()

    def take_losses(self) -> tuple[Loss, ...]:
        """See `Store.take_losses`: those of messages that the journal has no part in."""
        with self._lock:
            losses, self._losses = self._losses, []
            return tuple(losses)

    def empty(self) -> bool:
        """Whether nothing is held, waits, or is to be told."""
        with self._lock:
            return not (len(self._held) or self._gaps or self.waiting or self._making)

    def ledger(self) -> StreamLedger:
        """What has become of the numbers of the journal's own stream on their way to this destination."""
        with self._lock:
            own = self._cursors[0]
            made = (*self._held.all(), *self._making.values())
            waiting = own.waiting + sum(one.item.record_count for one in made if one.stream == own.ordinal)
            return StreamLedger(own.last - waiting - self._gaps.given_up, waiting, self._gaps.given_up)

    def hop(self) -> Hop:
        """Report records that the journal holds for this destination, and those that went into messages."""
        with self._lock:
            waiting = sum(cursor.waiting for cursor in self._cursors)
            set_aside = {cause: count for cause, count in self._given.items() if cause != "sent"}
            if waiting:
                set_aside[WAITING] = waiting
            return Hop(
                ledger_name(self._rules.destination),
                "records",
                self._entered,
                self._given["sent"],
                set_aside,
                facts={"range entries not yet sent": len(self._gaps)} if self._gaps else {},
            )

    def _committed(self, committed: Committed) -> None:
        """Records are on the disk: they may be sent from now on."""
        with self._lock:
            own = self._cursors[0]
            for record in committed.records:
                if record.reissue:
                    own.late.add(record.number, record.number)
                elif record.alarm:
                    own.alarms.add(record.number, record.number)
            own.last = max(own.last, committed.last_number)
            self._entered += len(committed.records)
        if committed.records:
            self.wake()

    def _compose(self, kind: Kind) -> bool:
        """Begin a message of `kind` if there is something for it; tell whether it can be sent now."""
        full = (
            self._held.holding.messages >= self._rules.held_messages
            or self._held.holding.payload_bytes >= self._rules.held_bytes
        )
        resting = self._clock.boot_ns() < self._resting_until_ns
        if self._journal.failure or resting or self._is_making(kind) or (full and kind is not Kind.ALARM):
            return False
        match kind:
            case Kind.ALARM:
                begun = self._from_own(kind, self._choice.alarm(self._cursors[0], self._clock.boot_ns()))
            case Kind.LIVE:
                begun = self._from_own(kind, self._choice.live(self._cursors[0], self._clock.boot_ns()))
            case Kind.BACKLOG:
                begun = self._tell_gap() or self._from_backlog()
            case Kind.EVENT:
                begun = False
        return begun and not self.own_thread and self._journal.commit()

    def _from_own(self, kind: Kind, found: Span | None) -> bool:
        if found is None:
            return False
        own, (first, last) = self._cursors[0], found
        records = [BootRecord(self._boot, one) for one in self._recent.run(first, last)]
        return self._make(kind, own, first, Found(records or self._read(own, first, last), last))

    def _from_backlog(self) -> bool:
        found = self._choice.backlog(reversed(self._cursors))
        if found is None:
            return False
        cursor, (first, last) = found
        old = self._reads().older(first, last, self._choice.old_block, stream=cursor.ordinal)
        if old >= first:
            self._abandon(cursor, LossRange(first, old, LossCause.WITHHELD), TOO_OLD)
            return self._tell_gap()
        last = min(last, first + MOST_BACKLOG_RECORDS - 1)
        if not self.own_thread:
            return self._make(Kind.BACKLOG, cursor, first, Found(self._read(cursor, first, last), last))
        least = self._composer.likely(self.largest_payload(Kind.BACKLOG))
        read = self._ahead.get(cursor.ordinal, first, last, least=least)
        return read is not None and self._make(Kind.BACKLOG, cursor, first, read)

    def _make(self, kind: Kind, cursor: StreamCursor, first: int, found: Found) -> bool:
        """Make one message of the records from `first` on, or note why that number will not come."""
        records = found.records
        if not records or records[0].record.number > first:
            end = records[0].record.number - 1 if records else found.last
            erased = self._reads().erased(first, stream=cursor.ordinal)
            entry = LossRange(first, end, LossCause.ERASED if erased else LossCause.LOST)
            self._abandon(cursor, entry, ERASED if erased else GONE)
            return self._tell_gap()
        if kind is Kind.BACKLOG and (old := self._choice.too_old(records)):
            self._abandon(cursor, LossRange(first, first + old - 1, LossCause.WITHHELD), TOO_OLD)
            return self._tell_gap()
        run = consecutive(records)
        composed = self._composer.records(
            kind,
            run,
            stream=cursor.stream,
            predecessor=cursor.predecessor,
            boot=records[0].boot,
            most_bytes=self.largest_payload(kind),
        )
        end = first + composed.count - 1
        if not composed.payload:
            logger.warning("record %d %s; further ones are only counted", first, composed.cause)
            self._abandon(cursor, LossRange(first, end, LossCause.LOST), UNWRITABLE)
            return self._tell_gap()
        self._given["sent"] += composed.count
        self._keep(kind, cursor, composed.payload, first, end, composed.count)
        return True

    def _tell_gap(self) -> bool:
        """Make the message of the first gap that is to be told."""
        if not self._gaps or self._is_making(Kind.BACKLOG):
            return False
        gap, forget = self._gaps.take()
        cursor, entry = gap.cursor, gap.entry
        payload = self._composer.gap(
            entry, stream=cursor.stream, predecessor=cursor.predecessor, boot=self._boot
        )
        self._keep(Kind.BACKLOG, cursor, payload, entry.first, entry.last, 0, [forget])
        return True

    def _abandon(self, cursor: StreamCursor, entry: LossRange, cause: str) -> None:
        self._given[cause] += entry.last - entry.first + 1
        edits = cursor.cover(self._rules.destination, entry.first, entry.last)
        self._journal.edit([*edits, *self._gaps.note(cursor, entry)])

    def _keep(
        self,
        kind: Kind,
        cursor: StreamCursor | None,
        payload: bytes,
        first: int,
        last: int,
        count: int,
        more: Sequence[Edit] = (),
    ) -> None:
        """Have a message committed; it can be sent when that is done."""
        held, edits = self._written(kind, cursor, payload, first, last, count)
        edits += more
        if cursor is not None:
            edits += cursor.cover(self._rules.destination, first, last)
        self._making[held.row] = held
        self._journal.edit(edits, urgent=True, then=lambda: self._kept(held))

    def _written(
        self, kind: Kind, cursor: StreamCursor | None, payload: bytes, first: int, last: int, count: int
    ) -> tuple[Held, list[Edit]]:
        """A message with its place, and what keeps it in the journal."""
        row, topic = next(self._positions), self._topics.up(kind)
        stream, ordinal = (b"", 0) if cursor is None else (cursor.stream, cursor.ordinal)
        item = Outgoing(kind, topic, payload, stream, first, last, count)
        stored = StoredMessage(row, int(kind), topic, ordinal, first, last, count, payload)
        period = period_of(self._clock.wall_ns(), self._boot)
        edit = insertion(stored, self._rules.destination, self._opened.keys, period, self._draw)
        return Held(item, row, ordinal), [edit]

    def _kept(self, held: Held) -> None:
        """A message is on the disk: it can be sent from now on."""
        with self._lock:
            self._making.pop(held.row, None)
            self._held.put(held)
        self.wake()

    def _is_making(self, kind: Kind) -> bool:
        return any(one.item.kind is kind for one in self._making.values())

    def _read(self, cursor: StreamCursor, first: int, last: int) -> list[BootRecord]:
        return self._reads().records(first, last, stream=cursor.ordinal)

    def _reads(self) -> Reader:
        """The reader, opened on the thread that uses it."""
        if self._reader is None:
            self._reader = self._opened.reader()
        return self._reader

    def _cursor(self, ordinal: int) -> StreamCursor | None:
        return next((cursor for cursor in self._cursors if cursor.ordinal == ordinal), None)

    def _load_messages(self) -> None:
        """Take up what an earlier run left unacknowledged, byte for byte."""
        for stored in self._opened.messages(self._rules.destination):
            cursor = self._cursor(stored.stream)
            if not stored.payload:
                edits = [deletion(stored.position)]
                if cursor is not None and stored.records:
                    edits += self._gaps.note(cursor, LossRange(stored.first, stored.last, LossCause.LOST))
                self._journal.edit(edits)
                continue
            item = Outgoing(
                Kind(stored.kind),
                stored.topic,
                stored.payload,
                b"" if cursor is None else cursor.stream,
                stored.first,
                stored.last,
                stored.records,
            )
            self._held.put(Held(item, stored.position, stored.stream))

    def _load_gaps(self) -> list[Gap]:
        gaps = []
        for ordinal, first, last, cause in self._opened.gaps(self._rules.destination):
            cursor = self._cursor(ordinal)
            if cursor is not None:
                gaps.append(Gap(cursor, LossRange(first, last, LossCause(cause))))
        return gaps


def _loss(item: Outgoing) -> Loss:
    return Loss(
        QUEUE_FULL, item.kind, item.stream, item.first_number, item.last_number, 1, item.record_count, False
    )
