"""`Positions`: whether kept positions are no more exact than purposes need, and in no forbidden area."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import JournalError, PolicyError
from edge.journal.block import BlockKind
from edge.places.area import Fences
from edge.places.geohash import STEPS_A_DEGREE
from edge.places.precision import LAT_ITEM, LON_ITEM, STATUS_ITEMS, coarse
from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.rules import RECORD_PURPOSES, Datum, Policy, Precision
from edge.records import Record
from edge.report.blocks import Seen

_NAMED = 20
_DATUM_ITEM = "gnss.datum"
_DATUMS = {1: (Datum.WGS84,), 2: (Datum.GCJ02,)}

Ruled = Callable[[Seen], tuple[Policy | None, Admission | None]]
ReadRecords = Callable[[int], tuple[Record, ...] | None]


@dataclass(slots=True)
class Exactness:
    """What came of looking at positions.

    Attributes:
        records: with a position.
        coarse: those among them that are as coarse as their purpose wants.
        too_exact: those that are more exact than that.
        inside: those that lie in an area in which no position is collected.
        undecided: those that cannot be judged, since their policy or mask is not at hand.
        numbers: the first blocks with a position that must not be.
    """

    records: int = 0
    coarse: int = 0
    too_exact: int = 0
    inside: int = 0
    undecided: int = 0
    numbers: list[int] | None = None


class Positions:
    """Opens every block of records of class position in the period.

    Args:
        ruled: the policy and the admission of a block.
        read: the records of a block; None where they cannot be had.

    Attributes:
        exactness: what came of it.
    """

    def __init__(self, ruled: Ruled, read: ReadRecords) -> None:
        self.exactness = Exactness(numbers=[])
        self._ruled = ruled
        self._read = read
        self._fences: dict[str, Fences] = {}

    def look(self, seen: Seen, meant: bool) -> None:
        """Look at a block."""
        header = seen.header
        if not meant or not seen.size:
            return
        if header.kind is not BlockKind.RECORDS or header.data_class != DataClass.POSITION:
            return
        try:
            records = self._read(header.number)
        except JournalError:
            records = None
        policy, admission = self._ruled(seen)
        for record in records or ():
            self._judge(record, policy, admission, header.number)

    def _judge(self, record: Record, policy: Policy | None, admission: Admission | None, number: int) -> None:
        lon, lat = record.values.get(LON_ITEM), record.values.get(LAT_ITEM)
        if not isinstance(lon, int) or not isinstance(lat, int):
            return
        found = self.exactness
        found.records += 1
        if policy is None or admission is None:
            found.undecided += 1
            return
        precision = admission.precision(RECORD_PURPOSES)
        if not precision.full:
            right = _is_coarse(record, lon, lat, precision)
            found.coarse += right
            found.too_exact += not right
            if not right:
                self._name(number)
        elif self._inside(record, lon, lat, policy):
            found.inside += 1
            self._name(number)

    def _name(self, number: int) -> None:
        numbers = self.exactness.numbers
        if numbers is not None and len(numbers) < _NAMED and number not in numbers:
            numbers.append(number)

    def _inside(self, record: Record, lon: int, lat: int, policy: Policy) -> bool:
        fences = self._fences.get(policy.digest)
        if fences is None:
            areas = [one for one in policy.areas if DataClass.POSITION in one.withhold]
            fences = self._fences[policy.digest] = Fences(areas)
        if not len(fences):
            return False
        datum = record.values.get(_DATUM_ITEM)
        datums = _DATUMS.get(datum, tuple(Datum)) if isinstance(datum, int) else tuple(Datum)
        held = fences.holds([lon / STEPS_A_DEGREE], [lat / STEPS_A_DEGREE], datums)
        return bool(held.any())


def _is_coarse(record: Record, lon: int, lat: int, precision: Precision) -> bool:
    """Whether a position is the centre of a cell, and nothing of the class tells more than the cell."""
    try:
        centre = coarse(lon, lat, precision)
    except (ValueError, PolicyError):
        return False
    more = {name for name in record.values if name.startswith("gnss.")} - STATUS_ITEMS - {LON_ITEM, LAT_ITEM}
    return centre == (lon, lat) and not more
