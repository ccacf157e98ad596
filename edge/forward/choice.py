"""Which records go next: ripe live ones, backlog in its order, and what is too old to go at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.clock import NS_PER_S, TimeQuality
from edge.forward.recent import Recent
from edge.forward.rules import DAYS, ForwardRules
from edge.journal.cursors import OWN_STREAM, StreamCursor
from edge.journal.reader import BootRecord
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

    Attributes:
        flushing: whether live records wait for company no more.
        newest_first: whether the last minutes go before all other backlog.
    """

    def __init__(self, rules: ForwardRules, recent: Recent) -> None:
        self._rules = rules
        self._recent = recent
        self.flushing = False
        self.newest_first = False

    def alarm(self, own: StreamCursor) -> Span | None:
        """Alarms that are to be sent now."""
        found = own.next_alarm()
        return None if found is None else (found[0], min(found[1], found[0] + MOST_RECORDS - 1))

    def live(self, own: StreamCursor, now_ns: int) -> Span | None:
        """Live records that are to be sent now; those that waited too long become backlog."""
        while (found := own.next_live()) is not None:
            first, last = found
            arrival = self._recent.get(first)
            waited_ns = 0 if arrival is None else now_ns - arrival.committed_ns
            if arrival is None or waited_ns > self._rules.live_horizon_s * NS_PER_S:
                own.live_from = first + 1
                continue
            count, wanted = last - first + 1, self._rules.live_records
            complete = count >= wanted or last < own.last or self.flushing
            if not complete and waited_ns < self._rules.live_wait_s * NS_PER_S:
                return None
            return first, first + min(count, wanted if count <= 2 * wanted else MOST_RECORDS) - 1
        return None

    def backlog(self, cursors: Iterable[StreamCursor]) -> tuple[StreamCursor, Span] | None:
        """Backlog that is to be sent now: streams that were rescued first, then alarms, then the oldest."""
        for cursor in cursors:
            spans = cursor.backlog()
            if self.newest_first and cursor.ordinal == OWN_STREAM:
                spans = iter(self._reordered(list(spans)))
            for first, last in spans:
                return cursor, (first, min(last, first + MOST_BACKLOG_RECORDS - 1))
        return None

    def too_old(self, records: Sequence[BootRecord]) -> int:
        """How many of the first records are beyond the reissue window, by the newest record's wall time."""
        newest = self._recent.newest()
        if not self._rules.reissue_days or newest is None or newest.timebase.quality is TimeQuality.NONE:
            return 0
        limit_ns = newest.timebase.wall_ns(newest.t_ns) - round(self._rules.reissue_days * DAYS)
        count = 0
        for one in consecutive(records):
            known = one.timebase.quality is not TimeQuality.NONE
            if not known or one.timebase.wall_ns(one.t_ns) >= limit_ns:
                break
            count += 1
        return count

    def _reordered(self, spans: Sequence[Span]) -> list[Span]:
        """The spans cut where the last minutes begin, these first."""
        newest = self._recent.newest()
        if newest is None:
            return list(spans)
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
