"""The tables of the platform's store, and how an older store is brought up to them."""

from __future__ import annotations

import sqlite3

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

MIGRATIONS: tuple[str, ...] = (_VERSION_1,)
"""Script number N brings a store of version N to version N + 1; the version is SQLite's `user_version`."""


class SchemaMismatchError(Exception):
    """The file is of another program, or of a newer version of this one."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a new or older store up to date, each step in a transaction of its own.

    Raises:
        SchemaMismatchError: if the file is no platform store, or a newer one.
        sqlite3.Error: if it cannot be read or written.
    """
    version = check(connection)
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
