"""`Forwarder`: the journal as what a session sends from; one for each destination."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

import apsw

from edge.account import Hop
from edge.clock import Clock
from edge.errors import JournalError
from edge.forward.ahead import Found
from edge.forward.arrivals import Arrivals
from edge.forward.choice import MOST_BACKLOG_RECORDS, Choice, Span, consecutive
from edge.forward.composer import Composer
from edge.forward.gaps import GIVEN_UP, Gaps, ledger_name
from edge.forward.held import VOLATILE, Held, HeldMessages, loss_of
from edge.forward.keeping import Keeping
from edge.forward.media.sending import MediaSending
from edge.forward.passage import Passage
from edge.forward.recent import Recent
from edge.forward.rests import Rests
from edge.forward.rules import ForwardRules, SupplyLoss
from edge.forward.source import RecordSource
from edge.forward.taken_back import TakenBack
from edge.forward.taking_up import take_up
from edge.forward.thinning import Thinning
from edge.journal.cursors import StreamCursor
from edge.journal.journal import Committed
from edge.journal.opening import OpenJournal
from edge.journal.pending import Addition
from edge.journal.stored import deletion
from edge.uplink.outbox import QUEUE_FULL, Loss, Progress, Store, StoreCounts
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.wire.account_message import StreamLedger
from edge.wire.loss import LossCause, LossRange

TOO_OLD = "too old to be sent"
GONE = "gone from the journal"
ERASED = "erased on purpose"
UNWRITABLE = "cannot be written as a message"
TAKEN_BACK = "taken back, its records go anew"
ERASED_PAST = "erased before it arrived"
NOTHING_SAID = "nothing of it goes there"

_SMALL_BYTES = 4_096
_SILENT_AT_ONCE = 16
_TROUBLE = (apsw.Error, JournalError, OSError, UnicodeDecodeError)
"""What a journal that cannot be read, or its keys, may raise: damaged texts are none any more."""

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
        media: sends stills and clips; None where the destination is sent none.

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
        media: MediaSending | None = None,
    ) -> None:
        self._media = media
        self._opened = opened
        self._journal = opened.journal
        self._rules = rules
        self._composer = composer
        self._recent = recent
        self._clock = clock
        self._boot = boot
        self._topics = VehicleTopics(rules.vehicle)
        self._keeping = Keeping(opened, rules.destination, self._topics, clock=clock, boot=boot, draw=draw)
        self._lock = threading.RLock()
        self._source = RecordSource(opened, recent, clock, boot, self._read_on, own_thread=own_thread)
        self._held = HeldMessages()
        self._making: dict[int, Held] = {}
        self._silently = False
        self._choice = Choice(rules, recent, boot)
        self._rests = Rests(rules.destination, clock)
        self._taken_back = TakenBack(rules.destination, clock)
        self._losses: list[Loss] = []
        self._cursors = opened.cursors(rules.destination)
        left = take_up(opened, rules.destination, self._cursors, clock)
        for held in left.held:
            self._held.put(held)
        self._journal.edit(left.edits)
        total = opened.total(ledger_name(rules.destination), GIVEN_UP)
        self._gaps = Gaps(rules.destination, left.gaps, total)
        self._passage = Passage(rules.destination, sum(cursor.waiting for cursor in self._cursors))
        thinning = None if rules.thinning is None else Thinning(rules.thinning)
        self._arrivals = Arrivals(rules.destination, self._cursors[0], self._passage, composer.view, thinning)
        self.largest_payload: Callable[[Kind], int | None] = lambda _: None
        self.wake: Callable[[], None] = lambda: None
        self._journal.on_commit.append(self._committed)

    @property
    def own_thread(self) -> bool:
        """As above."""
        return self._source.own_thread

    @own_thread.setter
    def own_thread(self, value: bool) -> None:
        self._source.own_thread = value

    def close(self) -> None:
        """Let go of what was read with."""
        self._source.close()
        if self._media is not None:
            self._media.close()

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
        """From now on live records wait for no company, and none that is not due for an alarm."""
        with self._lock:
            self._choice.flushing = True
            self._journal.edit(self._arrivals.end())
        self.wake()

    def report_every(self, report_ns: int) -> None:
        """From now on at most so long passes between two reports, where not every record is told."""
        with self._lock:
            self._arrivals.report_every(report_ns)

    def supply_lost(self) -> None:
        """The supply is going: what is newest goes first, or nothing new is begun for a while."""
        if self._rules.supply_loss is SupplyLoss.KEEP:
            self._rests.begin(*Kind)
            return
        self._choice.newest_first = True
        self.flush()

    def put(self, item: Outgoing) -> None:
        """Take a message in that the journal has no part in, since it cannot be written."""
        with self._lock:
            if self._held.admits(item.kind, len(item.payload)):
                self._held.put(Held(item, VOLATILE, 0))
            else:
                self._held.refuse(item, QUEUE_FULL)
                if item.numbered:
                    self._losses.append(loss_of(item))
        self.wake()

    def room(self) -> bool:
        """Whether `put` would take one more small message."""
        with self._lock:
            return self._held.admits(Kind.BACKLOG, _SMALL_BYTES)

    def send(self, payload: bytes) -> None:
        """Send a signed message that is no record and has no numbers; it is kept until its PUBACK."""
        with self._lock:
            if not self._journal.failure:
                try:
                    self._keep(Kind.EVENT, None, payload, 0, 0, 0)
                except _TROUBLE as error:
                    self._rests.trouble(error)
                else:
                    return
            self.put(Outgoing(Kind.EVENT, self._topics.up(Kind.EVENT), payload))

    def keep_checkpoint(self, payload: bytes) -> Addition:
        """Have a signed checkpoint sent; its message is kept in the transaction that keeps the checkpoint."""
        with self._lock:
            held, edits = self._keeping.place(Kind.EVENT, None, payload, 0, 0, 0)
        return Addition(edits, lambda: self._kept(held))

    def note(self, position: int, progress: Progress) -> None:
        """See `Store.note`."""
        with self._lock:
            held = self._held.get(position)
            if held is not None:
                held.progress = progress
                held.sent = held.sent or progress is not Progress.WAITING
            elif progress is Progress.WAITING:
                self._taken_back.failed(position)

    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        """See `Store.next`; makes a message if there is none and something to make it of."""
        with self._lock:
            self._taken_back.expire()
            if self._making and not self.own_thread:
                self._journal.commit()
            found = self._held.next(kind, after)
            making = self._compose_media if kind is Kind.MEDIA else self._compose
            if found is None and making(kind):
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
            if held is not None and held.item.kind is Kind.MEDIA and self._media is not None:
                self._media.acknowledged(position)
            elif held is not None and held.row != VOLATILE:
                edits = [deletion(held.row)]
                if held.item.numbered and not held.item.record_count:
                    edits.append(self._gaps.acknowledged(held.stream, held.item.first_number))
                self._journal.edit(edits)
            elif held is None and (arrived := self._taken_back.arrived(position)) is not None:
                records, edits = arrived
                self._passage.entered -= records
                self._journal.edit(edits)
            return held is not None

    def set_aside(self, position: int, cause: str) -> bool:
        """See `Store.set_aside`; its records stay in the journal, and a gap is told by the next run."""
        with self._lock:
            held = self._held.give_up(position, cause)
            if held is None:
                self._taken_back.failed(position)
                return False
            if held.row != VOLATILE:
                edits = [deletion(held.row)]
                cursor = self._cursor(held.stream)
                if cursor is not None and held.item.record_count:
                    entry = LossRange(held.item.first_number, held.item.last_number, LossCause.LOST)
                    edits += self._gaps.note(cursor, entry)
                self._journal.edit(edits)
            elif held.item.kind is Kind.MEDIA and self._media is not None:
                self._media.set_aside(position, cause)
            elif held.item.numbered:
                self._losses.append(loss_of(held.item))
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

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is begun, sent or let go meanwhile; to be taken inside `Journal.alone`."""
        with self._lock:
            yield

    def kept(self) -> list[Held]:
        """The messages with records that the journal keeps."""
        with self._lock:
            return [held for held in self._held.all() if held.row != VOLATILE and held.item.record_count]

    def items_in(self, item: Outgoing) -> frozenset[str] | None:
        """See `Composer.items_in`."""
        with self._lock:
            return self._composer.items_in(item.payload)

    def take_back(self, rows: Collection[int]) -> None:
        """Let go of messages whose rows have been deleted; their numbers go again, in messages made anew.

        Those of a message that is on its way wait for its answer: what the platform has it keeps.

        Args:
            rows: in the journal, where their numbers count as not given already.
        """
        with self._lock:
            for position, held in self._held.places():
                cursor = self._cursor(held.stream)
                if held.row not in rows or cursor is None or not held.item.record_count:
                    continue
                item = held.item
                self._held.give_up(position, TAKEN_BACK)
                self._passage.entered += item.record_count
                cursor.give_back(
                    item.first_number,
                    item.last_number,
                    alarm=item.kind is Kind.ALARM,
                    late=item.kind is Kind.BACKLOG,
                )
                if held.progress is not Progress.WAITING:
                    self._taken_back.take(position, cursor, item)
            self._source.forget()
        self.wake()

    def drop_past(self, meant: Callable[[Outgoing], bool]) -> None:
        """Give up messages of records that the journal has no part in, and tell their numbers as lost."""
        with self._lock:
            for position, held in self._held.places():
                if held.row == VOLATILE and held.item.record_count and meant(held.item):
                    self._held.give_up(position, ERASED_PAST)
                    self._losses.append(loss_of(held.item))

    def media_erased(self, blocks: Collection[int]) -> None:
        """Let go of stills and clips whose blocks were erased, and tell so where a part was sent."""
        with self._lock:
            if self._media is not None:
                self._drop_media(self._media.erased(blocks))

    def recheck_media(self) -> None:
        """Stop a still or clip that the destination may have no longer."""
        with self._lock:
            if self._media is not None:
                self._drop_media(self._media.recheck())

    def empty(self) -> bool:
        """Whether nothing is held, waits, or is to be told."""
        with self._lock:
            media = self._media is None or self._media.empty()
            return media and not (len(self._held) or self._gaps or self.waiting or self._making)

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
            hop = self._passage.hop(waiting, len(self._gaps), self._rests.troubles)
            return replace(hop, facts={**hop.facts, **self._composer.facts()})

    def media_hop(self) -> Hop | None:
        """Report the stills and clips for this destination; None where there were none for it."""
        with self._lock:
            hop = None if self._media is None else self._media.hop()
            return hop if hop is not None and hop.entered else None

    def _committed(self, committed: Committed) -> None:
        """Records are on the disk: they may be sent from now on."""
        with self._lock:
            edits = self._arrivals.take(committed.records, committed.last_number)
            if edits:
                self._journal.edit(edits)
            if committed.media and self._media is not None:
                self._media.committed()
        if committed.records or committed.media:
            self.wake()

    def _compose(self, kind: Kind) -> bool:
        """Begin a message of `kind` if there is something for it; tell whether it can be sent now."""
        messages, payload_bytes = self._held.of_numbers()
        full = messages >= self._rules.held_messages or payload_bytes >= self._rules.held_bytes
        held_up = self._journal.failure or self._rests.on(kind) or self._is_making(kind)
        if held_up or (full and kind is not Kind.ALARM):
            return False
        try:
            begun = self._begin_aloud(kind)
        except _TROUBLE as error:
            self._rests.trouble(error)
            self._rests.begin(kind)
            self._source.close()
            return False
        return begun and not self.own_thread and self._journal.commit()

    def _compose_media(self, kind: Kind) -> bool:
        """Make a message of a still or clip, which the journal does not keep; tell whether there is one."""
        if self._media is None or self._journal.failure or self._rests.on(kind):
            return False
        try:
            item = self._media.compose(self.largest_payload(kind))
        except _TROUBLE as error:
            self._rests.trouble(error)
            self._rests.begin(kind)
            self._media.close()
            return False
        if item is None:
            if self._media.more:
                self.wake()
            return False
        self._media.began(self._held.put(Held(item, VOLATILE, 0)))
        return True

    def _drop_media(self, positions: Collection[int]) -> None:
        """Let go of messages of stills and clips that go no further."""
        for position in positions:
            self._held.give_up(position, ERASED_PAST)

    def _begin_aloud(self, kind: Kind) -> bool:
        """Begin a message, past what is settled without one; go on with more of that another time."""
        for _ in range(_SILENT_AT_ONCE):
            self._silently = False
            if self._begin(kind):
                return True
            if not self._silently:
                return False
        self.wake()
        return False

    def _begin(self, kind: Kind) -> bool:
        match kind:
            case Kind.ALARM:
                return self._from_own(kind, self._choice.alarm(self._cursors[0], self._clock.boot_ns()))
            case Kind.LIVE:
                return self._from_own(kind, self._choice.live(self._cursors[0], self._clock.boot_ns()))
            case Kind.BACKLOG:
                return self._tell_gap() or self._from_backlog()
            case Kind.EVENT | Kind.MEDIA:
                return False

    def _from_own(self, kind: Kind, found: Span | None) -> bool:
        if found is None:
            return False
        own, (first, last) = self._cursors[0], found
        return self._make(kind, own, first, self._source.own(own, first, last))

    def _from_backlog(self) -> bool:
        now_ns = self._clock.boot_ns()
        found = self._choice.backlog(reversed(self._cursors), now_ns)
        if found is None:
            return False
        cursor, (first, last) = found
        old = self._source.older(cursor, first, last, lambda one: self._choice.old_block(one, now_ns))
        if old >= first:
            self._abandon(cursor, LossRange(first, old, LossCause.WITHHELD), TOO_OLD)
            return self._tell_gap()
        last = min(last, first + MOST_BACKLOG_RECORDS - 1)
        least = self._composer.likely(self.largest_payload(Kind.BACKLOG))
        read = self._source.backlog(cursor, first, last, least=least)
        return read is not None and self._make(Kind.BACKLOG, cursor, first, read)

    def _make(self, kind: Kind, cursor: StreamCursor, first: int, found: Found) -> bool:
        """Make one message of the records from `first` on, or note why that number will not come."""
        records = found.records
        if not records or records[0].record.number > first:
            end = records[0].record.number - 1 if records else found.last
            erased = self._source.erased(cursor, first)
            entry = LossRange(first, end, LossCause.ERASED if erased else LossCause.LOST)
            self._abandon(cursor, entry, ERASED if erased else GONE)
            return self._tell_gap()
        if kind is Kind.BACKLOG and (old := self._choice.too_old(records, self._clock.boot_ns())):
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
        if not composed.count:
            self._rests.begin(kind)
            return False
        end = first + composed.count - 1
        if composed.unsaid:
            self._passage.set_aside[NOTHING_SAID] += composed.count
            self._journal.edit(cursor.cover(self._rules.destination, first, end))
            self._silently = True
            return False
        if not composed.payload:
            logger.warning("record %d %s; further ones are only counted", first, composed.cause)
            self._abandon(cursor, LossRange(first, end, LossCause.LOST), UNWRITABLE)
            return self._tell_gap()
        self._keep(kind, cursor, composed.payload, first, end, composed.count)
        self._passage.left += composed.count
        return True

    def _tell_gap(self) -> bool:
        """Make the message of the first gap that is to be told."""
        gap = self._gaps.first()
        if gap is None or self._is_making(Kind.BACKLOG):
            return False
        cursor, entry = gap.cursor, gap.entry
        payload = self._composer.gap(
            entry, stream=cursor.stream, predecessor=cursor.predecessor, boot=self._boot
        )
        if not payload:
            self._gaps.told()
            self._journal.edit([self._gaps.acknowledged(cursor.ordinal, entry.first)])
            self._silently = True
            return False
        self._keep(Kind.BACKLOG, cursor, payload, entry.first, entry.last, 0)
        self._gaps.told()
        return True

    def _abandon(self, cursor: StreamCursor, entry: LossRange, cause: str) -> None:
        self._passage.set_aside[cause] += entry.last - entry.first + 1
        edits = cursor.cover(self._rules.destination, entry.first, entry.last)
        self._journal.edit([*edits, *self._gaps.note(cursor, entry)])

    def _keep(
        self, kind: Kind, cursor: StreamCursor | None, payload: bytes, first: int, last: int, count: int
    ) -> None:
        """Have a message committed; it can be sent when that is done."""
        held, edits = self._keeping.place(kind, cursor, payload, first, last, count)
        if cursor is not None:
            edits += cursor.cover(self._rules.destination, first, last)
        self._making[held.row] = held
        self._journal.edit(edits, urgent=True, then=lambda: self._kept(held))

    def _kept(self, held: Held) -> None:
        """A message is on the disk: it can be sent from now on."""
        with self._lock:
            self._making.pop(held.row, None)
            self._held.put(held)
        self.wake()

    def _is_making(self, kind: Kind) -> bool:
        return any(one.item.kind is kind for one in self._making.values())

    def _read_on(self) -> None:
        self.wake()

    def _cursor(self, ordinal: int) -> StreamCursor | None:
        return next((cursor for cursor in self._cursors if cursor.ordinal == ordinal), None)
