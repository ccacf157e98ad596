"""Reports of capture in as few bytes as they need: their words once, after that numbers alone.

Capture reports with everything that it hands on, up to 250 times a second, so that the account is true when
it crashes; hardly ever is anything else in a report than other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from edge.account import Hop
from edge.bus.condition import BusCondition
from edge.capturing.message import ABSENT, BorderError, Counts, Report

WORDS_MAX = 4096
"""What all hops count by together; beyond that, what is not said now is forgotten."""


@dataclass(frozen=True, slots=True)
class _HopWords:
    """What a hop says beside numbers: its name, its unit, and what it counts by."""

    name: str
    unit: str
    set_aside: tuple[str, ...]
    at_least: tuple[str, ...]
    facts: tuple[str, ...]
    count: int = field(init=False)

    def __post_init__(self) -> None:
        """Count how many numbers it has."""
        object.__setattr__(self, "count", 2 + len(self.set_aside) + len(self.at_least) + len(self.facts))

    def numbers(self, hop: Hop) -> list[int] | None:
        """The numbers of a hop; None if these are not its words."""
        if hop.name != self.name or hop.unit != self.unit:
            return None
        found = [hop.entered, hop.left]
        for counted, words in (
            (hop.set_aside, self.set_aside),
            (hop.at_least, self.at_least),
            (hop.facts, self.facts),
        ):
            counts = [counted.get(word, ABSENT) for word in words]
            if len(counted) != len(counts) - counts.count(ABSENT):
                return None
            found += counts
        return found

    def hop(self, numbers: Iterator[int]) -> Hop:
        """The hop that has the next of these numbers."""
        entered, left = next(numbers), next(numbers)
        set_aside, at_least, facts = (
            {word: count for word, count in zip(words, numbers, strict=False) if count != ABSENT}
            for words in (self.set_aside, self.at_least, self.facts)
        )
        return Hop(self.name, self.unit, entered, left, set_aside, at_least, facts)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a report says beside numbers."""

    hops: tuple[_HopWords, ...]
    place: str | None
    buses: tuple[BusCondition, ...]

    @classmethod
    def of(cls, report: Report, before: _Words | None) -> _Words:
        """The words of a report, and those that its hops had before: what comes and goes is new but once."""
        known = () if before is None else before.hops
        if [(hop.name, hop.unit) for hop in known] != [(hop.name, hop.unit) for hop in report.hops]:
            known = tuple(_HopWords(hop.name, hop.unit, (), (), ()) for hop in report.hops)
        hops = tuple(
            _HopWords(
                hop.name,
                hop.unit,
                _with(words.set_aside, hop.set_aside),
                _with(words.at_least, hop.at_least),
                _with(words.facts, hop.facts),
            )
            for words, hop in zip(known, report.hops, strict=True)
        )
        if before is not None and sum(hop.count for hop in hops) > WORDS_MAX:
            return cls.of(report, None)
        return cls(hops, report.place, report.buses)

    def counts(self, report: Report) -> Counts | None:
        """A report as numbers; None if these are not its words."""
        if len(report.hops) != len(self.hops) or (report.place, report.buses) != (self.place, self.buses):
            return None
        found: list[int] = []
        for words, hop in zip(self.hops, report.hops, strict=True):
            numbers = words.numbers(hop)
            if numbers is None:
                return None
            found += numbers
        return Counts(report.t_ns, report.adopted, tuple(found))

    def fit(self, numbers: Sequence[int]) -> bool:
        """Whether these are the numbers of such a report: what enters and leaves is always said."""
        at = 0
        for hop in self.hops:
            if min(numbers[at : at + 2], default=ABSENT) == ABSENT:
                return False
            at += hop.count
        return len(numbers) == at

    def told(self, numbers: Sequence[int]) -> tuple[Hop, ...]:
        """The hops with these numbers, which fit."""
        left = iter(numbers)
        return tuple(words.hop(left) for words in self.hops)


class ReportWriter:
    """Says the reports of one process, one after the other."""

    def __init__(self) -> None:
        self._words: _Words | None = None

    def told(self, report: Report) -> Report | Counts:
        """What is to be sent of a report: itself if anything but numbers is new, else its numbers."""
        counts = None if self._words is None else self._words.counts(report)
        if counts is None:
            self._words = _Words.of(report, self._words)
            return report
        return counts


class ReportReader:
    """Takes up what a `ReportWriter` says, all of it in order."""

    def __init__(self) -> None:
        self._words: _Words | None = None

    def hear(self, told: Report | Counts) -> Callable[[], tuple[Hop, ...]]:
        """Take up a report; what is handed back gives its hops, which hardly anybody ever looks at.

        Raises:
            BorderError: numbers that belong to no report before them.
        """
        if isinstance(told, Report):
            self._words = _Words.of(told, self._words)
            return lambda: told.hops
        if self._words is None or not self._words.fit(told.counts):
            raise BorderError("counts of no report", where="capture")
        return partial(self._words.told, told.counts)


def _with(words: tuple[str, ...], counted: Mapping[str, int]) -> tuple[str, ...]:
    """The words, and those of `counted` that are not among them."""
    both: Iterable[str] = dict.fromkeys((*words, *counted))
    return tuple(both)
