"""Reads a platform's store, also while the platform writes it: records, vehicles, gaps, rejections."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from edge.closing import Closing
from edge.wire.loss import Interval
from simulator.platform.chain import KeptCheckpoint
from simulator.platform.comparison import Difference, KeptAccount, differences
from simulator.platform.media_rows import KeptMedia, MediaState, read_media
from simulator.platform.rows import (
    BEST_WALL_NS,
    Rejection,
    StoredRecord,
    Stream,
    read_records,
    read_streams,
)
from simulator.platform.schema import MIGRATIONS, SchemaMismatchError, check
from simulator.platform.statement_rows import (
    KeptCorrection,
    earlier_last_number,
    read_accounts,
    read_checkpoints,
    read_corrections,
)
from simulator.platform.store import StoreError


@dataclass(frozen=True, slots=True)
class VehicleSummary:
    """What the store holds of one vehicle.

    Attributes:
        vehicle: its name.
        streams: how many streams it used.
        records: how many records are stored.
        authenticated: how many of them are under a device's key, and not provable to third parties.
        missing: how many numbers are neither stored nor reported lost.
        lost: how many numbers are reported lost one by one, and not stored.
        uncertain: how many numbers are within intervals only, of which an unknown share is gone.
        doubles: arrivals of a stored number with equal contents.
        conflicts: arrivals of a stored number with other contents.
        fewer: arrivals of a stored number with some of its items and no other.
        first_seen_ns: Unix time of its first message.
        last_seen_ns: Unix time of its latest message.
    """

    vehicle: str
    streams: int
    records: int
    authenticated: int
    missing: int
    lost: int
    uncertain: int
    doubles: int
    conflicts: int
    fewer: int
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
        interval: when it happened, for an interval, of which nobody counted how many numbers are gone.
    """

    vehicle: str
    stream: bytes
    first: int
    last: int
    cause: str = ""
    exactness: str = ""
    interval: Interval | None = None

    @property
    def final(self) -> bool:
        """Whether a signed range entry explains it."""
        return bool(self.cause)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A number that came a second time with other contents, or fewer items; the first is the record.

    Attributes:
        vehicle: whose.
        stream: 16 bytes.
        number: the record's.
        received_ns: Unix time at which the second came.
        message_sha256: of the signed bytes of the second.
        first_sha256: of the signed bytes of the first.
        fewer_items: whether the second has some of the first's items and nothing else.
    """

    vehicle: str
    stream: bytes
    number: int
    received_ns: int
    message_sha256: bytes
    first_sha256: bytes
    fewer_items: bool


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
        if version < len(MIGRATIONS):
            self._connection.close()
            raise StoreError(
                f"the store is of version {version}, which is read after it was brought to {len(MIGRATIONS)}",
                where=str(path),
                todo="Start 'nevgate platform serve --store' on it, or on a copy, once",
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, SchemaMismatchError, ValueError) as error:
            raise StoreError(f"the store cannot be read: {error}", where=str(self.path)) from error

    def records(
        self, *, vehicle: str | None = None, since_ns: int | None = None, until_ns: int | None = None
    ) -> Iterator[StoredRecord]:
        """Records by vehicle and by wall time (from `since_ns` on, before `until_ns`), in order of time.

        A wall time that a later fix has corrected counts as corrected.
        """
        # The index of wall times serves as long as nothing was corrected.
        wall_ns = BEST_WALL_NS if self.corrections(vehicle=vehicle) else "r.wall_ns"
        clauses, parameters = ["1"], list[str | int]()
        if vehicle is not None:
            clauses.append("s.vehicle = ?")
            parameters.append(vehicle)
        if since_ns is not None:
            clauses.append(f"{wall_ns} >= ?")
            parameters.append(since_ns)
        if until_ns is not None:
            clauses.append(f"{wall_ns} < ?")
            parameters.append(until_ns)
        with self._guarded():
            yield from read_records(
                self._connection,
                f"WHERE {' AND '.join(clauses)}",
                parameters,
                order=f"{wall_ns}, s.vehicle, r.stream, r.number",
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
                authenticated=sum(stream.records for stream in streams if stream.device_key),
                missing=sum(stream.sequence.missing_count for stream in streams),
                lost=sum(stream.sequence.lost_count for stream in streams),
                uncertain=sum(stream.sequence.uncertain_count for stream in streams),
                doubles=sum(stream.sequence.doubles for stream in streams),
                conflicts=sum(stream.sequence.conflicts for stream in streams),
                fewer=sum(stream.repeated_with_fewer for stream in streams),
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
                    "SELECT first, last, cause, exactness, boot, from_ns, to_ns FROM range_entry"
                    " WHERE stream = ?",
                    (stream.row,),
                ).fetchall()
            found = [
                Gap(stream.vehicle, stream.stream, first, last) for first, last in stream.sequence.missing()
            ]
            for told_first, told_last, cause, exactness, boot, from_ns, to_ns in losses:
                interval = None if boot is None else Interval(boot, from_ns, to_ns)
                found += [
                    Gap(stream.vehicle, stream.stream, first, last, cause, exactness, interval)
                    for first, last in stream.sequence.received.absent(told_first, told_last)
                ]
            gaps += sorted(found, key=lambda gap: (gap.first, gap.last, gap.cause, gap.exactness))
        return gaps

    def conflicts(self, *, vehicle: str | None = None) -> list[Conflict]:
        """Numbers that came twice with different contents, or with fewer items the second time."""
        with self._guarded():
            rows = self._connection.execute(
                "SELECT s.vehicle, s.stream, c.number, c.received_ns, m.sha256, f.sha256, c.fewer_items"
                " FROM conflict c JOIN stream s ON s.id = c.stream JOIN message m ON m.id = c.message"
                " JOIN record r ON r.stream = c.stream AND r.number = c.number"
                " JOIN message f ON f.id = r.message"
                " WHERE :vehicle IS NULL OR s.vehicle = :vehicle ORDER BY c.received_ns, c.number",
                {"vehicle": vehicle},
            ).fetchall()
        return [
            Conflict(name, stream, number, received_ns, second, first, bool(fewer))
            for name, stream, number, received_ns, second, first, fewer in rows
        ]

    def checkpoints(self, *, vehicle: str | None = None) -> list[KeptCheckpoint]:
        """The checkpoints of one vehicle, or of all, in the order in which they came."""
        with self._guarded():
            return read_checkpoints(self._connection, "WHERE ? IN (s.vehicle, '')", (vehicle or "",))

    def accounts(self, *, vehicle: str | None = None) -> list[tuple[KeptAccount, Sequence[Difference]]]:
        """Every account of one vehicle, or of all, and what in it cannot be, in the order of arrival."""
        with self._guarded():
            kept = read_accounts(self._connection, "WHERE ? IN (s.vehicle, '')", (vehicle or "",))
            return [(each, differences(each, earlier_last_number(self._connection, each))) for each in kept]

    def media(self, *, vehicle: str | None = None) -> list[KeptMedia]:
        """The stills and clips of one vehicle, or of all, in the order in which they began to come."""
        with self._guarded():
            return read_media(self._connection, "WHERE ? IN (vehicle, '')", (vehicle or "",))

    def latest_media(
        self, *, vehicle: str | None = None, before: int | None = None, count: int
    ) -> list[KeptMedia]:
        """The stills and clips that began to come last, the newest first.

        Args:
            vehicle: only those of this one.
            before: only rows below this one, to go on where an earlier answer ended.
            count: so many at most.
        """
        where = (
            "WHERE id IN (SELECT id FROM media WHERE ? IN (vehicle, '') AND (? IS NULL OR id < ?)"
            " ORDER BY id DESC LIMIT ?)"
        )
        with self._guarded():
            found = read_media(self._connection, where, (vehicle or "", before, before, count))
        return found[::-1]

    def media_at(self, row: int) -> KeptMedia | None:
        """The still or clip of a row, or None."""
        with self._guarded():
            return next(iter(read_media(self._connection, "WHERE id = ?", (row,))), None)

    def media_states(self) -> dict[str, dict[MediaState, int]]:
        """How many stills and clips of each vehicle have come how far, in order of vehicle and state."""
        found: dict[str, dict[MediaState, int]] = {}
        with self._guarded():
            for vehicle, state, count in self._connection.execute(
                "SELECT vehicle, state, count(*) FROM media GROUP BY vehicle, state ORDER BY vehicle, state"
            ):
                found.setdefault(vehicle, {})[MediaState(state)] = count
        return found

    def media_content(self, media: KeptMedia) -> bytes | None:
        """The content of a still or clip; None while it is not complete."""
        with self._guarded():
            row = self._connection.execute("SELECT content FROM media WHERE id = ?", (media.row,)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def corrections(self, *, vehicle: str | None = None) -> list[KeptCorrection]:
        """The time corrections of one vehicle, or of all, in the order in which they came."""
        with self._guarded():
            return read_corrections(self._connection, vehicle)

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
