"""`Grounds`: what data in the journal rest on, by which their keys are labelled, and what may not be kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.errors import CatalogueError
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.records import Record

Ground = Callable[[str, DataClass, tuple[Purpose, ...]], str | None]
"""Tells, for a mask, a class and the purposes that data are kept for, the label of their data key: empty for
the law, ``consent 3`` or ``consent 3,7``; None where they may not be kept."""

FRAMES_FOR = (Purpose.RECORDING,)
EVENT_FRAMES_FOR = (Purpose.EVENT,)
RECORDS_FOR = (Purpose.REGULATED, Purpose.SERVICE)


def by_law(mask: str, data_class: DataClass, purposes: tuple[Purpose, ...]) -> str | None:
    """The ground of a journal that no policy stands behind: everything is kept, under no consent."""
    del mask, data_class, purposes
    return ""


class Grounds:
    """Asks once for each mask, class and purpose, so that one transaction has one answer.

    Args:
        ground: the policy's answer.
        ended: whether all consents that a label names have ended; what rests on them is not kept, whatever
            the policy says.
        class_of: the class of a concrete item id.
    """

    def __init__(
        self, ground: Ground, ended: Callable[[str], bool], class_of: Callable[[str], DataClass]
    ) -> None:
        self._ground = ground
        self._ended = ended
        self._class_of = class_of
        self._labels: dict[tuple[str, DataClass, tuple[Purpose, ...]], str | None] = {}
        self._classes: dict[str, DataClass | None] = {}

    def label(self, mask: str, data_class: DataClass, purposes: tuple[Purpose, ...]) -> str | None:
        """What data of a class rest on; None where they may not be kept."""
        asked = (mask, data_class, purposes)
        if asked not in self._labels:
            label = self._ground(*asked)
            self._labels[asked] = None if label is None or self._ended(label) else label
        return self._labels[asked]

    def classes(self, record: Record) -> frozenset[DataClass]:
        """The classes of a record's items; what the catalogue does not know has none."""
        found = (self._known(name) for name in record.values)
        return frozenset(one for one in found if one is not None)

    def admitted(self, record: Record) -> Record:
        """The record without the items that may not be kept; one without any still has number and time."""
        denied = {one for one in self.classes(record) if self.label(record.mask, one, RECORDS_FOR) is None}
        if not denied:
            return record
        kept = {name: value for name, value in record.values.items() if self._known(name) not in denied}
        return replace(record, values=kept)

    def _known(self, name: str) -> DataClass | None:
        if name not in self._classes:
            try:
                self._classes[name] = self._class_of(name)
            except CatalogueError:
                self._classes[name] = None
        return self._classes[name]
