"""Keys that an erasure has condemned: noted in the journal until they and what they sealed are gone."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

import apsw

from edge.clock import NS_PER_S, Clock
from edge.errors import JournalError
from edge.journal.block import read_header
from edge.journal.database import transaction
from edge.journal.keys.key_store import KeyStore

AGAIN_S = 60.0
_EMPTIED_AT_ONCE = 64
_SEEN_AT_ONCE = 1_000
_EMPTY = "UPDATE block SET ciphertext = NULL, size = 0 WHERE number = ?"

logger = logging.getLogger(__name__)


def destroy_condemned(connection: apsw.Connection, keys: KeyStore) -> int:
    """Destroy the keys that erasures noted, and tell how many there were; the notes stay.

    Whether that works or not, nothing more is sealed under them.

    Raises:
        JournalError: they cannot be destroyed.
        apsw.Error: the notes cannot be read.
    """
    noted = _noted(connection)
    if not noted:
        return 0
    keys.retire(noted)
    return len(keys.destroy_keys(noted))


def empty_blocks(connection: apsw.Connection, numbers: Iterable[int]) -> None:
    """Let go of the ciphertext of some blocks, whose key is gone.

    Raises:
        apsw.Error: the disk refuses; nothing was changed.
    """
    with transaction(connection):
        connection.executemany(_EMPTY, ((one,) for one in numbers))


def forget_condemned(connection: apsw.Connection) -> None:
    """Delete the notes: the keys are gone, and what was sealed under them is emptied.

    Raises:
        apsw.Error: the disk refuses.
    """
    connection.execute("DELETE FROM erasing")


class Condemned:
    """Brings erasures to their end between commits: keys that could not be destroyed at once, and blocks.

    A block whose key is gone is empty to everybody; that its ciphertext goes too makes room.

    Args:
        keys: the data keys.
        clock: time.
    """

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._numbers: deque[int] = deque()
        self._search: int | None = 1
        self._due_ns = 0
        self._idle = False

    def empty(self, numbers: Iterable[int]) -> None:
        """Have blocks emptied, whose keys were noted; to be called while nobody commits."""
        self._numbers.extend(numbers)
        self._idle = False

    def step(self, connection: apsw.Connection) -> bool:
        """Do some of what is to be done; see `Journal.chores`. Tells whether there is more.

        Raises:
            apsw.Error: the disk refuses.
        """
        if self._idle or self._clock.boot_ns() < self._due_ns:
            return False
        noted = _noted(connection)
        if not noted:
            self._rest()
            return False
        try:
            destroy_condemned(connection, self._keys)
        except JournalError:
            logger.exception("keys that an erasure has condemned cannot be destroyed yet")
            self._due_ns = self._clock.boot_ns() + round(AGAIN_S * NS_PER_S)
            return False
        if self._numbers:
            some = [self._numbers.popleft() for _ in range(min(_EMPTIED_AT_ONCE, len(self._numbers)))]
            try:
                empty_blocks(connection, some)
            except BaseException:
                self._numbers.extend(some)
                raise
        elif self._search is not None:
            self._look(connection, noted)
        else:
            forget_condemned(connection)
            self._rest()
        return not self._idle

    def _rest(self) -> None:
        self._idle = True
        self._search = None

    def _look(self, connection: apsw.Connection, noted: frozenset[bytes]) -> None:
        """Find what an erasure before this run has left; once."""
        rows: list[tuple[int, bytes]] = list(
            connection.execute(
                "SELECT number, header FROM block WHERE number >= ? AND size > 0 ORDER BY number LIMIT ?",
                (self._search, _SEEN_AT_ONCE),
            )
        )
        self._numbers.extend(number for number, header in rows if _key_of(header) in noted)
        self._search = rows[-1][0] + 1 if rows else None


def _noted(connection: apsw.Connection) -> frozenset[bytes]:
    return frozenset(bytes(key_id) for (key_id,) in connection.execute("SELECT key_id FROM erasing"))


def _key_of(header: bytes) -> bytes:
    try:
        return read_header(header).key_id
    except JournalError:
        return b""
