"""`Shapes`: reports that lie in bytes like others before them are judged without being taken apart.

A vehicle sends the same bodies with the same numbers of motors, cells and probes for hours, and vehicles of
one type are alike. Where all marks of types and all counts of a data unit equal those of one that was taken
apart, it is divided in the same way, and each value lies at a known place: many are then judged at once.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import TIME_BYTES
from edge.wire.gbt.field import FieldKind
from edge.wire.gbt.layout import layouts
from edge.wire.gbt.message import CUSTOM_FIRST, CUSTOM_LAST, Report, write_body
from edge.wire.gbt.steps import Span
from simulator.gbt.value_counts import (
    ALARM_BODY,
    ALARM_LEAST,
    ALARM_MOST,
    CELLS_BODY,
    POSITION_BODY,
    ReportCounter,
    ValueCounts,
    can_be_missing,
)

SHAPES_MOST = 256
BATCH = 256

_MISSES_BEFORE = 2
_LEARN_EVERY = 16
_MISSED_MOST = 1024
_BLOCK_HEADER_BYTES = 3

_Bytes = npt.NDArray[np.uint8]


class AlarmMonth:
    """What a vehicle has reported in one month of Beijing time, by the time of collection.

    Attributes:
        alarm: an alarm of level 3 or 4.
        position: a valid position.
        cells: a valid voltage of a cell.
    """

    __slots__ = ("alarm", "cells", "position")

    def __init__(self) -> None:
        self.alarm = self.position = self.cells = False


class _Pending(NamedTuple):
    unit: bytes
    counts: ValueCounts
    month: AlarmMonth
    first: bool


class _Columns:
    """Values of one width: where they begin, and which of them are valid."""

    def __init__(self, width: int, spans: list[Span]) -> None:
        self._width = width
        self._starts = np.array([span.offset for span in spans], np.intp)
        fields = [span.field for span in spans]
        self._least = np.array([field.least or 0 for field in fields], np.uint64)
        self._most = np.array(
            [field.abnormal - 1 if field.most is None else field.most for field in fields], np.uint64
        )
        self._invalid = (1 << 8 * width) - 1

    def values(self, rows: _Bytes) -> npt.NDArray[np.uint64]:
        """The values of each row."""
        values = rows[:, self._starts].astype(np.uint64)
        for place in range(1, self._width):
            values = values << np.uint64(8) | rows[:, self._starts + place]
        return values

    def missing(self, rows: _Bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """How many of each row are invalid, and how many abnormal or beyond their range."""
        values = self.values(rows)
        beyond = (values > self._most) | (values < self._least)
        invalid = (beyond & (values == self._invalid)).sum(axis=1)
        return invalid, beyond.sum(axis=1) - invalid

    def any_valid(self, rows: _Bytes) -> npt.NDArray[np.bool_]:
        """Whether a row has a value within its range."""
        values = self.values(rows)
        within: npt.NDArray[np.bool_] = np.any((values <= self._most) & (values >= self._least), axis=1)
        return within


class Shape:
    """How the data unit of one kind of report is divided.

    Args:
        unit: one of them.
        report: the same taken apart; no type of body twice, nothing that is not described.
        edition: of the message.
        counter: counts in one that is taken apart.
    """

    def __init__(self, unit: bytes, report: Report, edition: Edition, counter: ReportCounter) -> None:
        self.length = len(unit)
        fixed = bytearray(self.length)
        spans = self._spans(report, edition, fixed)
        self._mask = int.from_bytes(fixed)
        self._pattern = int.from_bytes(unit) & self._mask
        coded = [span for span in spans if can_be_missing(span.field)]
        widths = sorted({span.length for span in coded})
        self._columns = [
            _Columns(width, [span for span in coded if span.length == width]) for width in widths
        ]
        self._alarm = self._of(spans, f"body {ALARM_BODY[edition]:02X}", {"alarm.max_level"})
        position = f"body {POSITION_BODY:02X}"
        self._status = [span.offset for span in spans if span.field.part == position][:1]
        self._axes = self._of(spans, position, {"gnss.lon", "gnss.lat"})
        self._cells = self._of(spans, f"body {CELLS_BODY[edition]:02X}", {"pack[i].cells"})
        self._pending: list[_Pending] = []
        self._values = self._empty = self._invalid = self._abnormal = self._due = 0
        self._calibrate(unit, report, counter)

    @staticmethod
    def _of(spans: list[Span], part: str, items: set[str]) -> _Columns | None:
        found = [span for span in spans if span.field.part == part and span.field.item in items]
        return _Columns(found[0].length, found) if found else None

    @staticmethod
    def _spans(report: Report, edition: Edition, fixed: bytearray) -> list[Span]:
        """Where the values lie; in `fixed` the bytes that say so are set to ones."""
        known = layouts(edition)
        spans: list[Span] = []
        start = TIME_BYTES
        for body in report.bodies:
            fixed[start] = 0xFF
            if CUSTOM_FIRST <= body.type_id <= CUSTOM_LAST:
                fixed[start + 1 : start + _BLOCK_HEADER_BYTES] = b"\xff\xff"
            else:
                spans += known[f"body {body.type_id:02X}"].spans(body.raws, start + 1)
            start += len(write_body(body, edition))
        if report.signature is not None:
            fixed[start] = 0xFF
            spans += known["signature"].spans(report.signature, start + 1)
        for span in spans:
            if span.field.kind is FieldKind.COUNT:
                fixed[span.offset : span.offset + span.length] = b"\xff" * span.length
        return spans

    def _calibrate(self, unit: bytes, report: Report, counter: ReportCounter) -> None:
        """What the counts themselves add, such as lists without elements, is the same in each report."""
        known, due = ValueCounts(), ValueCounts()
        counter.count(report, known, first=False)
        counter.count(report, due, first=True)
        invalid, abnormal = self._missing(np.frombuffer(unit, np.uint8).reshape(1, self.length))
        self._values, self._empty = known.values, known.empty
        self._invalid, self._abnormal = known.invalid - int(invalid[0]), known.abnormal - int(abnormal[0])
        self._due = due.empty - known.empty

    def fits(self, unit: bytes) -> bool:
        """Whether a data unit of this length is divided so."""
        return int.from_bytes(unit) & self._mask == self._pattern

    def add(self, unit: bytes, counts: ValueCounts, month: AlarmMonth, *, first: bool) -> None:
        """Judge a data unit, at the latest when `flush` is called.

        Args:
            unit: one that fits.
            counts: where its values are added.
            month: where it is noted what it has.
            first: see `ReportCounter.count`.
        """
        self._pending.append(_Pending(unit, counts, month, first))
        if len(self._pending) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Judge what waits."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        units = b"".join([one.unit for one in pending])
        rows = np.frombuffer(units, np.uint8).reshape(len(pending), self.length)
        invalid, abnormal = (found.tolist() for found in self._missing(rows))
        for place, (_, counts, _, first) in enumerate(pending):
            due = self._due if first else 0
            counts.values += self._values + due
            counts.empty += self._empty + due
            counts.invalid += self._invalid + invalid[place]
            counts.abnormal += self._abnormal + abnormal[place]
        if self._alarm is not None:
            levels = self._alarm.values(rows)[:, 0]
            for place in np.flatnonzero((levels >= ALARM_LEAST) & (levels <= ALARM_MOST)).tolist():
                pending[place].month.alarm = True
        if self._axes is not None:
            invalid_axes, abnormal_axes = self._axes.missing(rows)
            fix = (rows[:, self._status[0]] & 1 == 0) & (invalid_axes + abnormal_axes == 0)
            for place in np.flatnonzero(fix).tolist():
                pending[place].month.position = True
        if self._cells is not None and not all(one.month.cells for one in pending):
            for place in np.flatnonzero(self._cells.any_valid(rows)).tolist():
                pending[place].month.cells = True

    def _missing(self, rows: _Bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        invalid = np.zeros(len(rows), np.int64)
        abnormal = np.zeros(len(rows), np.int64)
        for columns in self._columns:
            here = columns.missing(rows)
            invalid += here[0]
            abnormal += here[1]
        return invalid, abnormal


class Shapes:
    """The shapes that are known, the latest ones; one is learnt where its length comes again and again."""

    def __init__(self) -> None:
        self._shapes: OrderedDict[tuple[Edition, int], list[Shape]] = OrderedDict()
        self._missed: dict[tuple[Edition, int], int] = {}
        self._misses = 0
        self._learnt_at = -_LEARN_EVERY

    def find(self, edition: Edition, unit: bytes) -> Shape | None:
        """The shape of a data unit; None where it has to be taken apart."""
        for shape in self._shapes.get((edition, len(unit)), ()):
            if shape.fits(unit):
                return shape
        return None

    def learn(self, edition: Edition, unit: bytes, report: Report, counter: ReportCounter) -> None:
        """Note one that had no shape and could be taken apart."""
        key = (edition, len(unit))
        self._misses += 1
        self._missed[key] = self._missed.get(key, 0) + 1
        if len(self._missed) > _MISSED_MOST:
            self._missed.clear()
            return
        types = [body.type_id for body in report.bodies]
        often = self._missed[key] >= _MISSES_BEFORE and self._misses - self._learnt_at >= _LEARN_EVERY
        if not often or len(set(types)) < len(types) or report.rest:
            return
        self._learnt_at = self._misses
        shapes = self._shapes.setdefault(key, [])
        self._shapes.move_to_end(key)
        shapes.insert(0, Shape(unit, report, edition, counter))
        self._missed[key] = 0
        for forgotten in shapes[_OF_ONE_LENGTH:]:
            forgotten.flush()
        del shapes[_OF_ONE_LENGTH:]
        if len(self._shapes) > SHAPES_MOST:
            for forgotten in self._shapes.popitem(last=False)[1]:
                forgotten.flush()

    def flush(self) -> None:
        """Judge all that waits."""
        for shapes in self._shapes.values():
            for shape in shapes:
                shape.flush()


_OF_ONE_LENGTH = 4
