"""`PastLabels`: what records rest on that go past the journal, which has no keys to tell."""

from __future__ import annotations

from edge.clock import Timebase
from edge.journal.chain import period_of
from edge.journal.grounds import RECORDS_FOR, Grounds
from edge.journal.keys.key_store import KeyEntry
from edge.journal.ranges import RangeSet
from edge.journal.upkeep.erasure import ErasureRequest
from edge.policy.classes import DataClass
from edge.records import Record


class PastLabels:
    """The labels that the parts of such records would be sealed under.

    Args:
        boot: names the boot of their times.
    """

    def __init__(self, boot: bytes) -> None:
        self._boot = boot
        self._numbers: dict[tuple[DataClass, str, str], RangeSet] = {}

    def add(self, record: Record, grounds: Grounds) -> None:
        """Take a record that was admitted, with its number past the journal."""
        period = period_of(_wall_ns(record.timebase, record.t_ns), self._boot)
        for data_class in grounds.classes(record):
            label = grounds.label(record.mask, data_class, RECORDS_FOR) or ""
            ranges = self._numbers.setdefault((data_class, period, label), RangeSet())
            ranges.add(record.number, record.number)

    def meant(self, request: ErasureRequest) -> RangeSet:
        """The numbers of the records of which something is meant."""
        found = RangeSet()
        for (data_class, period, label), ranges in self._numbers.items():
            if request.concerns(KeyEntry(b"", data_class, period, label, 0, readable=False)):
                for first, last in ranges:
                    found.add(first, last)
        return found


def _wall_ns(timebase: Timebase, t_ns: int) -> int:
    return timebase.wall_ns(t_ns) if timebase.wall_offset_ns else 0
