"""`Cursors`: which records a destination has been given, kept in the same transactions as what is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import apsw

from edge.journal.pending import Edit
from edge.journal.ranges import RangeSet

OWN_STREAM = 1
"""Ordinal of the stream that the journal numbers itself; others are those of journals that it rescued."""

_CLOSE = 60
"""Alarms of which one begins so soon after another go together: a message each would be mostly signature."""

_COVER = (
    "INSERT INTO covered (destination, stream, first, last) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (destination, stream, first) DO UPDATE SET last = excluded.last"
)


@dataclass(slots=True)
class StreamCursor:
    """How far one stream has been given to one destination.

    Attributes:
        ordinal: of the stream in this journal.
        stream: its 16 bytes.
        predecessor: the stream before it; None where there is none or it is unknown.
        last: greatest number committed.
        covered: numbers that are in a message, acknowledged, or given up.
        alarms: numbers whose records carry an alarm; the others in them do no harm.
        late: numbers of records that are to go as backlog.
        live_from: smaller numbers go as backlog.
        unanswered: numbers that were sent in a message that is no longer kept, whose answer may still come:
            they are not covered, and do not go again yet.
        resting: numbers that are not due, and would be if something came of which they are told; they are
            not covered, and do not go yet.
    """

    ordinal: int
    stream: bytes
    predecessor: bytes | None
    last: int
    covered: RangeSet = field(default_factory=RangeSet)
    alarms: RangeSet = field(default_factory=RangeSet)
    late: RangeSet = field(default_factory=RangeSet)
    live_from: int = 1
    unanswered: RangeSet = field(default_factory=RangeSet)
    resting: RangeSet = field(default_factory=RangeSet)

    @property
    def waiting(self) -> int:
        """How many numbers are not covered."""
        return self.last - self.covered.count()

    def backlog(self) -> Iterator[tuple[int, int]]:
        """Ranges that wait and are no live records, alarms first, with what lies between close ones."""
        for first, last in self._close_alarms():
            yield from self._open(first, last)
        yield from self._open(1, self.live_from - 1)
        for first, last in self.late.between(self.live_from, self.last):
            yield from self._open(first, last)

    def next_alarm(self) -> tuple[int, int] | None:
        """The first range of live alarms that waits."""
        for first, last in self.alarms.between(self.live_from, self.last):
            for gap in self._open(first, last):
                return gap
        return None

    def next_live(self) -> tuple[int, int] | None:
        """The first range of live records that waits, up to an alarm or a late record."""
        for first, last in self._open(self.live_from, self.last):
            begin = first
            while begin <= last:
                others = [
                    found
                    for found in (next(each.between(begin, last), None) for each in (self.alarms, self.late))
                    if found is not None
                ]
                end = min((other for other, _ in others), default=last + 1) - 1
                if end >= begin:
                    return begin, end
                begin = max(other_end for other, other_end in others if other == begin) + 1
        return None

    def give_back(self, first: int, last: int, *, alarm: bool = False, late: bool = False) -> None:
        """Count numbers as not given, as the database does already.

        Args:
            first: number.
            last: number, included.
            alarm: whether they are to go as alarms again.
            late: whether they are to go as backlog again.
        """
        self.covered.remove(first, last)
        if alarm:
            self.alarms.add(first, last)
        elif late:
            self.late.add(first, last)

    def _open(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The ranges of numbers that may go."""
        for begin, end in self.covered.gaps(first, last):
            for start, stop in self.unanswered.gaps(begin, end):
                yield from self.resting.gaps(start, stop)

    def _close_alarms(self) -> Iterator[tuple[int, int]]:
        """Ranges of alarms that are no longer live; those that are close together as one."""
        held: tuple[int, int] | None = None
        for first, last in self.alarms.between(1, self.live_from - 1):
            if held is not None and first <= held[1] + _CLOSE:
                held = held[0], last
                continue
            if held is not None:
                yield held
            held = first, last
        if held is not None:
            yield held

    def cover(self, destination: str, first: int, last: int) -> list[Edit]:
        """Count the numbers from `first` to `last` as given; returns what the database is to be told."""
        replaced, (begin, end) = self.covered.add(first, last)
        self.alarms.remove(first, last)
        self.late.remove(first, last)
        self.resting.remove(first, last)
        edits: list[Edit] = [
            (
                "DELETE FROM covered WHERE destination = ? AND stream = ? AND first = ?",
                (destination, self.ordinal, one),
            )
            for one in replaced
            if one != begin
        ]
        edits.append((_COVER, (destination, self.ordinal, begin, end)))
        return edits

    def uncover(self, destination: str, first: int, last: int) -> list[Edit]:
        """Count the numbers from `first` to `last` as not given after all; returns as `cover`."""
        touched = [(begin, end) for begin, end in self.covered if begin <= last and end >= first]
        self.covered.remove(first, last)
        edits: list[Edit] = [
            (
                "DELETE FROM covered WHERE destination = ? AND stream = ? AND first = ?",
                (destination, self.ordinal, begin),
            )
            for begin, _ in touched
        ]
        kept = [(begin, first - 1) for begin, _ in touched if begin < first]
        kept += [(last + 1, end) for _, end in touched if end > last]
        return edits + [(_COVER, (destination, self.ordinal, begin, end)) for begin, end in kept]


def load_cursors(connection: apsw.Connection, destination: str) -> list[StreamCursor]:
    """The cursors of a destination as the database has them, the journal's own stream first.

    All that waits is backlog: it was committed by an earlier run.
    """
    cursors: list[StreamCursor] = []
    for ordinal, stream, predecessor, last in connection.execute(
        "SELECT ordinal, id, predecessor, last_number FROM stream ORDER BY ordinal"
    ):
        covered = RangeSet(
            connection.execute(
                "SELECT first, last FROM covered WHERE destination = ? AND stream = ?", (destination, ordinal)
            )
        )
        waiting_from = next((first for first, _ in covered.gaps(1, last)), last + 1)
        alarms = RangeSet(_waiting(covered, _alarms(connection, ordinal, waiting_from)))
        cursors.append(StreamCursor(ordinal, stream, predecessor, last, covered, alarms, live_from=last + 1))
    return cursors


def _alarms(connection: apsw.Connection, ordinal: int, waiting_from: int) -> Iterator[tuple[int, int]]:
    """Ranges of blocks with an alarm, from the last one that begins before the first number that waits."""
    yield from connection.execute(
        "SELECT first_number, last_number FROM block WHERE stream = ?1 AND alarm = 1 AND first_number >="
        " coalesce((SELECT max(first_number) FROM block"
        " WHERE stream = ?1 AND alarm = 1 AND first_number <= ?2), 0) ORDER BY first_number",
        (ordinal, waiting_from),
    )


def _waiting(covered: RangeSet, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for first, last in ranges:
        yield from covered.gaps(first, last)
