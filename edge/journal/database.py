"""Opens the journal's database: permissions, pragmas, schema version."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import apsw

from edge.errors import JournalError
from edge.journal.schema import APPLICATION_ID, MIGRATIONS, VERSION

IN_MEMORY = ":memory:"
_BUSY_MS = 5_000
_WAL_PAGES = 2_000
_WAL_KEPT_BYTES = 16 << 20
_PRIVATE = 0o600


def open_database(path: str, *, vfs: str | None = None) -> apsw.Connection:
    """Open or make a journal's database for writing and bring its schema up to date.

    WAL with ``synchronous=FULL``: a commit is on the disk when it returns. Deleted pages need no overwriting,
    since what was in them is ciphertext.

    Args:
        path: of the file, or ``:memory:``.
        vfs: name of a registered apsw VFS; None for the system's.

    Raises:
        JournalError: the file is no journal, or one of a newer nevgate.
        apsw.Error: the disk refuses, or the file is corrupt; the caller decides what then.
    """
    if path != IN_MEMORY and vfs is None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE))
    connection = apsw.Connection(path, vfs=vfs)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: str, *, vfs: str | None = None, immutable: bool = False) -> apsw.Connection:
    """Open a journal's database beside the one that writes it.

    Args:
        path: of the file.
        vfs: name of a registered apsw VFS; None for the system's.
        immutable: nobody can write there, so that no index of the write-ahead log can be made either.

    Raises:
        JournalError: there is no such file, it is no journal, or one of another version.
        apsw.Error: the file cannot be read.
    """
    try:
        name = f"file:{quote(str(Path(path).absolute()))}?immutable=1" if immutable else path
        flags = apsw.SQLITE_OPEN_READONLY | (apsw.SQLITE_OPEN_URI if immutable else 0)
        connection = apsw.Connection(name, flags=flags, vfs=vfs)
    except apsw.CantOpenError as error:
        raise JournalError(
            "there is no journal here", where=path, todo="Give the folder that holds journal.db"
        ) from error
    connection.set_busy_timeout(_BUSY_MS)
    version = connection.pragma("user_version")
    if connection.pragma("application_id") != APPLICATION_ID or version != VERSION:
        connection.close()
        raise JournalError(
            f"is no journal of version {VERSION}",
            where=path,
            todo="Run the nevgate that wrote it, or 'nevgate run' once to bring an older one up to date",
        )
    return connection


@contextlib.contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """One write transaction, on the disk when it ends, rolled back at an exception.

    A disk that refuses ends some transactions by itself; the error that comes out is its own even then.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                connection.execute("ROLLBACK")
        raise


def lock_folder(folder: Path) -> int:
    """Make sure that only one process writes the journal in `folder`.

    Returns:
        A file descriptor; the lock ends when it is closed, or with the process.

    Raises:
        JournalError: another process holds it.
    """
    descriptor = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            "is in use by another gateway", where=str(folder), todo="Stop that one, or use another folder"
        ) from error
    return descriptor


def _prepare(connection: apsw.Connection, path: str) -> None:
    connection.set_busy_timeout(_BUSY_MS)
    version = connection.pragma("user_version")
    marked = connection.pragma("application_id")
    if version > VERSION:
        raise JournalError(
            f"is a journal of version {version}, and this nevgate knows {VERSION}",
            where=path,
            todo="Install the nevgate that wrote it, or use another folder",
        )
    if marked not in {0, APPLICATION_ID} or (marked == 0 and version):
        raise JournalError("is a database of something else", where=path, todo="Use another folder")
    if path != IN_MEMORY and connection.pragma("journal_mode", "wal") != "wal":
        raise JournalError("the file system does not allow write-ahead logging", where=path)
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", _WAL_PAGES)
    connection.pragma("journal_size_limit", _WAL_KEPT_BYTES)
    for step in range(version + 1, VERSION + 1):
        with connection:
            connection.execute(MIGRATIONS[step])
            connection.pragma("user_version", step)
            connection.pragma("application_id", APPLICATION_ID)
