"""`ForwardLedger`: which records of a platform's store a destination has been given, kept in that store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge.clock import NS_PER_S
from edge.closing import Closing
from edge.journal.ranges import RangeSet
from simulator.conversion.converter import is_late
from simulator.platform.rows import StoredRecord, pack_spans, read_records, read_streams, unpack_spans
from simulator.platform.schema import MIGRATIONS, SchemaMismatchError, check
from simulator.platform.store import StoreError

SESSIONS_MOST = 65_531
"""The greatest session number (chapter 7, platform login); 1 follows it."""

_PATIENCE_S = 30.0
_DAY_S = 86_400
_BEIJING_S = 8 * 3600


class Arrival(NamedTuple):
    """A record that has come into the store.

    Attributes:
        row: rises with each record.
        stream: row of its stream.
        number: of the record.
        late: whether it came as backlog.
    """

    row: int
    stream: int
    number: int
    late: bool


@dataclass(slots=True)
class StreamState:
    """What a destination has been given of one stream; what is in neither set waits.

    Attributes:
        vehicle: whose.
        settled: numbers that it has, or that need not go.
        refused: numbers that it refused, or of which no message can be made.
    """

    vehicle: str
    settled: RangeSet
    refused: RangeSet


class ForwardLedger(Closing):
    """The cursor of one destination in a platform's store, beside the platform that writes the store.

    Args:
        path: the store.
        destination: whose cursor it is; empty for one that is nowhere kept.

    Raises:
        StoreError: here and in every method, where the store cannot be read or written.
    """

    def __init__(self, path: Path, destination: str) -> None:
        self.path = path
        self.destination = destination
        self._states: dict[int, StreamState] = {}
        self._touched: set[int] = set()
        if not path.is_file():
            raise StoreError(
                "there is no such store", where=str(path), todo="'nevgate platform serve --store' makes one"
            )
        with self._guarded():
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE_S)
            try:
                version = check(self._connection)
                self._connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                self._connection.close()
                raise
        if version != len(MIGRATIONS):
            self._connection.close()
            raise StoreError(
                f"the store is of version {version}, not {len(MIGRATIONS)}"
                if version
                else "is no platform store",
                where=str(path),
                todo="Start 'nevgate platform serve --store' on it once",
            )

    def close(self) -> None:
        """Keep what is settled, and close the file."""
        try:
            self.commit()
        finally:
            self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, SchemaMismatchError) as error:
            raise StoreError(f"the store failed: {error}", where=str(self.path)) from error

    def begin(self, *, refused_again: bool = False) -> tuple[int, dict[int, RangeSet]]:
        """Where the store stands now.

        Args:
            refused_again: whether what was refused waits again.

        Returns:
            The row of the latest record, and by the row of each stream the numbers that wait.
        """
        waiting: dict[int, RangeSet] = {}
        with self._guarded():
            self._connection.execute("BEGIN")
            try:
                (last,) = self._connection.execute("SELECT ifnull(max(rowid), 0) FROM record").fetchone()
                streams = read_streams(self._connection)
                kept = {
                    stream: (settled, refused)
                    for stream, settled, refused in self._connection.execute(
                        "SELECT stream, settled, refused FROM forwarded WHERE destination = ?",
                        (self.destination,),
                    )
                }
            finally:
                self._connection.execute("COMMIT")
        nothing = pack_spans(())
        for stream in streams:
            settled, refused = (
                RangeSet(unpack_spans(one)) for one in kept.get(stream.row, (nothing, nothing))
            )
            if refused_again and refused:
                refused = RangeSet()
                self._touched.add(stream.row)
            self._states[stream.row] = StreamState(stream.vehicle, settled, refused)
            open_numbers = RangeSet(stream.sequence.received)
            for first, end in (*settled, *refused):
                open_numbers.remove(first, end)
            if open_numbers:
                waiting[stream.row] = open_numbers
        return last, waiting

    def arrivals(self, after: int, most: int) -> list[Arrival]:
        """The records that came after the row `after`, at most so many, in the order of their coming."""
        with self._guarded():
            rows = self._connection.execute(
                "SELECT r.rowid, r.stream, r.number, m.kind, m.road FROM record r"
                " JOIN message m ON m.id = r.message WHERE r.rowid > ? ORDER BY r.rowid LIMIT ?",
                (after, most),
            ).fetchall()
        return [Arrival(row, stream, number, is_late(kind, road)) for row, stream, number, kind, road in rows]

    def records(self, stream: int, first: int, last: int) -> list[StoredRecord]:
        """The records of a stream from number `first` to `last`, in order."""
        with self._guarded():
            return list(
                read_records(
                    self._connection,
                    "WHERE r.stream = ? AND r.number BETWEEN ? AND ?",
                    (stream, first, last),
                    order="r.number",
                )
            )

    def corrections(self) -> int:
        """A number that is greater when more time corrections have come."""
        with self._guarded():
            (last,) = self._connection.execute("SELECT ifnull(max(id), 0) FROM correction").fetchone()
        return int(last)

    def settle(self, stream: int, number: int) -> None:
        """Note that the destination has a record, or that it need not go; `commit` keeps it."""
        self._state(stream).settled.add(number, number)
        self._touched.add(stream)

    def refuse(self, stream: int, number: int) -> None:
        """Note that a record will not go unless it is tried again; `commit` keeps it."""
        self._state(stream).refused.add(number, number)
        self._touched.add(stream)

    def commit(self) -> None:
        """Make durable what was noted."""
        if not self._touched or not self.destination:
            return
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO forwarded VALUES (?, ?, ?, ?) ON CONFLICT (destination, stream)"
                " DO UPDATE SET settled = excluded.settled, refused = excluded.refused",
                [
                    (
                        self.destination,
                        stream,
                        pack_spans(self._states[stream].settled),
                        pack_spans(self._states[stream].refused),
                    )
                    for stream in self._touched
                ],
            )
        self._touched.clear()

    def next_login(self, wall_ns: int) -> int:
        """The number of the next login: from 1 on each day in Beijing, kept before it is handed out.

        A day that has been counted is never begun anew, also where the clock is set back.
        """
        today = (wall_ns // NS_PER_S + _BEIJING_S) // _DAY_S
        with self._writing() as connection:
            kept = connection.execute(
                "SELECT day, number FROM forwarding_login WHERE destination = ?", (self.destination,)
            ).fetchone()
            day, number = kept or (today, 0)
            number = number % SESSIONS_MOST + 1 if day >= today else 1
            connection.execute(
                "INSERT INTO forwarding_login VALUES (?, ?, ?)"
                " ON CONFLICT (destination) DO UPDATE SET day = excluded.day, number = excluded.number",
                (self.destination, max(day, today), number),
            )
        return int(number)

    def _state(self, stream: int) -> StreamState:
        state = self._states.get(stream)
        if state is None:
            with self._guarded():
                (vehicle,) = self._connection.execute(
                    "SELECT vehicle FROM stream WHERE id = ?", (stream,)
                ).fetchone()
            state = self._states[stream] = StreamState(vehicle, RangeSet(), RangeSet())
        return state

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._guarded():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
