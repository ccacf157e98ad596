"""`Expression`: comparisons of signals joined to a condition, judged over whole batches, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.catalogue.condition import Comparison
from edge.database.model import SignalRef
from edge.decode.message import Column

Truths = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Readings = npt.NDArray[Any]


class SignalTest(Protocol):
    """What is asked of every value of one signal."""

    @property
    def ref(self) -> SignalRef:
        """The signal."""

    def judge(self, values: Readings, t_ns: Times) -> tuple[Truths, Readings]:
        """Judge further values of the signal.

        Args:
            values: physical values in the order of arrival, none of them NaN.
            t_ns: when they came.

        Returns:
            For each value whether the test holds from here on, and what to show of it.
        """


@dataclass(frozen=True, slots=True)
class SignalComparison:
    """A comparison of a signal's value with a number."""

    ref: SignalRef
    comparison: Comparison

    def judge(self, values: Readings, t_ns: Times) -> tuple[Truths, Readings]:
        """See `SignalTest.judge`."""
        del t_ns
        return self.comparison.holds_each(values), values

    def __str__(self) -> str:
        return f"{_dotted(self.ref)} {self.comparison.sign} {self.comparison.number:g}"


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition of several tests.

    It becomes true when all of `all_of` hold and, where there are any, one of `any_of`; it becomes false when
    all of `clear_when` hold and it is not true anew, or without them when it is not true. A test of a signal
    that was never seen does not hold; a value counts until the next one.
    """

    all_of: tuple[SignalTest, ...] = ()
    any_of: tuple[SignalTest, ...] = ()
    clear_when: tuple[SignalTest, ...] = ()

    @property
    def tests(self) -> tuple[SignalTest, ...]:
        """All of them, in order."""
        return (*self.all_of, *self.any_of, *self.clear_when)

    @property
    def refs(self) -> frozenset[SignalRef]:
        """The signals that it needs."""
        return frozenset(test.ref for test in self.tests)


@dataclass(frozen=True, slots=True)
class Edge:
    """A change of a condition.

    Attributes:
        row: of the frame in its batch that brought it.
        up: whether the condition became true.
        cause: the tests that hold, with the values that they saw; empty where it became false.
        first_sight: whether it was true when its signals were first seen, so that nobody saw it come about.
    """

    row: int
    up: bool
    cause: str = ""
    first_sight: bool = False


@dataclass(slots=True)
class _Last:
    """What was last said of a test's signal."""

    holds: bool = False
    shown: float | None = None


@dataclass(frozen=True, slots=True)
class _Track:
    """One test over the rows of a batch at which anything changes."""

    test: SignalTest
    holds: Truths
    known: Truths
    shown: _Shown

    def came_unseen(self, place: int, known_before: bool) -> bool:
        """Whether nothing was known of the signal before `place`."""
        return not (self.known[place - 1] if place else known_before)

    def words(self, place: int) -> str:
        """The test and what it saw."""
        shown = self.shown.at(place)
        return str(self.test) if shown is None else f"{self.test} ({float(shown):.7g})"


class ConditionWatch:
    """Follows one expression through the batches."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._last = [_Last() for _ in expression.tests]
        self._true = False

    def take(self, columns: Mapping[SignalRef, Column], t_ns: Times) -> list[Edge]:
        """Judge a batch.

        Args:
            columns: what it decodes to, of the expression's signals at least.
            t_ns: the time of each of its frames (int64 of N).

        Returns:
            The changes, in order of their rows.
        """
        judged = {
            place: _judge(test, columns[test.ref], t_ns)
            for place, test in enumerate(self._expression.tests)
            if test.ref in columns
        }
        if self._unchanged(judged):
            return []
        rows = np.unique(np.concatenate([each.rows for each in judged.values()]))
        if not len(rows):
            return []
        tracks = [self._track(place, judged.get(place), rows) for place in range(len(self._expression.tests))]
        true = self._truth(tracks, len(rows))
        changes = np.flatnonzero(np.diff(true, prepend=self._true))
        edges = [self._edge(int(place), int(rows[place]), tracks, bool(true[place])) for place in changes]
        self._true = bool(true[-1])
        for last, track in zip(self._last, tracks, strict=True):
            last.holds = bool(track.holds[-1])
            last.shown = track.shown.at(len(rows) - 1)
        return edges

    def _unchanged(self, judged: Mapping[int, _Judged]) -> bool:
        """Whether all tests that were judged say what they said last; what they saw is noted then."""
        for place, each in judged.items():
            holds = self._last[place].holds
            if not (each.holds.all() if holds else not each.holds.any()):
                return False
        for place, each in judged.items():
            if len(each.rows):
                self._last[place].shown = each.shown[-1]
        return True

    def _track(self, place: int, judged: _Judged | None, rows: Rows) -> _Track:
        test, last = self._expression.tests[place], self._last[place]
        count = len(rows)
        if judged is None or not len(judged.rows):
            known = np.full(count, last.shown is not None)
            return _Track(test, np.full(count, last.holds), known, _Shown(last.shown))
        at = np.searchsorted(judged.rows, rows, side="right") - 1
        seen = at >= 0
        holds = np.where(seen, judged.holds[np.maximum(at, 0)], last.holds)
        return _Track(test, holds, seen | (last.shown is not None), _Shown(last.shown, judged.shown, at))

    def _truth(self, tracks: Sequence[_Track], count: int) -> Truths:
        several = len(self._expression.all_of)
        some = several + len(self._expression.any_of)
        true = np.ones(count, np.bool_)
        for track in tracks[:several]:
            true &= track.holds
        if some > several:
            true &= np.logical_or.reduce([track.holds for track in tracks[several:some]])
        if some == len(tracks):
            return true
        cleared = ~true
        for track in tracks[some:]:
            cleared &= track.holds
        # What neither sets nor clears leaves the condition as it was.
        last = np.maximum.accumulate(np.where(true | cleared, np.arange(count), -1))
        return np.where(last >= 0, true[np.maximum(last, 0)], self._true)

    def _edge(self, place: int, row: int, tracks: Sequence[_Track], up: bool) -> Edge:
        if not up:
            return Edge(row, up)
        asked = len(self._expression.all_of) + len(self._expression.any_of)
        holding = [
            (track, last)
            for track, last in zip(tracks[:asked], self._last, strict=False)
            if track.holds[place]
        ]
        fresh = [
            (track, last) for track, last in holding if not (track.holds[place - 1] if place else last.holds)
        ]
        unseen = all(track.came_unseen(place, last.shown is not None) for track, last in fresh)
        return Edge(row, up, " and ".join(track.words(place) for track, _ in holding), unseen)


@dataclass(frozen=True, slots=True)
class _Judged:
    rows: Rows
    holds: Truths
    shown: Readings


@dataclass(frozen=True, slots=True)
class _Shown:
    """What to show of a test at each row: looked up only where somebody asks."""

    last: float | None
    values: Readings | None = None
    places: npt.NDArray[np.intp] | None = None

    def at(self, place: int) -> float | None:
        """What was seen at `place`, or before the batch."""
        found = -1 if self.places is None else int(self.places[place])
        return self.last if found < 0 or self.values is None else self.values[found]


def _judge(test: SignalTest, column: Column, t_ns: Times) -> _Judged:
    rows, values = column.rows, column.values
    if values.dtype.kind == "f":
        number = ~np.isnan(values)
        if not number.all():
            rows, values = rows[number], values[number]
    holds, shown = test.judge(values, t_ns[rows])
    return _Judged(rows, holds, shown)


def _dotted(ref: SignalRef) -> str:
    return f"{ref.bus}.{ref.message}.{ref.signal}"
