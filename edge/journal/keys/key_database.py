"""Opens the key store's database: private, overwriting what it deletes, and on the disk at every commit."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from edge.errors import JournalError


class DamagedKeysError(JournalError):
    """The key store is damaged: what it alone could open is lost, and a new one has to serve."""


class DamagedKeyError(JournalError):
    """One data key is damaged: what was sealed under it is lost, and nothing else."""


IN_MEMORY = ":memory:"
APPLICATION_ID = 0x4E45564B
"""``NEVK`` in the database's header."""

VERSION = 2
_MIGRATIONS = {
    1: """
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        generation INTEGER NOT NULL, -- of the wrapping key in use, 0 before the first
        highest INTEGER NOT NULL,    -- generation that was ever used
        proof BLOB NOT NULL,         -- a key of zeros, wrapped: tells whether a wrapping key is the right one
        settled INTEGER NOT NULL     -- goes up in every transaction, so that each one writes and is synced
    ) STRICT;
    CREATE TABLE passing (           -- generations to be destroyed unless a commit says otherwise
        generation INTEGER PRIMARY KEY
    ) STRICT;
    CREATE TABLE data_key (
        key_id BLOB PRIMARY KEY,
        data_class TEXT NOT NULL,
        period TEXT NOT NULL,
        purpose TEXT NOT NULL,
        generation INTEGER NOT NULL,
        wrapped BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO state VALUES (1, 0, 0, x'', 0);
    """,
    2: """
    CREATE TABLE ended (             -- consents under which no key may be used or made any more
        consent INTEGER PRIMARY KEY
    ) STRICT;
    """,
}
_BUSY_MS = 5_000
_PRIVATE = 0o600
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_key_database(path: str, *, vfs: str | None, read_only: bool) -> apsw.Connection:
    """Open or make the database, check it, bring its schema up to date.

    A rollback journal, not a write-ahead log: a log keeps images of older pages, wrapped keys that were
    deleted included, until it happens to be overwritten. The rollback journal is cut to nothing at each
    commit (``journal_mode=TRUNCATE``), and SQLite syncs that cut before the commit returns, so that no power
    cut brings back what was committed away. Neither way overwrites the old images on the medium; what makes
    them worthless is that their wrapping key goes.

    Args:
        path: of the file, or ``:memory:``.
        vfs: name of a registered apsw VFS; None for the system's. Permissions and the lock file are this
            module's matter for the system's alone.
        read_only: whether nothing may be written, nor made.

    Raises:
        JournalError: the file cannot be opened, is corrupt, no key store, or one of a newer nevgate.
    """
    with telling(path):
        if path != IN_MEMORY and vfs is None and not read_only:
            _make_private(path)
        flags = (
            apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        )
        connection = apsw.Connection(path, flags=flags, vfs=vfs)
        try:
            _prepare(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: apsw.Connection, path: str) -> Iterator[None]:
    """One write transaction, committed and synced at the end, rolled back at an exception.

    Raises:
        JournalError: the disk refuses. Whether the transaction holds then shows when the database is read
            again.
    """
    with telling(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def lock(path: str, *, on_disk: bool) -> Iterator[None]:
    """Keep other processes from changing generations meanwhile.

    Raises:
        JournalError: another process is at it, or the lock file cannot be made.
    """
    if not on_disk:
        yield
        return
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    except OSError as error:
        raise JournalError(f"the key store cannot be locked: {error.strerror}", where=path) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(
                "another process is changing the wrapping key", where=path, todo="Try again in a moment"
            ) from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def telling(path: str) -> Iterator[None]:
    """Turn what SQLite and the system report into the room's error."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise _corrupt(path, str(error)) from error
    except apsw.Error as error:
        raise JournalError(f"the key store cannot be read or written: {error}", where=path) from error
    except OSError as error:
        raise JournalError(f"the key store cannot be opened: {error.strerror}", where=path) from error


def _corrupt(path: str, reason: str) -> DamagedKeysError:
    return DamagedKeysError(
        f"the key store is corrupt: {reason}",
        where=path,
        todo="Put it aside; what it alone could open is lost, a new one serves what comes",
    )


def _make_private(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        if os.fstat(descriptor).st_mode & _OPEN_TO_OTHERS:
            os.fchmod(descriptor, _PRIVATE)
    finally:
        os.close(descriptor)
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _prepare(connection: apsw.Connection, path: str, *, read_only: bool) -> None:
    connection.set_busy_timeout(_BUSY_MS)
    connection.pragma("temp_store", 2)
    connection.pragma("cell_size_check", True)
    connection.pragma("secure_delete", True)
    connection.pragma("synchronous", "extra")
    version, marked = connection.pragma("user_version"), connection.pragma("application_id")
    if marked not in {0, APPLICATION_ID} or (marked == 0 and version):
        raise JournalError("is a database of something else", where=path, todo="Name another file")
    if version > VERSION:
        raise JournalError(
            f"is a key store of version {version}, and this nevgate knows {VERSION}",
            where=path,
            todo="Install the nevgate that wrote it",
        )
    if read_only:
        if version != VERSION:
            raise JournalError(f"is no key store of version {VERSION}", where=path)
    else:
        connection.pragma("journal_mode", "truncate")
    findings = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if findings != ["ok"]:
        raise _corrupt(path, "; ".join(map(str, findings)))
    for step in range(version + 1, VERSION + 1):
        with transaction(connection, path):
            connection.execute(_MIGRATIONS[step])
            connection.pragma("user_version", step)
            connection.pragma("application_id", APPLICATION_ID)
