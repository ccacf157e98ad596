"""`Removal`: chooses what must go now and empties it, inside one transaction of some milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import apsw

from edge.clock import NS_PER_DAY, Clock
from edge.errors import JournalError
from edge.journal.block import BlockKind, read_header
from edge.journal.record_block import CARRIER
from edge.journal.upkeep.ages import Ages
from edge.journal.upkeep.held import (
    HeldBlock,
    Oldest,
    bytes_in_use,
    bytes_of_file,
    bytes_of_media,
    empty_segments,
    series_of,
)
from edge.journal.upkeep.limits import BoundsSettings, Limit, Shelf

NEVER_ACKNOWLEDGED = "never acknowledged"
TOTALS = "bounds"
EMPTY = "UPDATE block SET ciphertext = NULL, size = 0 WHERE number = ?"
ADD_TOTAL = (
    "INSERT INTO total (hop, name, count) VALUES (?, ?, ?)"
    " ON CONFLICT (hop, name) DO UPDATE SET count = count + excluded.count"
)

_NS_PER_MS = 1_000_000
_SEGMENTS = 8
_ROOM_BYTES = 1 << 20
_ROOM_BLOCKS = 64
_UNITS = {
    BlockKind.FRAMES: "frames",
    BlockKind.EVENT_FRAMES: "event frames",
    BlockKind.RECORDS: "records",
    BlockKind.MEDIA: "media",
}


class Cause(StrEnum):
    """Why a block's content was removed."""

    AGE = "older than its limit"
    BYTES = "more than its limit in bytes"
    TOTAL = "more than the journal may hold"
    SPACE = "the disk is short of space"


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """How full a file system is.

    Attributes:
        free_bytes: what an ordinary user may still write.
        size_bytes: of all.
    """

    free_bytes: int
    size_bytes: int


class Removal:
    """One step of the bounds.

    Args:
        connection: the journal, a transaction begun.
        settings: the bounds.
        ages: judges how old blocks are.
        oldest: finds the oldest blocks.
        space: how full the disk is.
        clock: time.
        segment: last chain number of the segment between checkpoints that was looked at last.
        full: whether the disk was full, so that the journal lives in the room that it has.

    Attributes:
        removed: frames, records and so on, by unit and cause.
        facts: the same by unit and class, and bytes.
        segment: as above, for the next step.
        outlived: whether records of a class with a strict limit in days were over it: messages that wait may
            hold them still.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        settings: BoundsSettings,
        *,
        ages: Ages,
        oldest: Oldest,
        space: DiskSpace,
        clock: Clock,
        segment: int,
        full: bool = False,
    ) -> None:
        self.removed: Counter[tuple[str, str]] = Counter()
        self.facts: Counter[tuple[str, str]] = Counter()
        self.segment = segment
        self.outlived = False
        self._connection = connection
        self._settings = settings
        self._ages = ages
        self._oldest = oldest
        self._space = space
        self._clock = clock
        self._full = full
        self._freed_bytes = 0
        more = 2 * settings.reserve_bytes if full else 0
        self._enough_bytes = settings.floor_bytes(space.size_bytes) + more

    def run(self) -> bool:
        """Remove what is due; tell whether time or number ended it before all was done."""
        end_ns = self._clock.boot_ns() + round(self._settings.step_ms * _NS_PER_MS)
        for count, (block, cause) in enumerate(self._due(), start=1):
            self._empty(block, cause)
            if count >= self._settings.step_blocks or self._clock.boot_ns() >= end_ns:
                return True
        return self._forget_segments()

    def make_room(self) -> bool:
        """Remove what goes first, some at once, whatever its age; tell whether there was any."""
        freed = count = 0
        while freed < _ROOM_BYTES and count < _ROOM_BLOCKS:
            block = self._next(young=True)
            if block is None:
                break
            self._empty(block, Cause.SPACE)
            freed += block.size
            count += 1
        return count > 0

    def _due(self) -> Iterator[tuple[HeldBlock, Cause]]:
        """What must go, one after the other; each is emptied before the next is looked for."""
        for limit in self._settings.limits:
            if limit.days:
                yield from ((block, Cause.AGE) for block in self._over_days(limit))
        for limit in self._settings.limits:
            if limit.bytes:
                yield from ((block, Cause.BYTES) for block in self._over_bytes(limit))
        yield from ((block, Cause.TOTAL) for block in self._over_total())
        if self._full or self._space.free_bytes < self._settings.floor_bytes(self._space.size_bytes):
            yield from ((block, Cause.SPACE) for block in self._over_space())

    def _over_total(self) -> Iterator[HeldBlock]:
        while bytes_in_use(self._connection) + bytes_of_media(self._connection) > self._settings.total_bytes:
            block = self._next(young=False)
            if block is None:
                return
            yield block

    def _over_space(self) -> Iterator[HeldBlock]:
        while self._must_not_grow():
            block = self._next(young=True)
            if block is None:
                return
            yield block

    def _must_not_grow(self) -> bool:
        """Whether too little room is left inside the file, on a disk that is short of space.

        Media lie in files: what goes of them is room on the disk, which may be enough.
        """
        if self._space.free_bytes + self._freed_bytes >= self._enough_bytes:
            return False
        used, whole = bytes_in_use(self._connection), bytes_of_file(self._connection)
        return (self._full or used > self._settings.least_bytes) and whole - used < self._settings.spare_bytes

    def _over_days(self, limit: Limit) -> Iterator[HeldBlock]:
        limit_ns = round(limit.days * NS_PER_DAY)
        for series in series_of(self._connection, limit):
            while True:
                block = self._oldest.of_series(series, spare_alarms=not limit.strict)
                if block is None or self._age_ns(block) <= limit_ns:
                    break
                self.outlived = self.outlived or (limit.strict and series.kind == BlockKind.RECORDS)
                yield block

    def _over_bytes(self, limit: Limit) -> Iterator[HeldBlock]:
        while sum(one.bytes for one in series_of(self._connection, limit)) > limit.bytes:
            block = self._next(young=False, limit=limit)
            if block is None:
                return
            yield block

    def _next(self, *, young: bool, limit: Limit | None = None) -> HeldBlock | None:
        """The first block to go, by shelf and age; young ones are passed over unless `young`."""
        series = series_of(self._connection, limit)
        for shelf in Shelf:
            block = self._oldest.on(shelf, series)
            if block is not None and (young or not self._young(block)):
                return block
        return None

    def _young(self, block: HeldBlock) -> bool:
        """Whether a block is to be kept unless free space runs out; one of unknown age is not."""
        least = self._settings.least_days(block.series.kind, block.series.data_class)
        return bool(least) and 0 < self._age_ns(block) < least * NS_PER_DAY

    def _age_ns(self, block: HeldBlock) -> int:
        return self._ages.age_ns(
            self._connection,
            block.number,
            block.wall_ns,
            block.header,
            rescued=block.series.stream > 1,
        )

    def _empty(self, block: HeldBlock, cause: Cause) -> None:
        self._connection.execute(EMPTY, (block.number,))
        kind, data_class = BlockKind(block.series.kind), block.series.data_class
        unit, count = _UNITS.get(kind, "notes"), _count(block.header)
        told = str(cause)
        if kind is BlockKind.RECORDS and self._oldest.waits(block):
            told = f"{NEVER_ACKNOWLEDGED}: {cause}"
        if kind is BlockKind.RECORDS and data_class != CARRIER:
            unit = f"records' {data_class}"
        elif kind is BlockKind.RECORDS and cause is Cause.AGE:
            self._note_erased(block)
        if kind is BlockKind.MEDIA:
            self._freed_bytes += block.size
        self.removed[unit, told] += count
        self.facts[unit, "blocks"] += 1
        self.facts[unit, "bytes"] += block.size
        if unit != "notes" and kind is not BlockKind.RECORDS:
            self.facts[unit, f"of class {data_class}"] += count
        self._connection.execute(ADD_TOTAL, (TOTALS, f"{unit}, {data_class}: {told}", count))

    def _note_erased(self, block: HeldBlock) -> None:
        """Numbers whose time had come are told as erased, not as lost, to whom they were not sent."""
        note_erased(self._connection, block.series.stream, block.first_number, block.last_number)

    def _forget_segments(self) -> bool:
        """Delete the rows of segments that hold nothing any more; tell whether there may be more."""
        looked = 0
        for first, last, empty in empty_segments(self._connection, self.segment, _SEGMENTS):
            looked += 1
            self.segment = last
            if empty:
                self._connection.execute("DELETE FROM block WHERE number BETWEEN ? AND ?", (first, last))
                self.facts["notes", "headers of empty segments"] += self._connection.changes()
                return True
        if looked < _SEGMENTS:
            self.segment = 0
            return False
        return True


def note_erased(connection: apsw.Connection, stream: int, first: int, last: int) -> None:
    """Add numbers to those that were destroyed on purpose, joined with the range that they follow."""
    connection.execute(
        "UPDATE erased SET last = max(last, ?) WHERE stream = ? AND first <= ? AND last >= ?",
        (last, stream, first, first - 1),
    )
    if not connection.changes():
        connection.execute(
            "INSERT INTO erased (stream, first, last) VALUES (?, ?, ?)"
            " ON CONFLICT (stream, first) DO UPDATE SET last = max(last, excluded.last)",
            (stream, first, last),
        )


def _count(header: bytes) -> int:
    """Frames or records of a block; a damaged header counts for one."""
    try:
        return read_header(header).count
    except JournalError:
        return 1
