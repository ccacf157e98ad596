"""Which records go next: ripe live ones, backlog in its order, and what is too old to go at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from edge.clock import NS_PER_DAY, NS_PER_S, Timebase, TimeQuality
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.journal.block import BlockHeader
from edge.journal.cursors import OWN_STREAM, StreamCursor
from edge.journal.reader import BootRecord
from edge.journal.upkeep.believed_time import EARLIEST_NS
from edge.records import Record

MOST_RECORDS = 60
"""Of a live or alarm message that has fallen behind."""

MOST_BACKLOG_RECORDS = 600

Span = tuple[int, int]


class Choice:
    """Chooses by the rules of one destination.

    Args:
        rules: of the destination.
        recent: the last records.
        boot: names the boot of records committed now.

    Attributes:
        flushing: whether live records wait for company no more.
        newest_first: whether the last minutes go before all other backlog.
    """

    def __init__(self, rules: ForwardRules, recent: Recent, boot: bytes) -> None:
        self._rules = rules
        self._recent = recent
        self._boot = boot
        self.flushing = False
        self.newest_first = False

    def alarm(self, own: StreamCursor, now_ns: int) -> Span | None:
        """Alarms that are to be sent now."""
        self._retire(own, now_ns)
        found = own.next_alarm()
        return None if found is None else (found[0], min(found[1], found[0] + MOST_RECORDS - 1))

    def live(self, own: StreamCursor, now_ns: int) -> Span | None:
        """Live records that are to be sent now."""
        self._retire(own, now_ns)
        found = own.next_live()
        if found is None:
            return None
        first, last = found
        arrival = self._recent.get(first)
        count, wanted = last - first + 1, self._rules.live_records
        complete = count >= wanted or last < own.last or self.flushing
        waited_ns = 0 if arrival is None else now_ns - arrival.committed_ns
        if not complete and waited_ns < self._rules.live_wait_s * NS_PER_S:
            return None
        return first, first + min(count, wanted if count <= 2 * wanted else MOST_RECORDS) - 1

    def backlog(self, cursors: Iterable[StreamCursor], now_ns: int) -> tuple[StreamCursor, Span] | None:
        """Backlog that is to be sent now: streams that were rescued first, then alarms, then the oldest.

        When the supply goes, the last minutes are first, which the own stream alone has.
        """
        if self.newest_first:
            cursors = sorted(cursors, key=lambda one: one.ordinal)
        for cursor in cursors:
            if cursor.ordinal == OWN_STREAM:
                self._retire(cursor, now_ns)
            spans = cursor.backlog()
            if self.newest_first and cursor.ordinal == OWN_STREAM:
                spans = iter(self._reordered(list(spans)))
            for span in spans:
                return cursor, span
        return None

    def too_old(self, records: Sequence[BootRecord], now_ns: int) -> int:
        """How many of the first records are beyond the reissue window."""
        old = takewhile(
            lambda one: self._beyond(one.boot, one.record.t_ns, one.record.timebase, now_ns), records
        )
        return sum(1 for _ in old)

    def old_block(self, header: BlockHeader, now_ns: int) -> bool:
        """Whether all records of a block are beyond the reissue window."""
        timebase = Timebase(header.wall_offset_ns, header.time_quality)
        return self._beyond(header.boot, header.to_ns, timebase, now_ns)

    def _beyond(self, boot: bytes, t_ns: int, timebase: Timebase, now_ns: int) -> bool:
        """Whether what was made then is beyond the window; what was made at an unknown time is not.

        It is judged by the newest record and by how long ago that was committed: a recording's records have a
        time of their own, and after a sleep the newest record is old itself.
        """
        newest = self._recent.newest()
        if not self._rules.reissue_days or newest is None:
            return False
        window_ns = round(self._rules.reissue_days * NS_PER_DAY)
        reached_ns = newest.record.t_ns + max(0, now_ns - newest.committed_ns)
        if boot == self._boot:
            return reached_ns - t_ns > window_ns
        relation = newest.record.timebase
        known = all(
            one.quality is not TimeQuality.NONE and one.wall_ns(at_ns) >= EARLIEST_NS
            for one, at_ns in ((timebase, t_ns), (relation, reached_ns))
        )
        return known and relation.wall_ns(reached_ns) - timebase.wall_ns(t_ns) > window_ns

    def _retire(self, own: StreamCursor, now_ns: int) -> None:
        """Have what waited too long to be live go as backlog."""
        own.live_from = max(own.live_from, self._recent.first() or own.last + 1)
        horizon_ns = round(self._rules.live_horizon_s * NS_PER_S)
        while (arrival := self._recent.get(own.live_from)) is not None:
            if now_ns - arrival.committed_ns <= horizon_ns:
                return
            own.live_from += 1

    def _reordered(self, spans: Sequence[Span]) -> list[Span]:
        """The spans cut where the last minutes begin, these first."""
        arrival = self._recent.newest()
        if arrival is None:
            return list(spans)
        newest = arrival.record
        since_ns = newest.t_ns - round(self._rules.supply_loss_s * NS_PER_S)
        begin = newest.number
        while (earlier := self._recent.get(begin - 1)) is not None and earlier.record.t_ns >= since_ns:
            begin -= 1
        late = [(max(first, begin), last) for first, last in spans if last >= begin]
        return late + [(first, min(last, begin - 1)) for first, last in spans if first < begin]


def consecutive(records: Sequence[BootRecord]) -> list[Record]:
    """The records from the first on that have consecutive numbers and one boot."""
    run = [records[0].record]
    for one in records[1:]:
        if one.record.number != run[-1].number + 1 or one.boot != records[0].boot:
            break
        run.append(one.record)
    return run
