"""`Recent`: the records committed last, kept in memory so that live ones need not be read back."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from edge.records import Record

RECORDS_KEPT = 600


@dataclass(frozen=True, slots=True)
class Arrival:
    """A committed record and when it was committed, in boot-monotonic nanoseconds."""

    record: Record
    committed_ns: int


class Recent:
    """The last records of the journal's own stream; shared by the destinations.

    Args:
        kept: how many.
    """

    def __init__(self, kept: int = RECORDS_KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._arrivals: OrderedDict[int, Arrival] = OrderedDict()

    def add(self, records: Iterable[Record], now_ns: int) -> None:
        """Take committed records in."""
        with self._lock:
            for record in records:
                self._arrivals[record.number] = Arrival(record, now_ns)
            while len(self._arrivals) > self._kept:
                self._arrivals.popitem(last=False)

    def scrub(self, change: Callable[[Record], Record | None]) -> None:
        """Replace each record by what `change` leaves of it; None for nothing."""
        with self._lock:
            for number, arrival in list(self._arrivals.items()):
                left = change(arrival.record)
                if left is None:
                    del self._arrivals[number]
                elif left is not arrival.record:
                    self._arrivals[number] = replace(arrival, record=left)

    def get(self, number: int) -> Arrival | None:
        """One of them, or None if it is no longer kept."""
        with self._lock:
            return self._arrivals.get(number)

    def first(self) -> int | None:
        """The smallest number that is kept; None for none."""
        with self._lock:
            return next(iter(self._arrivals), None)

    def run(self, first: int, last: int) -> list[Record]:
        """The records from `first` on up to `last`; empty if not all of them are kept."""
        with self._lock:
            found = [self._arrivals.get(number) for number in range(first, last + 1)]
        return [one.record for one in found if one is not None] if all(found) else []

    def newest(self) -> Arrival | None:
        """The record committed last."""
        with self._lock:
            return next(reversed(self._arrivals.values()), None)
