"""Opens a journal to look at it: read-only, beside the gateway that writes it, with or without its keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from edge.archive.selection import Selection
from edge.archive.wall_time import WallTimes, read_corrections
from edge.closing import Closing
from edge.errors import JournalError
from edge.journal.block import Block, BlockHeader, BlockKind, read_header
from edge.journal.database import open_to_read
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.media_files import MEDIA_FOLDER, MediaFiles
from edge.journal.opening import JOURNAL_FILE, KEYS_FILE
from edge.journal.reader import Reader
from edge.wire.item_keys import ItemKeys


@dataclass(frozen=True, slots=True)
class Entry:
    """A block as a list shows it, its content not read.

    Attributes:
        header: what is readable without a key.
        size: bytes of its sealed content; 0 where that is gone.
        locked: whether the bounds leave it alone.
        stream: ordinal of the stream that its record numbers are of.
    """

    header: BlockHeader
    size: int
    locked: bool
    stream: int


class Archive(Closing):
    """One journal, to be looked at by one thread; everything seen is of one moment.

    Args:
        folder: where it is.
        connection: to read with.
        keys: the data keys; None where only what is clear is wanted.
        items: the catalogue's wire keys.

    Attributes:
        reader: of its blocks.
        stream: 16 bytes that name its own stream.
        streams: every stream that it has records of, by ordinal; others than 1 were rescued.
        wall_times: what is known of wall time by now.
    """

    def __init__(
        self, folder: Path, connection: apsw.Connection, keys: KeyStore | None, items: ItemKeys
    ) -> None:
        self.folder = folder
        self.connection = connection
        self.keys = keys
        self.items = items
        self.reader = Reader(connection, keys, items, files=MediaFiles(folder / MEDIA_FOLDER))
        self.stream = self.reader.stream()
        self.streams: dict[int, bytes] = dict(connection.execute("SELECT ordinal, id FROM stream"))
        self.wall_times = WallTimes(read_corrections(self._times()) if keys is not None else ())

    def close(self) -> None:
        """Let go of database and keys."""
        self.connection.close()
        if self.keys is not None:
            self.keys.close()

    def entries(self, selection: Selection) -> Iterator[Entry]:
        """The blocks that are meant, in order of the chain, without reading their contents.

        A damaged header is passed over; `nevgate journal verify` names it.
        """
        where, values = selection.condition(corrected=self.wall_times.known)
        for header, size, locked, stream in self.connection.execute(
            f"SELECT header, size, locked, stream FROM block WHERE {where} ORDER BY number",  # noqa: S608 - constants
            values,
        ):
            try:
                read = read_header(header)
            except JournalError:
                continue
            if selection.meets(read, self.wall_times):
                yield Entry(read, size, bool(locked), stream)

    def count(self, selection: Selection) -> int:
        """About how many blocks are meant, for showing how far something is."""
        where, values = selection.condition(corrected=self.wall_times.known)
        return int(self.connection.execute(f"SELECT count(*) FROM block WHERE {where}", values).get or 0)  # noqa: S608 - constants

    def content(self, number: int) -> tuple[Block, bytes] | None:
        """A block and its plaintext; None where either is gone or the key is not at hand.

        Raises:
            JournalError: it was changed.
        """
        block = self.reader.block(number)
        opened = None if block is None else self.reader.plaintext(block)
        return None if block is None or opened is None else (block, opened[1])

    def last_of(self, kind: BlockKind) -> int:
        """Chain number of the last block of a kind that has its content; 0 for none."""
        return int(
            self.connection.execute(
                "SELECT max(number) FROM block WHERE stream = 1 AND kind = ? AND size > 0", (int(kind),)
            ).get
            or 0
        )

    def _times(self) -> Iterator[tuple[bytes, bytes]]:
        """Boot and content of every block about the wall clock; one that does not open is passed over."""
        numbers = self.connection.execute(
            "SELECT number FROM block WHERE stream = 1 AND kind = ? AND size > 0 ORDER BY number",
            (int(BlockKind.TIME),),
        )
        for (number,) in numbers:
            try:
                found = self.content(number)
            except JournalError:
                continue
            if found is not None:
                yield found[0].header.boot, found[1]


def open_archive(folder: Path, provider: KeyProvider | None, items: ItemKeys) -> Archive:
    """Open the journal in `folder` to look at it; nothing in the folder is changed.

    Args:
        folder: that holds ``journal.db``.
        provider: keeps the wrapping keys; None to do without contents.
        items: the catalogue's wire keys.

    Raises:
        JournalError: there is no journal, it cannot be read, or its keys cannot be had.
    """
    with ExitStack() as stack, reading(folder):
        if not (folder / JOURNAL_FILE).exists():
            raise JournalError(
                "there is no journal here", where=str(folder), todo="Give the folder that holds journal.db"
            )
        connection = _connect(folder)
        stack.callback(connection.close)
        # One moment for all that follows: retention must not take away what was counted just before.
        connection.execute("BEGIN")
        keys = None
        if provider is not None:
            keys = _key_store(folder, provider)
            stack.callback(keys.close)
        archive = Archive(folder, connection, keys, items)
        stack.pop_all()
        return archive


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the system report into the room's error."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise JournalError(
            f"the journal is damaged: {error}",
            where=str(folder),
            todo="Stop the gateway and run 'nevgate journal repair', which keeps what can be read",
        ) from error
    except apsw.Error as error:
        raise JournalError(f"the journal cannot be read: {error}", where=str(folder)) from error


def _key_store(folder: Path, provider: KeyProvider) -> KeyStore:
    path = folder / KEYS_FILE
    if not path.exists():
        raise JournalError("the key store is not here", where=str(path), todo="Go without, by --no-keys")
    return KeyStore(str(path), provider, os.urandom, read_only=True)


def _connect(folder: Path) -> apsw.Connection:
    """A connection for reading.

    A medium that cannot be written takes no index of the write-ahead log, and nobody else writes there
    either; without a log the file alone is the journal.
    """
    path = folder / JOURNAL_FILE
    log = path.with_name(f"{JOURNAL_FILE}-wal")
    frozen = not os.access(folder, os.W_OK) and not log.exists()
    return open_to_read(str(path), immutable=frozen)
