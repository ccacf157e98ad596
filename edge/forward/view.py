"""`RecordView`: of a record, what one destination may have of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from edge.catalogue.catalogue import Catalogue
from edge.errors import CatalogueError
from edge.places.precision import coarse_record
from edge.policy.classes import DataClass
from edge.policy.destinations import DestinationVerdict
from edge.records import Record

View = Callable[[Record], Record]
"""What a destination is shown of a record, under the same number; from any thread."""

_ITEMS_REMEMBERED = 4096


def whole(record: Record) -> Record:
    """The view of one who may have everything."""
    return record


class RecordView:
    """A view by class of item: what a destination may not have has no entry.

    A record of which nothing is left is still a record, so that numbers have no gaps. The alarm is a datum of
    operation like any other: to one who may not have those, no record is an alarm.

    Args:
        catalogue: says of which class an item is; one that it does not know goes to nobody.
        verdict_of: what the destination may have, by the mask that a record was collected under.
    """

    def __init__(self, catalogue: Catalogue, verdict_of: Callable[[str], DestinationVerdict]) -> None:
        self._catalogue = catalogue
        self._verdict_of = verdict_of
        self._class_of = lru_cache(_ITEMS_REMEMBERED)(self._look_up)

    def __call__(self, record: Record) -> Record:
        """The record as the destination may have it; the same one if it may have all of it."""
        verdict = self._verdict_of(record.mask)
        values = {
            name: value for name, value in record.values.items() if self._class_of(name) in verdict.classes
        }
        if not verdict.precision.full:
            exact = [name for name in values if self._class_of(name) is DataClass.POSITION]
            known = coarse_record(
                {name: values.pop(name) for name in exact}, verdict.precision, self._catalogue
            )
            values.update(known)
        alarm = record.alarm and DataClass.OPERATION in verdict.classes
        if alarm == record.alarm and values == record.values:
            return record
        return replace(record, values=values, alarm=alarm)

    def _look_up(self, name: str) -> DataClass | None:
        try:
            return self._catalogue.item(name).data_class
        except CatalogueError:
            return None
