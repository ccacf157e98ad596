"""`Store`: every report that was taken, once, in one SQLite file or in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from edge.catalogue.item import Edition
from edge.errors import NevgateError
from edge.wire.gbt.frame import Encryption, Frame, Response
from simulator.gbt.accepted import Accepted

KEPT_IN_MEMORY = 100_000
"""Reports that a store without a file keeps, the latest ones."""

_BATCH = 512
_SECOND_MOST = 16
_VERSION = 1
_MARK = 0x47425433
_SCHEMA = """
CREATE TABLE vehicle (id INTEGER PRIMARY KEY, vin BLOB NOT NULL UNIQUE);
CREATE TABLE report (
    number INTEGER PRIMARY KEY,
    vehicle INTEGER NOT NULL REFERENCES vehicle (id),
    time_s INTEGER NOT NULL,
    edition INTEGER NOT NULL,
    command INTEGER NOT NULL,
    received_ns INTEGER NOT NULL,
    unit BLOB NOT NULL
);
CREATE INDEX report_time ON report (vehicle, time_s);
"""
_INSERT = (
    "INSERT INTO report (vehicle, time_s, edition, command, received_ns, unit) VALUES (?, ?, ?, ?, ?, ?)"
)
_TRIM = "DELETE FROM report WHERE number <= (SELECT max(number) FROM report) - ?"
_SELECT = (
    "SELECT v.vin, r.edition, r.command, r.time_s, r.received_ns, r.unit"
    " FROM report r JOIN vehicle v ON v.id = r.vehicle"
)

_Row = tuple[int, int, int, int, int, bytes]


class StoreError(NevgateError):
    """The store of reports cannot be opened, read or written."""


class VehicleShelf:
    """What of one vehicle is asked for at each report; made by `Store.shelf`.

    Attributes:
        vehicle: its row.
        newest_s: the latest time of collection that is stored; below any where there is none.
        units: the data units of that time, as long as there are few.
    """

    __slots__ = ("newest_s", "units", "vehicle")

    def __init__(self, vehicle: int, newest_s: int) -> None:
        self.vehicle = vehicle
        self.newest_s = newest_s
        self.units: list[bytes] | None = None


class Store:
    """Reports, each once.

    The same time and bytes of a vehicle again is a double, whichever command it came by. What was added is
    durable after the next `commit`.

    Args:
        path: of the SQLite file; None for memory, which keeps the latest reports only.
        kept: how many of them.

    Raises:
        StoreError: the file cannot be opened, or is none of these.
    """

    def __init__(self, path: Path | None = None, *, kept: int = KEPT_IN_MEMORY) -> None:
        self.path = path
        self._kept = None if path is not None else kept
        self._waiting: list[_Row] = []
        self._open_transaction = False
        self.reports = 0
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = apsw.Connection(":memory:" if path is None else str(path))
            self._prepare()
        except (apsw.Error, OSError) as error:
            raise StoreError(f"cannot be opened: {error}", where=str(path)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        connection = self._connection
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", 1)
        mark, version = connection.pragma("application_id"), connection.pragma("user_version")
        if (mark, version) == (0, 0) and not list(connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1")):
            with connection:
                list(connection.execute(_SCHEMA))
                connection.pragma("application_id", _MARK)
                connection.pragma("user_version", _VERSION)
        elif mark != _MARK or version != _VERSION:
            raise StoreError("is no store of GB/T 32960.3 reports", where=str(self.path))

    def shelf(self, vin: bytes) -> VehicleShelf:
        """What `add` needs of a vehicle; keep it as long as the vehicle is heard."""
        with self._guarded():
            self._flush()
            list(self._connection.execute("INSERT OR IGNORE INTO vehicle (vin) VALUES (?)", (vin,)))
            (row,) = self._connection.execute("SELECT id FROM vehicle WHERE vin = ?", (vin,))
            query = "SELECT max(time_s) FROM report WHERE vehicle = ?"
            ((newest,),) = self._connection.execute(query, (row[0],))
        return VehicleShelf(row[0], -1 if newest is None else newest)

    def add(self, shelf: VehicleShelf, report: Accepted) -> bool:
        """Add a report; tell whether it is new, or a double that is not kept again.

        Raises:
            StoreError: it cannot be written.
        """
        time_s, unit = report.time_s, report.unit
        if time_s > shelf.newest_s:
            shelf.newest_s = time_s
            shelf.units = [unit]
        elif time_s == shelf.newest_s and shelf.units is not None:
            if unit in shelf.units:
                return False
            shelf.units.append(unit)
            if len(shelf.units) > _SECOND_MOST:
                shelf.units = None
        elif self._holds(shelf.vehicle, time_s, unit):
            return False
        self._waiting.append(
            (shelf.vehicle, time_s, report.edition, report.command, report.received_ns, unit)
        )
        self.reports += 1
        if len(self._waiting) >= _BATCH:
            with self._guarded():
                self._flush()
        return True

    def _holds(self, vehicle: int, time_s: int, unit: bytes) -> bool:
        with self._guarded():
            self._flush()
            query = "SELECT 1 FROM report WHERE vehicle = ? AND time_s = ? AND unit = ?"
            return self._connection.execute(query, (vehicle, time_s, unit)).fetchone() is not None

    def _flush(self) -> None:
        if not self._waiting:
            return
        if not self._open_transaction:
            self._connection.execute("BEGIN")
            self._open_transaction = True
        self._connection.executemany(_INSERT, self._waiting)
        self._waiting.clear()
        if self._kept is not None:
            self._connection.execute(_TRIM, (self._kept,))

    def commit(self) -> None:
        """Make what was added durable.

        Raises:
            StoreError: it cannot be written.
        """
        with self._guarded():
            self._flush()
            if self._open_transaction:
                self._connection.execute("COMMIT")
                self._open_transaction = False

    def close(self) -> None:
        """Commit and close.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self.commit()
        finally:
            self._connection.close()

    def read(self, vin: bytes | None = None) -> Iterator[Accepted]:
        """What is stored, in order of arrival, of one vehicle or of all.

        Raises:
            StoreError: it cannot be read.
        """
        self.commit()
        where, values = ("", ()) if vin is None else (" WHERE v.vin = ?", (vin,))
        with self._guarded():
            for row in self._connection.execute(f"{_SELECT}{where} ORDER BY r.number", values):
                yield _accepted(*row)

    def frames(self, vin: bytes | None = None) -> Iterator[Frame]:
        """The same as frames, without taking their data units apart."""
        self.commit()
        where, values = ("", ()) if vin is None else (" WHERE v.vin = ?", (vin,))
        with self._guarded():
            for row in self._connection.execute(f"{_SELECT}{where} ORDER BY r.number", values):
                yield Frame(Edition(row[1]), row[2], Response.COMMAND, row[0], Encryption.NONE, row[5])

    def _guarded(self) -> _Guard:
        return _Guard(str(self.path or "memory"))


class _Guard:
    """Turns SQLite's errors into the store's own."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, apsw.Error):
            raise StoreError(str(error), where=self._where, todo="Is the disk full?") from error


def _accepted(vin: bytes, edition: int, command: int, time_s: int, received_ns: int, unit: bytes) -> Accepted:
    return Accepted(vin, Edition(edition), command, time_s, received_ns, unit)
