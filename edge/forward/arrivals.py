"""`Arrivals`: committed records find their place in a destination's cursor, and some of them none."""

from __future__ import annotations

from collections.abc import Iterable

from edge.forward.passage import Passage
from edge.forward.thinning import Thinning
from edge.forward.view import View
from edge.journal.cursors import StreamCursor
from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet
from edge.records import Record

NOT_DUE = "between two reports"


class Arrivals:
    """Sorts the records of the journal's own stream for one destination.

    Args:
        destination: its name in the journal.
        cursor: of the own stream.
        passage: the account.
        view: what the destination may have of a record.
        thinning: which records it is told; None where all.

    Attributes:
        ending: whether no records follow, so that none rests.
    """

    def __init__(
        self,
        destination: str,
        cursor: StreamCursor,
        passage: Passage,
        view: View,
        thinning: Thinning | None,
    ) -> None:
        self._destination = destination
        self._cursor = cursor
        self._passage = passage
        self._view = view
        self._thinning = thinning
        self.ending = False

    def take(self, records: Iterable[Record], last_number: int) -> list[Edit]:
        """Take committed records in; returns what the database is to be told.

        Args:
            records: in order.
            last_number: greatest number committed.
        """
        own = self._cursor
        dropped: list[int] = []
        for record in records:
            self._passage.entered += 1
            if record.reissue:
                own.late.add(record.number, record.number)
                continue
            shown = self._view(record) if record.alarm or self._thinning is not None else record
            if shown.alarm:
                own.alarms.add(record.number, record.number)
            if self._thinning is not None:
                dropped += self._sift(self._thinning, shown)
        own.last = max(own.last, last_number)
        return self._drop(dropped) + (self.end() if self.ending else [])

    def end(self) -> list[Edit]:
        """No record follows for now: let go of what rests; returns what the database is to be told."""
        self.ending = True
        return [] if self._thinning is None else self._drop(self._thinning.end())

    def report_every(self, report_ns: int) -> None:
        """See `Thinning.report_every`; where all records are told, that stays so."""
        if self._thinning is not None:
            self._thinning.report_every(report_ns)

    def _sift(self, thinning: Thinning, shown: Record) -> list[int]:
        own, found = self._cursor, thinning.take(shown)
        if found.rests:
            own.resting.add(shown.number, shown.number)
        for number in found.released:
            own.resting.remove(number, number)
            own.alarms.remove(number, number)
            own.late.add(number, number)
        return found.dropped

    def _drop(self, numbers: Iterable[int]) -> list[Edit]:
        edits: list[Edit] = []
        for first, last in RangeSet((one, one) for one in numbers):
            self._passage.set_aside[NOT_DUE] += last - first + 1
            edits += self._cursor.cover(self._destination, first, last)
        return edits
