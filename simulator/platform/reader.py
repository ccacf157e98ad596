"""Reads a platform's store, also while the platform writes it: records, vehicles, gaps, rejections."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge.closing import Closing
from simulator.platform.rows import Rejection, StoredRecord, Stream, read_records, read_streams
from simulator.platform.schema import SchemaMismatchError, check
from simulator.platform.store import StoreError


@dataclass(frozen=True, slots=True)
class VehicleSummary:
    """What the store holds of one vehicle.

    Attributes:
        vehicle: its name.
        streams: how many streams it used.
        records: how many records are stored.
        missing: how many numbers are neither stored nor reported lost.
        lost: how many numbers are reported lost and not stored.
        doubles: arrivals of a stored number with equal contents.
        conflicts: arrivals of a stored number with other contents.
        first_seen_ns: Unix time of its first message.
        last_seen_ns: Unix time of its latest message.
    """

    vehicle: str
    streams: int
    records: int
    missing: int
    lost: int
    doubles: int
    conflicts: int
    first_seen_ns: int
    last_seen_ns: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of numbers without records.

    Attributes:
        vehicle: whose.
        stream: 16 bytes.
        first: first number.
        last: last number.
        cause: lost, withheld or erased, as the signed range entry says; empty while nothing explains it.
        exactness: what the range entry says of each number: exact, at least, interval; empty without one.
    """

    vehicle: str
    stream: bytes
    first: int
    last: int
    cause: str = ""
    exactness: str = ""

    @property
    def final(self) -> bool:
        """Whether a signed range entry explains it."""
        return bool(self.cause)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A number that came a second time with other contents; the first is the record.

    Attributes:
        vehicle: whose.
        stream: 16 bytes.
        number: the record's.
        received_ns: Unix time at which the second came.
        message_sha256: of the signed bytes of the second.
    """

    vehicle: str
    stream: bytes
    number: int
    received_ns: int
    message_sha256: bytes


class StoreReader(Closing):
    """A platform's store, opened for reading only.

    Raises:
        StoreError: here and in every method, if the file is absent, unreadable or no platform store.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise StoreError(
                "there is no such store", where=str(path), todo="'nevgate platform serve --store' makes one"
            )
        with self._guarded():
            self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
            try:
                version = check(self._connection)
            except BaseException:
                self._connection.close()
                raise
        if not version:
            self._connection.close()
            raise StoreError("the file is no platform store", where=str(path))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, SchemaMismatchError) as error:
            raise StoreError(f"the store cannot be read: {error}", where=str(self.path)) from error

    def records(
        self, *, vehicle: str | None = None, since_ns: int | None = None, until_ns: int | None = None
    ) -> Iterator[StoredRecord]:
        """Records by vehicle and by wall time (from `since_ns` on, before `until_ns`), in order of time."""
        clauses, parameters = ["1"], list[str | int]()
        if vehicle is not None:
            clauses.append("s.vehicle = ?")
            parameters.append(vehicle)
        if since_ns is not None:
            clauses.append("r.wall_ns >= ?")
            parameters.append(since_ns)
        if until_ns is not None:
            clauses.append("r.wall_ns < ?")
            parameters.append(until_ns)
        with self._guarded():
            yield from read_records(
                self._connection,
                f"WHERE {' AND '.join(clauses)}",
                parameters,
                order="r.wall_ns, s.vehicle, r.stream, r.number",
            )

    def streams(self, *, vehicle: str | None = None) -> list[Stream]:
        """The streams of one vehicle, or of all."""
        with self._guarded():
            if vehicle is None:
                return read_streams(self._connection)
            return read_streams(self._connection, "WHERE vehicle = ?", (vehicle,))

    def vehicles(self, *, vehicle: str | None = None) -> list[VehicleSummary]:
        """One summary a vehicle, in order of name."""
        by_vehicle: dict[str, list[Stream]] = {}
        for stream in self.streams(vehicle=vehicle):
            by_vehicle.setdefault(stream.vehicle, []).append(stream)
        return [
            VehicleSummary(
                vehicle=name,
                streams=len(streams),
                records=sum(stream.records for stream in streams),
                missing=sum(stream.sequence.missing_count for stream in streams),
                lost=sum(stream.sequence.lost_count for stream in streams),
                doubles=sum(stream.sequence.doubles for stream in streams),
                conflicts=sum(stream.sequence.conflicts for stream in streams),
                first_seen_ns=min(stream.first_seen_ns for stream in streams),
                last_seen_ns=max(stream.last_seen_ns for stream in streams),
            )
            for name, streams in sorted(by_vehicle.items())
        ]

    def gaps(self, *, vehicle: str | None = None) -> list[Gap]:
        """Spans without records: those that nothing explains yet, and those that a range entry explains."""
        gaps: list[Gap] = []
        for stream in self.streams(vehicle=vehicle):
            with self._guarded():
                losses = self._connection.execute(
                    "SELECT first, last, cause, exactness FROM loss WHERE stream = ?", (stream.row,)
                ).fetchall()
            spans = [(first, last, "", "") for first, last in stream.sequence.missing()]
            spans += [
                (first, last, cause, exactness)
                for told_first, told_last, cause, exactness in losses
                for first, last in stream.sequence.received.absent(told_first, told_last)
            ]
            gaps += [Gap(stream.vehicle, stream.stream, *span) for span in sorted(spans)]
        return gaps

    def conflicts(self, *, vehicle: str | None = None) -> list[Conflict]:
        """Numbers that came twice with different contents."""
        with self._guarded():
            rows = self._connection.execute(
                "SELECT s.vehicle, s.stream, c.number, c.received_ns, m.sha256 FROM conflict c"
                " JOIN stream s ON s.id = c.stream JOIN message m ON m.id = c.message"
                " WHERE :vehicle IS NULL OR s.vehicle = :vehicle ORDER BY c.received_ns, c.number",
                {"vehicle": vehicle},
            ).fetchall()
        return [Conflict(*row) for row in rows]

    def rejections(self) -> list[Rejection]:
        """The latest rejected payloads, newest first; only so many are kept."""
        with self._guarded():
            rows = self._connection.execute(
                "SELECT received_ns, topic, cause, detail, bytes, sha256, head FROM rejection"
                " ORDER BY id DESC"
            ).fetchall()
        return [Rejection(*row) for row in rows]

    def rejected(self) -> dict[str, int]:
        """How many messages were ever rejected, by cause."""
        with self._guarded():
            return dict(self._connection.execute("SELECT cause, messages FROM rejected ORDER BY cause"))

    def evidence(self, sha256: bytes) -> bytes | None:
        """The signed bytes of a message, or None."""
        with self._guarded():
            row = self._connection.execute(
                "SELECT signed FROM message WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def fault(self) -> str | None:
        """What SQLite's own check finds wrong with the file, or None."""
        with self._guarded():
            (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        return None if verdict == "ok" else str(verdict)
