"""What a journal still holds, and what of it waits to be acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw

from edge.journal.block import BlockKind
from edge.journal.ranges import RangeSet
from edge.journal.upkeep.limits import NEVER_REMOVED, NOTES, PRIVATE, Limit, Shelf

_ROW = "SELECT number, size, wall_ns, first_number, last_number, header FROM block"
_SERIES = " WHERE stream = ? AND kind = ? AND class = ? AND size > 0 AND locked = 0"
_OLDEST = " ORDER BY first_number, number LIMIT 1"


@dataclass(frozen=True, slots=True)
class Series:
    """Blocks of one stream, kind and class that still have their content and are not locked.

    Attributes:
        stream: ordinal of the stream.
        kind: number of the kind.
        data_class: the class.
        bytes: of their ciphertexts.
    """

    stream: int
    kind: int
    data_class: str
    bytes: int


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """A block that may go."""

    series: Series
    number: int
    size: int
    wall_ns: int
    first_number: int
    last_number: int
    header: bytes


def series_of(connection: apsw.Connection, limit: Limit | None = None) -> list[Series]:
    """All series that hold something and may go, or those that a limit concerns."""
    return [
        Series(stream, kind, data_class, held)
        for stream, kind, data_class, held in connection.execute(
            "SELECT stream, kind, class, bytes FROM held WHERE locked = 0 AND blocks > 0"
        )
        if kind not in NEVER_REMOVED and (limit is None or limit.concerns(kind, data_class))
    ]


def waiting_of(connection: apsw.Connection, destinations: Sequence[str]) -> dict[int, RangeSet]:
    """Numbers of each stream that some destination has not acknowledged, by the stream's ordinal.

    Args:
        connection: the journal.
        destinations: the names of all destinations; without any, nothing waits.
    """
    found: dict[int, RangeSet] = {}
    for ordinal, last in connection.execute("SELECT ordinal, last_number FROM stream"):
        waiting = found[ordinal] = RangeSet()
        for destination in destinations:
            covered = RangeSet(
                connection.execute(
                    "SELECT first, last FROM covered WHERE destination = ? AND stream = ?",
                    (destination, ordinal),
                )
            )
            for first, end in covered.gaps(1, last):
                waiting.add(first, end)
            for first, end in connection.execute(
                "SELECT first, last FROM message WHERE destination = ? AND stream = ? AND records > 0",
                (destination, ordinal),
            ):
                waiting.add(first, end)
    return found


class Oldest:
    """Finds the oldest block of a series or a shelf.

    Args:
        connection: the journal.
        waiting: as `waiting_of` tells.
    """

    def __init__(self, connection: apsw.Connection, waiting: dict[int, RangeSet]) -> None:
        self._connection = connection
        self._waiting = waiting

    def of_series(self, series: Series, *, spare_alarms: bool) -> HeldBlock | None:
        """The oldest block of a series, or the oldest without an alarm that waits.

        An alarm's block is passed over if one of its numbers waits; the other classes' blocks of its records
        stay with it.
        """
        found = self._first(series, "", ())
        if found is None or not (spare_alarms and series.kind == BlockKind.RECORDS):
            return found
        if not (self._alarm(found.number) and self.waits(found)):
            return found
        others = self._acknowledged(series), self._first(series, " AND alarm = 0", ())
        return min(filter(None, others), key=lambda one: one.number, default=None)

    def on(self, shelf: Shelf, series: Sequence[Series]) -> HeldBlock | None:
        """The oldest block on a shelf among some series."""
        candidates = (self._on(shelf, one) for one in series)
        return min(filter(None, candidates), key=lambda one: one.number, default=None)

    def waits(self, block: HeldBlock) -> bool:
        """Whether one of a block's numbers was not acknowledged."""
        ranges = self._waiting.get(block.series.stream)
        if not ranges or not block.first_number:
            return False
        acknowledged = sum(
            last - first + 1 for first, last in ranges.gaps(block.first_number, block.last_number)
        )
        return acknowledged < block.last_number - block.first_number + 1

    def _on(self, shelf: Shelf, series: Series) -> HeldBlock | None:
        match shelf:
            case Shelf.RECORDS if series.kind == BlockKind.RECORDS:
                return self._acknowledged(series)
            case Shelf.UNSENT if series.kind == BlockKind.RECORDS:
                return self._first(series, " AND alarm = 0", ())
            case Shelf.ALARMS if series.kind == BlockKind.RECORDS:
                return self._first(series, "", ())
            case _ if _simple_shelf(series) is shelf:
                return self._first(series, "", ())
        return None

    def _acknowledged(self, series: Series) -> HeldBlock | None:
        waiting = self._waiting.get(series.stream)
        if not waiting:
            return self._first(series, "", ())
        for first, last in waiting.gaps(1, 1 << 62):
            found = self._first(
                series,
                " AND first_number BETWEEN ? AND ? AND last_number <= ?",
                (first, last, last),
            )
            if found is not None:
                return found
        return None

    def _alarm(self, number: int) -> bool:
        return bool(self._connection.execute("SELECT alarm FROM block WHERE number = ?", (number,)).get)

    def _first(self, series: Series, condition: str, values: tuple[int, ...]) -> HeldBlock | None:
        for row in self._connection.execute(
            _ROW + _SERIES + condition + _OLDEST,
            (series.stream, series.kind, series.data_class, *values),
        ):
            return HeldBlock(series, *row)
        return None


def _simple_shelf(series: Series) -> Shelf | None:
    """The shelf of a series that all stands on one; None for records."""
    if series.kind == BlockKind.MEDIA:
        return Shelf.MEDIA
    if series.kind == BlockKind.FRAMES:
        return Shelf.PRIVATE_FRAMES if series.data_class in PRIVATE else Shelf.FRAMES
    if series.kind in NOTES:
        return Shelf.NOTES
    return None if series.kind == BlockKind.RECORDS else Shelf.EVENTS


def bytes_in_use(connection: apsw.Connection) -> int:
    """Bytes of the database's pages that hold something."""
    pages, free, size = (int(connection.pragma(one)) for one in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def bytes_of_media(connection: apsw.Connection) -> int:
    """Bytes of all stills and clips, which lie in files beside the database but for the smallest."""
    query = "SELECT sum(bytes) FROM held WHERE kind = ?"
    return int(connection.execute(query, (int(BlockKind.MEDIA),)).get or 0)


def bytes_of_file(connection: apsw.Connection) -> int:
    """Bytes of all pages, free ones included."""
    return int(connection.pragma("page_count")) * int(connection.pragma("page_size"))


def empty_segments(connection: apsw.Connection, after: int, most: int) -> Iterator[tuple[int, int, bool]]:
    """Segments between checkpoints whose rows are there, from behind `after`: first, last, all empty.

    The segment of the chain's last block is left out: the chain goes on from its row.
    """
    found: list[tuple[int, int]] = list(
        connection.execute(
            "SELECT first, last FROM checkpoint WHERE last > ? AND last < (SELECT max(number) FROM block)"
            " ORDER BY last LIMIT ?",
            (after, most),
        )
    )
    for first, last in found:
        full = connection.execute(
            "SELECT 1 FROM block WHERE number BETWEEN ? AND ? AND size > 0 LIMIT 1", (first, last)
        ).get
        yield first, last, full is None
