"""Counts the values of reports that are missing: empty, invalid, abnormal; quickly, out of the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

from edge.catalogue.item import Edition
from edge.wire.gbt.field import Coding, Field, FieldKind
from edge.wire.gbt.layout import Layout, layouts
from edge.wire.gbt.message import Report
from edge.wire.gbt.steps import Raws

_SINGLE = frozenset({FieldKind.NUMBER, FieldKind.ENUM, FieldKind.FLAGS, FieldKind.PACKED})


class ValueCounts:
    """Values of one vehicle, or of several added up.

    Attributes:
        values: all that could be missing.
        empty: lists without elements whose elements could be missing, and bodies that are always due.
        invalid: all ones.
        abnormal: all ones less one, and what is beyond the range of its field.
    """

    __slots__ = ("abnormal", "empty", "invalid", "values")

    def __init__(self, values: int = 0, empty: int = 0, invalid: int = 0, abnormal: int = 0) -> None:
        self.values = values
        self.empty = empty
        self.invalid = invalid
        self.abnormal = abnormal

    def add(self, other: ValueCounts) -> None:
        """Add those of `other`."""
        self.values += other.values
        self.empty += other.empty
        self.invalid += other.invalid
        self.abnormal += other.abnormal


def can_be_missing(field: Field) -> bool:
    """Whether a field, or each element of a list, is a value that can be missing."""
    counted = bool(field.count) and field.kind is not FieldKind.GROUP
    return (counted or field.kind in _SINGLE) and field.coding is not Coding.NONE


class _Number(NamedTuple):
    slot: int
    least: int
    most: int
    invalid: int
    abnormal: int

    @classmethod
    def of(cls, slot: int, field: Field) -> _Number:
        most = field.abnormal - 1 if field.most is None else field.most
        return cls(slot, field.least or 0, most, field.invalid, field.abnormal)


class _List(NamedTuple):
    slot: int
    element: _Number


class _Count(NamedTuple):
    slot: int
    number: _Number
    """Which codes say that the whole list is missing."""


class BodyCounter:
    """Counts in one kind of body.

    Args:
        layout: of the body.
    """

    def __init__(self, layout: Layout) -> None:
        self._numbers: list[_Number] = []
        self._lists: list[_List] = []
        self._groups: list[tuple[int, BodyCounter]] = []
        self._counts: list[_Count] = []
        named = {name: slot for slot, name in enumerate(layout.names)}
        for slot, field in enumerate(layout.fields):
            if field.kind is FieldKind.GROUP:
                inner = BodyCounter(layout.inner[field.name])
                if inner.counts_any:
                    self._groups.append((slot, inner))
                    self._count(named[field.count], layout)
            elif field.count and can_be_missing(field):
                self._lists.append(_List(slot, _Number.of(slot, field)))
                self._count(named[field.count], layout)
            elif can_be_missing(field):
                self._numbers.append(_Number.of(slot, field))

    def _count(self, slot: int, layout: Layout) -> None:
        self._counts.append(_Count(slot, _Number.of(slot, layout.fields[slot])))

    @property
    def counts_any(self) -> bool:
        """Whether there is anything that could be missing."""
        return bool(self._numbers or self._lists or self._groups)

    def count(self, raws: Raws, into: ValueCounts) -> None:
        """Count the values of one body, or of one member of a group."""
        into.values += len(self._numbers)
        for slot, least, most, invalid, _ in self._numbers:
            raw = raws[slot]
            if not least <= raw <= most:
                if raw == invalid:
                    into.invalid += 1
                else:
                    into.abnormal += 1
        for slot, element in self._lists:
            self._count_list(raws[slot], element, into)
        for slot, number in self._counts:
            if raws[slot] == 0 or raws[slot] >= number.abnormal:
                self._count_missing(raws[slot], number, into)
        for slot, inner in self._groups:
            for member in raws[slot]:
                inner.count(member, into)

    @staticmethod
    def _count_list(elements: tuple[int, ...], element: _Number, into: ValueCounts) -> None:
        into.values += len(elements)
        _, least, most, invalid, _ = element
        if elements and (max(elements) > most or (least and min(elements) < least)):
            here = elements.count(invalid)
            into.invalid += here
            into.abnormal += sum(not least <= one <= most for one in elements) - here

    @staticmethod
    def _count_missing(told: int, number: _Number, into: ValueCounts) -> None:
        into.values += 1
        if told == 0:
            into.empty += 1
        elif told == number.invalid:
            into.invalid += 1
        else:
            into.abnormal += 1


class ReportFacts(NamedTuple):
    """What else the figures need of a report.

    Attributes:
        alarm: whether its highest alarm level is 3 or more.
        position: whether it has a valid position.
        cells: whether it has a cell's valid voltage.
    """

    alarm: bool
    position: bool
    cells: bool


class ReportCounter:
    """Counts in reports of one edition.

    Args:
        edition: which.
        due: information types that are always due; one that is missing is an empty value.
    """

    def __init__(self, edition: Edition, due: frozenset[int]) -> None:
        known = layouts(edition)
        counters = {
            int(part.split()[1], 16): BodyCounter(layout)
            for part, layout in known.items()
            if part.startswith("body ")
        }
        self._counts: Mapping[int, Callable[[Raws, ValueCounts], None]] = {
            type_id: counter.count for type_id, counter in counters.items()
        }
        self._due = due
        self._alarm, self._position, self._cells = ALARM_BODY[edition], POSITION_BODY, CELLS_BODY[edition]
        self._axes = tuple(
            (slot, field.most or 0)
            for slot, field in enumerate(known["body 05"].fields)
            if field.item in {"gnss.lon", "gnss.lat"}
        )
        self._group_slot, self._cell_slot, self._cell_most = _cells_of(known[f"body {self._cells:02X}"])

    def count(
        self, report: Report, into: ValueCounts, *, first: bool, seek_cells: bool = True
    ) -> ReportFacts:
        """Count the values of a report.

        Args:
            report: which.
            into: where to add them.
            first: whether it is the first of its instant, in which what is always due has to be.
            seek_cells: whether to look for a cell's valid voltage.
        """
        alarm = position = cells = False
        seen = 0
        for type_id, raws in report.bodies:
            count = self._counts.get(type_id)
            if count is None:
                continue
            count(raws, into)
            if type_id == self._position:
                position = not raws[0] & 1 and all(raws[slot] <= most for slot, most in self._axes)
            elif type_id == self._alarm:
                alarm = ALARM_LEAST <= raws[0] <= ALARM_MOST
            elif type_id == self._cells and seek_cells:
                cells = cells or self._any_cell(raws)
            if type_id in self._due:
                seen += 1
        if first and seen < len(self._due):
            into.values += len(self._due) - seen
            into.empty += len(self._due) - seen
        return ReportFacts(alarm, position, cells)

    def _any_cell(self, raws: Raws) -> bool:
        return any(
            min(cells) <= self._cell_most
            for member in raws[self._group_slot]
            if (cells := member[self._cell_slot])
        )


ALARM_BODY = {Edition.Y2016: 0x07, Edition.Y2025: 0x06}
CELLS_BODY = {Edition.Y2016: 0x08, Edition.Y2025: 0x07}
ALARM_LEAST, ALARM_MOST = 3, 4
"""Levels of an alarm that needs a position and a cell's voltage."""

POSITION_BODY = 0x05


def _cells_of(layout: Layout) -> tuple[int, int, int]:
    """Where the packs are, where in each its cells, and the greatest voltage."""
    for slot, field in enumerate(layout.fields):
        if field.kind is FieldKind.GROUP:
            inner = layout.inner[field.name]
            for place, one in enumerate(inner.fields):
                if one.item == "pack[i].cells":
                    return slot, place, one.most or 0
    raise AssertionError("the tables have no cells")


@cache
def report_counter(edition: Edition, due: frozenset[int]) -> ReportCounter:
    """The counter of an edition."""
    return ReportCounter(edition, due)
