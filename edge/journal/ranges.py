"""`RangeSet`: a set of record numbers, kept as ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:
    """Whole numbers from 1, as ranges that neither overlap nor touch.

    Args:
        ranges: first and last number of each, in any order.
    """

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0
        for first, last in sorted(ranges):
            self.add(first, last)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._firsts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._firsts, self._lasts, strict=True))

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def count(self) -> int:
        """How many numbers there are."""
        return self._count

    def add(self, first: int, last: int) -> tuple[list[int], tuple[int, int]]:
        """Add a range.

        Returns:
            The first numbers of the ranges that it replaced, and the range that stands there now.
        """
        begin = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        replaced = self._firsts[begin:end]
        self._count -= sum(self._lasts[begin:end]) - sum(replaced) + len(replaced)
        if replaced:
            first = min(first, replaced[0])
            last = max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]
        self._count += last - first + 1
        return replaced, (first, last)

    def remove(self, first: int, last: int) -> None:
        """Take the numbers from `first` to `last` out."""
        begin = bisect_left(self._lasts, first)
        end = bisect_right(self._firsts, last)
        if begin >= end:
            return
        head, tail = self._firsts[begin], self._lasts[end - 1]
        kept = [(head, first - 1)] if head < first else []
        kept += [(last + 1, tail)] if tail > last else []
        gone = sum(self._lasts[begin:end]) - sum(self._firsts[begin:end]) + end - begin
        self._count -= gone - sum(end - first + 1 for first, end in kept)
        self._firsts[begin:end] = [one for one, _ in kept]
        self._lasts[begin:end] = [one for _, one in kept]

    def between(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The ranges from `first` to `last`, in order, cut there."""
        for place in range(bisect_left(self._lasts, first), len(self._firsts)):
            if self._firsts[place] > last:
                return
            yield max(first, self._firsts[place]), min(last, self._lasts[place])

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The ranges between `first` and `last` that are not in the set, in order."""
        place = bisect_left(self._lasts, first)
        while first <= last:
            begin = self._firsts[place] if place < len(self._firsts) else last + 1
            if begin > first:
                yield first, min(begin - 1, last)
            if place >= len(self._firsts):
                return
            first = max(first, self._lasts[place] + 1)
            place += 1
