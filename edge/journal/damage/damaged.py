"""`DamagedJournal`: reads what can still be read of a damaged database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from edge.closing import Closing
from edge.errors import JournalError
from edge.journal.block import STREAM_BYTES, Block, BlockKind, read_header
from edge.journal.ranges import RangeSet
from edge.journal.schema import APPLICATION_ID
from edge.journal.upkeep.ages import read_own

_MOST_ERRORS = 20_000
_LONGEST_CHAIN = 1 << 24
_BLOCKS = (
    "SELECT number, header, commitment, ciphertext_hash, ciphertext, link, stream, alarm FROM block"
    " WHERE number BETWEEN ? AND ? ORDER BY number"
)

Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class DamagedStream:
    """A stream of a damaged journal.

    Attributes:
        ordinal: in that journal.
        stream: its 16 bytes.
        predecessor: the stream before it; None where that is unknown.
        last: the greatest number known to be given out.
        covered: by destination, what is in a message, acknowledged or given up.
    """

    ordinal: int
    stream: bytes
    predecessor: bytes | None
    last: int
    covered: dict[str, RangeSet] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DamagedBlock:
    """A block whose header and ciphertext fit each other, with its stream's ordinal and its alarm."""

    block: Block
    stream: int
    alarm: bool


class DamagedJournal(Closing):
    """Reads around what is broken; every part of it may be missing.

    Args:
        path: of the database; its write-ahead log beside it.

    Attributes:
        unreadable: how many reads failed.
    """

    def __init__(self, path: Path) -> None:
        self.unreadable = 0
        self._connection: apsw.Connection | None = None
        if not path.exists() or not path.stat().st_size:
            # SQLite would delete the log of a database without a page.
            return
        try:
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.Error:
            self.unreadable += 1
            return
        self._connection = connection
        if self._value("PRAGMA application_id") != APPLICATION_ID:
            self.unreadable += 1

    def close(self) -> None:
        """Close the database."""
        if self._connection is not None:
            self._connection.close()

    def stream_id(self) -> bytes | None:
        """The journal's own stream, from its table or else from a checkpoint."""
        found = self._value("SELECT id FROM stream WHERE ordinal = 1")
        if isinstance(found, bytes):
            return found
        for (signed,) in self._scan("SELECT signed FROM checkpoint", "last"):
            read = read_own(signed) if isinstance(signed, bytes) else None
            if read is not None:
                return read.stream
        return None

    def streams(self) -> list[DamagedStream]:
        """The streams whose names can be read, the journal's own first."""
        found = {
            row[0]: DamagedStream(*row)
            for row in self._scan("SELECT ordinal, id, predecessor, last_number FROM stream", "ordinal")
            if isinstance(row[1], bytes) and len(row[1]) == STREAM_BYTES and isinstance(row[3], int)
        }
        own = self.stream_id()
        if own is not None and 1 not in found:
            found[1] = DamagedStream(1, own, None, 0)
        for destination, stream, first, last in self._scan(
            "SELECT destination, stream, first, last FROM covered", "destination, stream, first"
        ):
            if stream in found and 1 <= first <= last:
                found[stream].covered.setdefault(destination, RangeSet()).add(first, last)
                found[stream].last = max(found[stream].last, last)
        return [found[ordinal] for ordinal in sorted(found)]

    def messages(self) -> tuple[Rows, bool]:
        """Position, destination, kind, topic, stream, first, last, records, key id, sealed; whether all."""
        before = self.unreadable
        rows = self._scan(
            "SELECT position, destination, kind, topic, stream, first, last, records, key_id, sealed"
            " FROM message",
            "position",
        )
        return rows, self._connection is not None and self.unreadable == before

    def gaps(self) -> Rows:
        """Destination, stream, first, last, cause of numbers that were yet to be told."""
        return self._scan(
            "SELECT destination, stream, first, last, cause FROM gap", "destination, stream, first"
        )

    def erased(self) -> Rows:
        """Stream, first, last of numbers destroyed on purpose."""
        return self._scan("SELECT stream, first, last FROM erased", "stream, first")

    def record_blocks(self) -> Iterator[DamagedBlock]:
        """Blocks of records that are whole, in order."""
        for row in self._blocks():
            number, header_bytes, commitment, ciphertext_hash, ciphertext, link, stream, alarm = row
            try:
                header = read_header(header_bytes) if isinstance(header_bytes, bytes) else None
            except JournalError:
                header = None
            if header is None or not isinstance(ciphertext, bytes | None):
                self.unreadable += 1
                continue
            if header.kind is not BlockKind.RECORDS or ciphertext is None:
                continue
            if header.number != number or hashlib.sha256(ciphertext).digest() != ciphertext_hash:
                self.unreadable += 1
                continue
            block = Block(header, header_bytes, commitment, ciphertext_hash, ciphertext, link)
            yield DamagedBlock(block, stream, bool(alarm))

    def _blocks(self) -> Iterator[tuple[Any, ...]]:
        """All rows of blocks; a range that cannot be read is divided until its broken rows are left out."""
        if self._connection is None:
            return
        ranges = [(1, self._last_block())]
        errors = 0
        while ranges and errors < _MOST_ERRORS:
            first, last = ranges.pop()
            try:
                for row in self._connection.execute(_BLOCKS, (first, last)):
                    first = max(first, row[0] + 1)
                    yield row
            except apsw.Error:
                errors += 1
                self.unreadable += first == last
                if first < last:
                    middle = (first + last) // 2
                    ranges += [(middle + 1, last), (first, middle)]

    def _last_block(self) -> int:
        found = self._value("SELECT max(number) FROM block")
        return found if isinstance(found, int) else _LONGEST_CHAIN

    def _value(self, query: str) -> object:
        try:
            return None if self._connection is None else self._connection.execute(query).get
        except apsw.Error:
            self.unreadable += 1
            return None

    def _scan(self, query: str, order: str) -> Rows:
        """The rows of a small table from both of its ends up to what is broken."""
        found: dict[tuple[Any, ...], None] = {}
        if self._connection is None:
            return []
        for direction in ("", " DESC"):
            columns = ", ".join(f"{one}{direction}" for one in order.split(", "))
            try:
                for row in self._connection.execute(f"{query} ORDER BY {columns}"):
                    found[row] = None
            except (apsw.Error, UnicodeDecodeError):
                self.unreadable += 1
                continue
            break
        return list(found)
