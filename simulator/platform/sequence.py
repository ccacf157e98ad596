"""Which numbers of a stream are here, which are missing, and which came twice: pure interval arithmetic."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

FIRST_NUMBER = 1
GREATEST_NUMBER = 2**63 - 1
"""The greatest number that a stored record can have: SQLite's integers end there."""

Span = tuple[int, int]
"""First and last number, both included."""


class NumberSet:
    """A set of integers kept as sorted spans that neither overlap nor touch.

    Its size is that of the spans, never of the numbers in them: a span of 2**60 numbers costs as much as one
    of a single number.
    """

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in spans:
            self.add(first, last)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """How many spans."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # mutable, as list and set

    def __repr__(self) -> str:
        return f"NumberSet({list(self)})"

    @property
    def size(self) -> int:
        """How many numbers."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    @property
    def greatest(self) -> int | None:
        """The greatest number, or None when empty."""
        return self._lasts[-1] if self._lasts else None

    def add(self, first: int, last: int) -> None:
        """Add every number from `first` to `last`.

        Raises:
            ValueError: if `last` is less than `first`.
        """
        if last < first:
            raise ValueError(f"a span from {first} to {last} runs backwards")
        if self._lasts and first == self._lasts[-1] + 1:
            self._lasts[-1] = last
            return
        begin = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        if begin < end:
            first = min(first, self._firsts[begin])
            last = max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]

    def within(self, first: int, last: int) -> list[Span]:
        """The spans of this set cut down to `first` to `last`."""
        begin = bisect_left(self._lasts, first)
        end = bisect_right(self._firsts, last)
        return [
            (max(first, self._firsts[place]), min(last, self._lasts[place])) for place in range(begin, end)
        ]

    def absent(self, first: int, last: int) -> list[Span]:
        """The spans from `first` to `last` that this set lacks."""
        spans: list[Span] = []
        next_number = first
        for held_first, held_last in self.within(first, last):
            if held_first > next_number:
                spans.append((next_number, held_first - 1))
            next_number = held_last + 1
        if next_number <= last:
            spans.append((next_number, last))
        return spans


def size_of(spans: Iterable[Span]) -> int:
    """How many numbers the spans hold together."""
    return sum(last - first + 1 for first, last in spans)


@dataclass(frozen=True, slots=True)
class NumberCounts:
    """How many numbers of a stream, from 1 to some last one, are in which state.

    Attributes:
        stored: their records are here.
        explained: a range entry says why they are not.
        missing: neither.
    """

    stored: int
    explained: int
    missing: int


class Arrival(Enum):
    """What the arrival of one numbered record means to its stream."""

    NEW = "new"
    SEEN = "seen"
    """The number is here already; whether it is a double or a conflict shows from the contents."""
    NEW_BUT_REPORTED_LOST = "new but reported lost"
    """The vehicle had signed that the number is lost, and now sent it after all: it is kept."""


@dataclass(slots=True)
class Sequence:
    """The state of one stream of one vehicle.

    Attributes:
        received: numbers of the records that are stored.
        lost: numbers that a signed range entry reports one by one as lost, erased or withheld.
        uncertain: numbers of which a signed range entry says that an unknown share is gone (an interval).
        settled: all three together; a number outside it and below `highest` is missing.
        doubles: arrivals of a number that was stored already, with equal contents.
        conflicts: arrivals of a number that was stored already, with other contents; the first is kept.
        recovered: records that came though they had been reported lost.
    """

    received: NumberSet = field(default_factory=NumberSet)
    lost: NumberSet = field(default_factory=NumberSet)
    uncertain: NumberSet = field(default_factory=NumberSet)
    settled: NumberSet = field(default_factory=NumberSet)
    doubles: int = 0
    conflicts: int = 0
    recovered: int = 0

    @classmethod
    def restored(
        cls, received: Iterable[Span], lost: Iterable[Span], uncertain: Iterable[Span] = ()
    ) -> Sequence:
        """The state that a store has kept."""
        sequence = cls(NumberSet(received), NumberSet(lost), NumberSet(uncertain))
        for first, end in (*sequence.received, *sequence.lost, *sequence.uncertain):
            sequence.settled.add(first, end)
        return sequence

    def arrive(self, number: int) -> Arrival:
        """Take note of a record's number.

        Raises:
            ValueError: if `number` is outside 1 to `GREATEST_NUMBER`.
        """
        _check(number, number)
        if number in self.received:
            return Arrival.SEEN
        self.received.add(number, number)
        self.settled.add(number, number)
        if number in self.lost:
            self.recovered += 1
            return Arrival.NEW_BUT_REPORTED_LOST
        return Arrival.NEW

    def report_lost(self, first: int, last: int) -> None:
        """Take note of a range entry; the same entry again changes nothing.

        Raises:
            ValueError: if the range is empty or leaves 1 to `GREATEST_NUMBER`.
        """
        _check(first, last)
        self.lost.add(first, last)
        self.settled.add(first, last)

    def report_uncertain(self, first: int, last: int) -> None:
        """Take note of a range entry that is an interval: final, though nobody counted what is gone.

        A record of the range that comes all the same does not contradict it.

        Raises:
            ValueError: if the range is empty or leaves 1 to `GREATEST_NUMBER`.
        """
        _check(first, last)
        self.uncertain.add(first, last)
        self.settled.add(first, last)

    @property
    def highest(self) -> int:
        """The greatest number that came or was reported lost, 0 if none."""
        return self.settled.greatest or 0

    @property
    def watermark(self) -> int:
        """Every number from 1 to this one is stored or reported lost; 0 if 1 is missing."""
        first, last = next(iter(self.settled), (0, 0))
        return last if first == FIRST_NUMBER else 0

    def missing(self) -> list[Span]:
        """The gaps below `highest`, lowest first; each stays until its records or a range entry come."""
        return self.settled.absent(FIRST_NUMBER, self.highest)

    @property
    def missing_count(self) -> int:
        """How many numbers are missing."""
        return self.highest - self.settled.size

    @property
    def lost_count(self) -> int:
        """How many numbers are reported lost one by one and did not come after all."""
        return self.settled.size - self.received.size - self.uncertain_count

    @property
    def uncertain_count(self) -> int:
        """How many numbers are within intervals only, and did not come."""
        return sum(
            size_of(self.lost.absent(*span))
            for first, last in self.uncertain
            for span in self.received.absent(first, last)
        )

    def counts_to(self, last: int) -> NumberCounts:
        """What is known of the numbers from 1 to `last`, 0 for none of them."""
        if last < FIRST_NUMBER:
            return NumberCounts(0, 0, 0)
        stored = size_of(self.received.within(FIRST_NUMBER, last))
        settled = size_of(self.settled.within(FIRST_NUMBER, last))
        return NumberCounts(stored, settled - stored, last - settled)


def _check(first: int, last: int) -> None:
    if not FIRST_NUMBER <= first <= last <= GREATEST_NUMBER:
        raise ValueError(f"no range of a stream: {first} to {last}")
