"""Opens a journal in its folder, or one in memory, with everything that belongs to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import apsw

from edge.clock import Clock
from edge.closing import Closing
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.chain import load_chain
from edge.journal.checkpoints import Checkpointer, LastCheckpoint
from edge.journal.cursors import StreamCursor, load_cursors
from edge.journal.database import IN_MEMORY, lock_folder, open_database, open_to_read
from edge.journal.grounds import Ground, Grounds, by_law
from edge.journal.journal import Journal
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.keys.key_store import KeyStore
from edge.journal.media_files import MEDIA_FOLDER, MediaFiles
from edge.journal.pending import DraftMaker, Split
from edge.journal.reader import Reader
from edge.journal.settings import JournalSettings
from edge.journal.stored import StoredMessage, load_messages
from edge.journal.upkeep.condemned import destroy_condemned
from edge.policy.classes import DataClass
from edge.wire.checkpoint import signed_hash
from edge.wire.item_keys import ItemKeys

JOURNAL_FILE = "journal.db"
KEYS_FILE = "keys.db"
STREAM_BYTES = 16
_PRIVATE_FOLDER = 0o700

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inside:
    """What a journal needs to know of the gateway around it.

    Attributes:
        boot: 16 bytes that name the boot.
        split: divides masked frames by class.
        class_of: the class of a concrete item id.
        items: the catalogue's wire keys.
        sign: signs checkpoints for the vehicle, role up.
        clock: time.
        draw: draws random bytes.
        ground: what data of a mask and class rest on that are kept for some purposes: the label of their data
            key, empty for the law; None where they may not be kept. Asked from the thread that commits.
    """

    boot: bytes
    split: Split
    class_of: Callable[[str], DataClass]
    items: ItemKeys
    sign: Callable[[bytes], bytes]
    clock: Clock
    draw: Callable[[int], bytes]
    ground: Ground = by_law


class OpenJournal(Closing):
    """A journal opened for writing, and what is read from it.

    Attributes:
        journal: takes data in.
        keys: its data keys.
        stream: 16 bytes that name its stream.
        predecessor: the stream before it; None where there is none.
        boot: 16 bytes that name the boot in it: the one asked for, or another where that one was over.
        inside: what it was opened with, under that boot.
        grounds: tells what data rest on at this moment.
        files: of its media; None where they stay in their rows.
    """

    def __init__(
        self,
        journal: Journal,
        inside: Inside,
        keys: KeyStore,
        connection: apsw.Connection,
        make_reader: Callable[[], Reader],
        grounds: Callable[[], Grounds],
        stack: ExitStack,
        files: MediaFiles | None = None,
    ) -> None:
        self.journal = journal
        self.files = files
        self.boot = inside.boot
        self.inside = inside
        self.grounds = grounds
        self.keys = keys
        self.stream = journal.stream
        self.predecessor: bytes | None = connection.execute(
            "SELECT predecessor FROM stream WHERE ordinal = 1"
        ).get
        self._connection = connection
        self._positions: Iterator[int] | None = None
        self._make_reader = make_reader
        self._stack = stack

    def reader(self) -> Reader:
        """A reader for one more thread; the caller closes it."""
        return self._make_reader()

    def cursors(self, destination: str) -> list[StreamCursor]:
        """What a destination has been given; to be asked for before anything is committed."""
        return load_cursors(self._connection, destination)

    def messages(self, destination: str, *, oldest_day: int | None = None) -> Sequence[StoredMessage]:
        """Signed messages that a destination has not acknowledged; to be asked for likewise."""
        return load_messages(self._connection, self.keys, destination, oldest_day=oldest_day)

    def gaps(self, destination: str) -> Sequence[tuple[int, int, int, int]]:
        """Numbers that a destination has yet to be told of: ordinal of the stream, first, last, cause."""
        return list(
            self._connection.execute(
                "SELECT stream, first, last, cause FROM gap WHERE destination = ?", (destination,)
            )
        )

    def locked_events(self) -> int:
        """How many events are locked; each has a block for its beginning and one for its end."""
        query = "SELECT count(*) FROM block WHERE stream = 1 AND kind = ? AND locked = 1 AND size > 0"
        return -(-int(self._connection.execute(query, (int(BlockKind.EVENT),)).get or 0) // 2)

    def total(self, hop: str, name: str) -> int:
        """A sum that outlasts runs; 0 where nothing was counted yet."""
        query = "SELECT count FROM total WHERE hop = ? AND name = ?"
        return int(self._connection.execute(query, (hop, name)).get or 0)

    def last_position(self) -> int:
        """The greatest position of any message."""
        return int(self._connection.execute("SELECT max(position) FROM message").get or 0)

    def positions(self) -> Iterator[int]:
        """Positions for new messages of all destinations, each given out once; to be asked for likewise."""
        if self._positions is None:
            self._positions = count(self.last_position() + 1)
        return self._positions

    def close(self) -> None:
        """Commit what waits and let go of everything."""
        self.journal.close()
        self._stack.close()


def open_journal(
    folder: Path | None,
    provider: KeyProvider,
    settings: JournalSettings,
    inside: Inside,
    *,
    vfs: str | None = None,
    predecessor: bytes | None = None,
) -> OpenJournal:
    """Open the journal in `folder`, or make it there.

    Args:
        folder: made if it is not there; None for a journal in memory.
        provider: keeps the wrapping keys.
        settings: the rules in numbers.
        inside: what the journal needs to know of the gateway.
        vfs: name of a registered apsw VFS; None for the system's.
        predecessor: the stream before this one, for a journal that is made.

    Raises:
        JournalError: another process has it open; it is of a newer version; or its keys cannot be had.
        apsw.Error: the disk refuses, or the database is corrupt.
    """
    with ExitStack() as stack:
        path, keys_path = IN_MEMORY, IN_MEMORY
        files = MediaFiles(folder / MEDIA_FOLDER) if folder is not None and vfs is None else None
        if folder is not None:
            if vfs is None:
                folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
                stack.callback(os.close, lock_folder(folder))
            path, keys_path = str(folder / JOURNAL_FILE), str(folder / KEYS_FILE)
        keys = KeyStore(keys_path, provider, inside.draw, vfs=vfs)
        stack.callback(keys.close)
        connection = open_database(path, vfs=vfs)
        stack.callback(connection.close)
        _settle(connection)
        _finish_erasure(connection, keys)
        _tidy(connection, files)
        stream = _own_stream(connection, inside, predecessor)
        inside = replace(inside, boot=_boot(connection, inside))
        drafts = DraftMaker(
            boot=inside.boot,
            split=inside.split,
            class_of=inside.class_of,
            keys=inside.items,
            resolution_ns=settings.resolution_ns,
            ground=inside.ground,
            ended=keys.has_ended,
        )
        journal = Journal(
            connection,
            stream=stream,
            keys=keys,
            drafts=drafts,
            chain=load_chain(connection, stream),
            last_number=int(connection.execute("SELECT last_number FROM stream WHERE ordinal = 1").get or 0),
            checkpoints=Checkpointer(
                settings,
                stream=stream,
                boot=inside.boot,
                sign=inside.sign,
                last=_last_checkpoint(connection),
            ),
            settings=settings,
            clock=inside.clock,
            draw=inside.draw,
            files=files,
        )
        if files is not None:
            journal.chores.append(files.remove_gone)

        def make_reader() -> Reader:
            if path == IN_MEMORY:
                return Reader(connection, keys, inside.items, borrowed=True)
            return Reader(open_to_read(path, vfs=vfs), keys, inside.items, files=files)

        return OpenJournal(
            journal, inside, keys, connection, make_reader, drafts.grounds, stack.pop_all(), files
        )


def _settle(connection: apsw.Connection) -> None:
    """Make sure that what will be read is on the disk.

    After a crash of the process the last transactions may be in the system's cache alone. What is sent on
    their strength must survive a power cut that follows: this commit's sync covers all that came before.
    """
    connection.execute(
        "INSERT INTO total (hop, name, count) VALUES ('journal', 'openings', 1)"
        " ON CONFLICT (hop, name) DO UPDATE SET count = count + 1"
    )


def _finish_erasure(connection: apsw.Connection, keys: KeyStore) -> None:
    """Destroy what an interrupted erasure condemned; where that fails the next opening tries again."""
    try:
        if destroy_condemned(connection, keys):
            logger.warning("an erasure that was interrupted has been finished")
    except JournalError:
        logger.exception("an erasure that was interrupted cannot be finished yet")


def _tidy(connection: apsw.Connection, files: MediaFiles | None) -> None:
    """Remove files of media that a crash has left without a block; what cannot be removed stays for now."""
    if files is not None:
        try:
            files.tidy(connection)
        except (OSError, apsw.Error):
            logger.exception("files of media that no block speaks of cannot be removed yet")


def _own_stream(connection: apsw.Connection, inside: Inside, predecessor: bytes | None) -> bytes:
    for (stream,) in connection.execute("SELECT id FROM stream WHERE ordinal = 1"):
        return bytes(stream)
    drawn = inside.draw(STREAM_BYTES)
    connection.execute("INSERT INTO stream (ordinal, id, predecessor) VALUES (1, ?, ?)", (drawn, predecessor))
    return drawn


def _boot(connection: apsw.Connection, inside: Inside) -> bytes:
    """The boot that blocks will name: times of one boot stand together, so one that was over never returns.

    A gateway may write, then a replay or an erasure, then the gateway again within the same boot of the
    machine; from then on its times count as those of another boot.
    """
    known = dict(connection.execute("SELECT name, count FROM total WHERE hop = 'boot'"))
    latest = max(known.values(), default=0)
    boot = inside.boot
    if known.get(boot.hex(), latest) != latest:
        boot = inside.draw(len(boot))
    connection.execute(
        "INSERT OR REPLACE INTO total (hop, name, count) VALUES ('boot', ?, ?)", (boot.hex(), latest + 1)
    )
    return boot


def _last_checkpoint(connection: apsw.Connection) -> LastCheckpoint:
    for last, signed in connection.execute("SELECT last, signed FROM checkpoint ORDER BY last DESC LIMIT 1"):
        return LastCheckpoint(last, signed_hash(signed))
    return LastCheckpoint()
