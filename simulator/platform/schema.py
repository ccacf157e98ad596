"""The tables of the platform's store, and how an older store is brought up to them."""

from __future__ import annotations

import sqlite3

from simulator.platform.rows import pack_spans
from simulator.platform.sequence import NumberSet

APPLICATION_ID = 0x4E455650
"""``NEVP`` in the file's header, by which SQLite files of other programs are told apart."""

_VERSION_1 = """
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    vehicle TEXT NOT NULL,
    stream BLOB NOT NULL,
    predecessor BLOB,
    received BLOB NOT NULL,
    lost BLOB NOT NULL,
    records INTEGER NOT NULL DEFAULT 0,
    doubles INTEGER NOT NULL DEFAULT 0,
    conflicts INTEGER NOT NULL DEFAULT 0,
    recovered INTEGER NOT NULL DEFAULT 0,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns INTEGER NOT NULL,
    UNIQUE (vehicle, stream)
) STRICT;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    stream INTEGER NOT NULL REFERENCES stream (id),
    kind TEXT NOT NULL,
    key_id BLOB NOT NULL,
    provable INTEGER NOT NULL,
    boot BLOB NOT NULL,
    received_ns INTEGER NOT NULL,
    signed BLOB NOT NULL
) STRICT;

CREATE TABLE layout (id INTEGER PRIMARY KEY, items TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE mask (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE record (
    stream INTEGER NOT NULL REFERENCES stream (id),
    number INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES message (id),
    t_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    alarm INTEGER NOT NULL,
    mask INTEGER NOT NULL REFERENCES mask (id),
    layout INTEGER NOT NULL REFERENCES layout (id),
    body BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX record_identity ON record (stream, number);

CREATE INDEX record_time ON record (wall_ns);

CREATE TABLE loss (
    stream INTEGER NOT NULL REFERENCES stream (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    cause TEXT NOT NULL,
    exactness TEXT NOT NULL,
    boot BLOB,
    from_ns INTEGER,
    to_ns INTEGER,
    message INTEGER NOT NULL REFERENCES message (id),
    PRIMARY KEY (stream, first, last, cause)
) STRICT, WITHOUT ROWID;

CREATE TABLE conflict (
    stream INTEGER NOT NULL REFERENCES stream (id),
    number INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES message (id),
    received_ns INTEGER NOT NULL,
    PRIMARY KEY (stream, number, message)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejection (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ns INTEGER NOT NULL,
    topic TEXT NOT NULL,
    cause TEXT NOT NULL,
    detail TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    head BLOB NOT NULL
) STRICT;

CREATE TABLE rejected (cause TEXT PRIMARY KEY, messages INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_VERSION_2 = """
ALTER TABLE stream ADD COLUMN uncertain BLOB NOT NULL DEFAULT x'80';

ALTER TABLE stream ADD COLUMN repeated_with_fewer INTEGER NOT NULL DEFAULT 0;

ALTER TABLE conflict ADD COLUMN fewer_items INTEGER NOT NULL DEFAULT 0;

CREATE TABLE range_entry (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    cause TEXT NOT NULL,
    exactness TEXT NOT NULL,
    boot BLOB,
    from_ns INTEGER,
    to_ns INTEGER,
    message INTEGER NOT NULL REFERENCES message (id)
) STRICT;

CREATE UNIQUE INDEX range_entry_identity ON range_entry (
    stream, first, last, cause, exactness, ifnull(boot, x''), ifnull(from_ns, 0), ifnull(to_ns, 0)
);

INSERT INTO range_entry (stream, first, last, cause, exactness, boot, from_ns, to_ns, message)
    SELECT stream, first, last, cause, exactness, boot, from_ns, to_ns, message FROM loss
    ORDER BY message, first;

DROP TABLE loss;

UPDATE stream SET
    lost = (
        SELECT spans(first, last) FROM range_entry e WHERE e.stream = stream.id AND exactness <> 'interval'
    ),
    uncertain = (
        SELECT spans(first, last) FROM range_entry e WHERE e.stream = stream.id AND exactness = 'interval'
    );

CREATE TABLE checkpoint (
    message INTEGER PRIMARY KEY REFERENCES message (id),
    stream INTEGER NOT NULL REFERENCES stream (id),
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    root BLOB NOT NULL,
    link BLOB NOT NULL,
    previous BLOB,
    t_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    sound INTEGER NOT NULL
) STRICT;

CREATE INDEX checkpoint_place ON checkpoint (stream, last);

CREATE INDEX checkpoint_previous ON checkpoint (stream, previous);

CREATE TABLE account (
    message INTEGER PRIMARY KEY REFERENCES message (id),
    stream INTEGER NOT NULL REFERENCES stream (id),
    t_ns INTEGER NOT NULL,
    since_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    acknowledged INTEGER,
    waiting INTEGER,
    given_up INTEGER,
    stored INTEGER NOT NULL,
    explained INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    hops TEXT NOT NULL
) STRICT;

CREATE INDEX account_time ON account (stream, t_ns);

CREATE TABLE correction (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (id),
    vehicle TEXT NOT NULL,
    boot BLOB NOT NULL,
    from_ns INTEGER NOT NULL,
    to_ns INTEGER NOT NULL,
    wall_offset_ns INTEGER NOT NULL,
    quality INTEGER NOT NULL
) STRICT;

CREATE INDEX correction_boot ON correction (vehicle, boot);
"""

_VERSION_3 = """
ALTER TABLE stream ADD COLUMN device_key BLOB NOT NULL DEFAULT x'';

CREATE INDEX message_boot ON message (boot);
"""

_VERSION_4 = """
CREATE TABLE stream_of_key (
    id INTEGER PRIMARY KEY,
    vehicle TEXT NOT NULL,
    stream BLOB NOT NULL,
    device_key BLOB NOT NULL,
    predecessor BLOB,
    received BLOB NOT NULL,
    lost BLOB NOT NULL,
    uncertain BLOB NOT NULL DEFAULT x'80',
    records INTEGER NOT NULL DEFAULT 0,
    doubles INTEGER NOT NULL DEFAULT 0,
    conflicts INTEGER NOT NULL DEFAULT 0,
    recovered INTEGER NOT NULL DEFAULT 0,
    repeated_with_fewer INTEGER NOT NULL DEFAULT 0,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns INTEGER NOT NULL,
    UNIQUE (vehicle, stream, device_key)
) STRICT;

INSERT INTO stream_of_key
    SELECT id, vehicle, stream, device_key, predecessor, received, lost, uncertain, records, doubles,
        conflicts, recovered, repeated_with_fewer, first_seen_ns, last_seen_ns FROM stream;

DROP TABLE stream;

ALTER TABLE stream_of_key RENAME TO stream;
"""

_VERSION_5 = """
ALTER TABLE message ADD COLUMN road TEXT NOT NULL DEFAULT '';

CREATE TABLE forwarded (
    destination TEXT NOT NULL,
    stream INTEGER NOT NULL REFERENCES stream (id),
    settled BLOB NOT NULL,
    refused BLOB NOT NULL,
    PRIMARY KEY (destination, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE forwarding_login (
    destination TEXT PRIMARY KEY,
    day INTEGER NOT NULL,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_VERSION_6 = """
CREATE TABLE media (
    id INTEGER PRIMARY KEY,
    vehicle TEXT NOT NULL,
    stream BLOB NOT NULL,
    block INTEGER NOT NULL,
    name BLOB NOT NULL,
    said BLOB NOT NULL,
    signed BLOB NOT NULL,
    key_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    received BLOB NOT NULL,
    state TEXT NOT NULL,
    doubles INTEGER NOT NULL DEFAULT 0,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns INTEGER NOT NULL,
    content BLOB,
    UNIQUE (vehicle, stream, block)
) STRICT;

CREATE UNIQUE INDEX media_name ON media (vehicle, name);

CREATE TABLE media_chunk (
    media INTEGER NOT NULL REFERENCES media (id),
    first INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (media, first)
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (
    _VERSION_1,
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    _VERSION_5,
    _VERSION_6,
)
"""Script number N brings a store of version N to version N + 1; the version is SQLite's `user_version`."""


class _Spans:
    """The SQL aggregate ``spans(first, last)``: the numbers of all rows, as a stream's row keeps them."""

    def __init__(self) -> None:
        self._numbers = NumberSet()

    def step(self, first: int, last: int) -> None:
        self._numbers.add(first, last)

    def finalize(self) -> bytes:
        return pack_spans(self._numbers)


class SchemaMismatchError(Exception):
    """The file is of another program, or of a newer version of this one."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a new or older store up to date, each step in a transaction of its own.

    Raises:
        SchemaMismatchError: if the file is no platform store, or a newer one.
        sqlite3.Error: if it cannot be read or written.
    """
    version = check(connection)
    connection.create_aggregate("spans", 2, _Spans)  # type: ignore[arg-type] # typeshed wants one argument of step
    for step, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {step}; COMMIT;"
        )


def check(connection: sqlite3.Connection) -> int:
    """The version of a platform store, 0 for an empty file.

    Raises:
        SchemaMismatchError: if the file is no platform store, or a newer one.
        sqlite3.Error: if it cannot be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and tables:
        raise SchemaMismatchError("the file is an SQLite database of another program")
    if version > len(MIGRATIONS):
        raise SchemaMismatchError(f"the store is of version {version}, this program knows {len(MIGRATIONS)}")
    return int(version) if tables else 0
