"""The platform's store: every record once, the signed bytes that prove it, each loss; one SQLite file."""

from __future__ import annotations

import sqlite3
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import NevgateError
from edge.records import Record
from edge.wire.loss import LossRange
from simulator.platform.body import encode_body
from simulator.platform.rows import (
    Evidence,
    Rejection,
    StoredRecord,
    Stream,
    StreamKey,
    pack_spans,
    read_records,
    read_streams,
)
from simulator.platform.schema import SchemaMismatchError, migrate

STREAMS_IN_MEMORY = 4096
LAYOUTS_IN_MEMORY = 1024
REJECTIONS_KEPT = 1000


class StoreError(NevgateError):
    """The platform's store cannot be opened, read or written."""


@dataclass(slots=True)
class _Interned:
    """Texts that rows name by number; the latest used are remembered."""

    table: str
    column: str
    rows: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def row(self, connection: sqlite3.Connection, text: str) -> int:
        row = self.rows.get(text)
        if row is None:
            connection.execute(f"INSERT OR IGNORE INTO {self.table} ({self.column}) VALUES (?)", (text,))  # noqa: S608 - both names are this module's own
            query = f"SELECT id FROM {self.table} WHERE {self.column} = ?"  # noqa: S608 - the same
            row = int(connection.execute(query, (text,)).fetchone()[0])
            self.rows[text] = row
            if len(self.rows) > LAYOUTS_IN_MEMORY:
                self.rows.popitem(last=False)
        return row


class Store:
    """Records, evidence, losses and rejections of one platform; one connection writes, one thread at a time.

    Nothing is kept before `commit`; when that fails everything since the last one is undone and forgotten.

    Attributes:
        path: the SQLite file.

    Raises:
        StoreError: if the file cannot be opened or is no platform store.
    """

    def __init__(self, path: Path, *, rejections_kept: int = REJECTIONS_KEPT) -> None:
        self.path = path
        self._rejections_kept = rejections_kept
        self._streams: OrderedDict[StreamKey, Stream] = OrderedDict()
        self._touched: dict[int, Stream] = {}
        self._layouts = _Interned("layout", "items")
        self._masks = _Interned("mask", "name")
        self._rejections: deque[Rejection] = deque(maxlen=rejections_kept)
        self._rejected: Counter[str] = Counter()
        with self.guarded():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                migrate(self._connection)
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("PRAGMA cache_size = -16000")
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Undo what was not committed and close the file."""
        with self.guarded():
            self.rollback()
            self._connection.close()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn what SQLite raises into a `StoreError`."""
        try:
            yield
        except SchemaMismatchError as error:
            raise StoreError(
                str(error), where=str(self.path), todo="Name another file with --store"
            ) from error
        except (sqlite3.Error, OSError) as error:
            todo = "Check that the folder can be written, the disk has room and no other platform uses it"
            raise StoreError(f"the store failed: {error}", where=str(self.path), todo=todo) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, to read what is kept and what the next commit will keep.

        Raises:
            StoreError: for whatever SQLite raises meanwhile.
        """
        with self.guarded():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection within a transaction, which `commit` ends.

        Raises:
            StoreError: for whatever SQLite raises meanwhile.
        """
        with self.guarded():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    def stream(self, vehicle: str, stream: bytes, now_ns: int, *, device_key: bytes = b"") -> Stream:
        """The stream of `device_key`, or of signatures where that is empty; made when it is new."""
        key = (vehicle, stream, device_key)
        held = self._streams.get(key)
        if held is None:
            with self.writing() as connection:
                empty = pack_spans(())
                connection.execute(
                    "INSERT OR IGNORE INTO stream"
                    " (vehicle, stream, received, lost, first_seen_ns, last_seen_ns, device_key)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (vehicle, stream, empty, empty, now_ns, now_ns, device_key),
                )
                held = read_streams(connection, "WHERE vehicle = ? AND stream = ? AND device_key = ?", key)[0]
            self._streams[key] = held
        self._streams.move_to_end(key)
        return held

    def touch(self, stream: Stream) -> None:
        """Have the next commit keep the state of `stream`."""
        self._touched[stream.row] = stream

    def knows_message(self, sha256: bytes) -> bool:
        """Whether a message of exactly these bytes is kept as evidence."""
        with self.reading() as connection:
            found = connection.execute("SELECT 1 FROM message WHERE sha256 = ?", (sha256,))
            return found.fetchone() is not None

    def has_boot_of_others(self, vehicle: str, boot: bytes, device_key: bytes) -> bool:
        """Whether records of that boot are kept that are signed, or under another key than `device_key`."""
        with self.reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM stream s JOIN message m ON m.stream = s.id"
                " WHERE s.vehicle = ? AND s.device_key <> ? AND m.boot = ? LIMIT 1",
                (vehicle, device_key, boot),
            )
            return found.fetchone() is not None

    def has_signed_stream(self, vehicle: str, stream: bytes) -> bool:
        """Whether there is such a stream, and its messages are signed."""
        with self.reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM stream WHERE vehicle = ? AND stream = ? AND device_key = x''",
                (vehicle, stream),
            )
            return found.fetchone() is not None

    def record(self, stream: Stream, number: int) -> StoredRecord | None:
        """One stored record, or None."""
        with self.reading() as connection:
            stored = read_records(connection, "WHERE r.stream = ? AND r.number = ?", (stream.row, number))
            return next(stored, None)

    def add_message(self, stream: Stream, evidence: Evidence) -> int:
        """Keep a message's bytes; hand out its row."""
        with self.writing() as connection:
            added = connection.execute(
                "INSERT INTO message"
                " (sha256, stream, kind, key_id, provable, boot, received_ns, signed, road)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    evidence.sha256,
                    stream.row,
                    evidence.kind,
                    evidence.key_id,
                    int(evidence.provable),
                    evidence.boot,
                    evidence.received_ns,
                    evidence.signed,
                    evidence.road,
                ),
            )
            return int(added.lastrowid or 0)

    def add_records(self, stream: Stream, message: int, records: Iterable[Record]) -> None:
        """Keep records whose numbers are new to the stream."""
        with self.writing() as connection:
            rows = []
            for record in records:
                layout = self._layouts.row(connection, "\n".join(record.values))
                rows.append(
                    (
                        stream.row,
                        record.number,
                        message,
                        record.t_ns,
                        record.timebase.wall_ns(record.t_ns),
                        record.timebase.quality.value,
                        int(record.alarm),
                        self._masks.row(connection, record.mask),
                        layout,
                        encode_body(tuple(record.values.values())),
                    )
                )
            connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        stream.records += len(rows)
        self.touch(stream)

    def add_loss(self, stream: Stream, message: int, loss: LossRange) -> None:
        """Keep a signed range entry; the same again changes nothing."""
        when = loss.interval
        with self.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO range_entry"
                " (stream, first, last, cause, exactness, boot, from_ns, to_ns, message)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    stream.row,
                    loss.first,
                    loss.last,
                    loss.cause.name.lower(),
                    loss.exactness.name.lower().replace("_", " "),
                    when.boot if when else None,
                    when.from_ns if when else None,
                    when.to_ns if when else None,
                    message,
                ),
            )
        self.touch(stream)

    def add_conflict(
        self, stream: Stream, message: int, number: int, received_ns: int, *, fewer_items: bool = False
    ) -> None:
        """Keep that `message` holds other contents, or fewer items, for a number that is stored already."""
        with self.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO conflict VALUES (?, ?, ?, ?, ?)",
                (stream.row, number, message, received_ns, int(fewer_items)),
            )
        self.touch(stream)

    def add_rejection(self, rejection: Rejection) -> None:
        """Count a rejection and keep its head; only the latest are kept."""
        self._rejections.append(rejection)
        self._rejected[rejection.cause] += 1

    def commit(self) -> None:
        """Make everything since the last commit durable.

        Raises:
            StoreError: if that failed; then nothing of it is kept.
        """
        if not (self._connection.in_transaction or self._touched or self._rejected):
            return
        try:
            with self.writing() as connection:
                self._keep_streams(connection)
                self._keep_rejections(connection)
                connection.execute("COMMIT")
        except StoreError:
            self.rollback()
            raise
        self._touched.clear()
        self._rejections.clear()
        self._rejected.clear()
        while len(self._streams) > STREAMS_IN_MEMORY:
            self._streams.popitem(last=False)

    def rollback(self) -> None:
        """Undo everything since the last commit, also what is remembered of it."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._streams.clear()
        self._touched.clear()
        self._layouts.rows.clear()
        self._masks.rows.clear()
        self._rejections.clear()
        self._rejected.clear()

    def _keep_streams(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "UPDATE stream SET predecessor = ?, received = ?, lost = ?, uncertain = ?, records = ?,"
            " doubles = ?, conflicts = ?, recovered = ?, repeated_with_fewer = ?, last_seen_ns = ?"
            " WHERE id = ?",
            [
                (
                    stream.predecessor,
                    pack_spans(stream.sequence.received),
                    pack_spans(stream.sequence.lost),
                    pack_spans(stream.sequence.uncertain),
                    stream.records,
                    stream.sequence.doubles,
                    stream.sequence.conflicts,
                    stream.sequence.recovered,
                    stream.repeated_with_fewer,
                    stream.last_seen_ns,
                    stream.row,
                )
                for stream in self._touched.values()
            ],
        )

    def _keep_rejections(self, connection: sqlite3.Connection) -> None:
        if not self._rejected:
            return
        connection.executemany(
            "INSERT INTO rejection (received_ns, topic, cause, detail, bytes, sha256, head)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    entry.received_ns,
                    entry.topic,
                    entry.cause,
                    entry.detail,
                    entry.size,
                    entry.sha256,
                    entry.head,
                )
                for entry in self._rejections
            ],
        )
        connection.execute(
            "DELETE FROM rejection WHERE id <= (SELECT max(id) FROM rejection) - ?", (self._rejections_kept,)
        )
        connection.executemany(
            "INSERT INTO rejected VALUES (?, ?)"
            " ON CONFLICT (cause) DO UPDATE SET messages = messages + excluded.messages",
            list(self._rejected.items()),
        )
