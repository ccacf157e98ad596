"""Reads records out of a journal for people: their class parts joined, with names and physical values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from edge.archive.opening import Archive, Entry
from edge.archive.selection import Selection
from edge.catalogue.catalogue import Catalogue
from edge.catalogue.item import Item, Kind
from edge.clock import Timebase
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.record_block import CARRIER, decode_records, join_records
from edge.records import Element, Missing, Record

VALID = "valid"
NO_CARRIER = "records whose times and numbers are gone"


@dataclass(frozen=True, slots=True)
class JoinedRecords:
    """The records of one period, of all classes that are at hand.

    Attributes:
        records: in order of their numbers.
        boot: 16 bytes.
        stream: 16 bytes that name the stream of their numbers; that of another journal where they were
            rescued from it.
        missing: classes that had a share in the period and are not at hand, though they were asked for.
    """

    records: tuple[Record, ...]
    boot: bytes
    stream: bytes
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class ItemValue:
    """A value, or one element of it, as a person reads it.

    Attributes:
        item_id: concrete, such as ``motor[1].speed``.
        element: place in a list from 1; None for what is no list.
        steps: the value in whole steps of the resolution; None where it is missing.
        physical: the same in the item's unit.
        unit: of the physical value.
        name: of a value of an enumeration, or of the bits that are set.
        state: ``valid``, ``invalid`` (nothing fresh was received) or ``abnormal`` (beyond the range).
    """

    item_id: str
    element: int | None
    steps: int | None
    physical: Decimal | None
    unit: str
    name: str
    state: str


@dataclass(slots=True)
class RecordReader:
    """Reads records, period after period.

    Attributes:
        archive: the journal.
        selection: which records are meant, and which classes of their items.
        unreadable: blocks whose content could not be had though it was asked for, by why.
        blocks: blocks passed so far.
    """

    archive: Archive
    selection: Selection
    unreadable: dict[str, int] = field(default_factory=dict)
    blocks: int = 0

    def __iter__(self) -> Iterator[JoinedRecords]:
        """The records that are meant.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        everything = replace(self.selection, kinds=frozenset({BlockKind.RECORDS}), classes=frozenset())
        for group in _groups(self.archive.entries(everything)):
            joined = self._join(group)
            self.blocks += len(group)
            if joined is not None and joined.records:
                yield joined

    def _join(self, group: list[Entry]) -> JoinedRecords | None:
        parts: list[tuple[Record, ...]] = []
        missing: set[str] = set()
        wanted = self.selection.classes
        for entry in group:
            data_class = entry.header.data_class
            if wanted and data_class not in wanted and data_class != CARRIER:
                continue
            part = self._part(entry)
            if part is None:
                missing.add(data_class)
            elif data_class == CARRIER and wanted and CARRIER not in wanted:
                parts.append(tuple(replace(one, values={}) for one in part))
            else:
                parts.append(part)
        if group[0].header.data_class != CARRIER or CARRIER in missing:
            self._count(NO_CARRIER)
            return None
        header = group[0].header
        joined = tuple(
            one
            for one in join_records(parts)
            if self.selection.holds(
                one.t_ns, self.archive.wall_times.wall_ns(header.boot, one.t_ns, one.timebase)
            )
        )
        stream = self.archive.streams[group[0].stream]
        return JoinedRecords(joined, header.boot, stream, frozenset(missing))

    def _part(self, entry: Entry) -> tuple[Record, ...] | None:
        block = self.archive.reader.block(entry.header.number)
        try:
            opened = None if block is None else self.archive.reader.plaintext(block)
            if opened is None:
                gone = block is None or block.ciphertext is None
                self._count("content deleted" if gone else "key destroyed")
                return None
            return decode_records(opened[1], self.archive.items)
        except JournalError as error:
            self._count(error.what)
            return None

    def _count(self, cause: str) -> None:
        self.unreadable[cause] = self.unreadable.get(cause, 0) + 1


def values_of(record: Record, catalogue: Catalogue) -> Iterator[ItemValue]:
    """The values of a record one by one, lists element by element, in order of their items' names."""
    for item_id, value in sorted(record.values.items()):
        item = catalogue.item(item_id)
        if isinstance(value, tuple):
            for place, element in enumerate(value, 1):
                yield _value(item_id, place, element, item)
        else:
            yield _value(item_id, None, value, item)


def corrected(record: Record, boot: bytes, archive: Archive) -> Timebase:
    """The best known relation of a record to wall time."""
    return archive.wall_times.timebase(boot, record.t_ns, record.timebase)


def _value(item_id: str, place: int | None, element: Element, item: Item) -> ItemValue:
    if isinstance(element, Missing):
        return ItemValue(item_id, place, None, None, item.unit, "", element.value)
    name = item.names.get(element, "")
    if item.kind is Kind.BITS:
        name = "+".join(text for bit, text in item.names.items() if element >> bit & 1)
    return ItemValue(item_id, place, element, item.physical(element), item.unit, name, VALID)


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The blocks of each period: side by side in the chain and of equal numbers, the carrier's first."""
    group: list[Entry] = []
    for entry in entries:
        header = entry.header
        if group and not (
            entry.stream == group[-1].stream
            and header.number == group[-1].header.number + 1
            and header.first_number == group[0].header.first_number
            and header.data_class != CARRIER
        ):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group
