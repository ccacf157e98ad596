"""A small store of two databases that claims what a journal does: it tests the rigs and SQLite's settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from random import Random

import apsw

from tests.power.claims import FORGOTTEN, Announce, Claim, Reading, Unreadable
from tests.power.platter import drawn

KEY_EVERY = 6
ERASE_EVERY = 14
FORGET_EVERY = 16
FORGET_MANY = 5


@dataclass(frozen=True, slots=True)
class StandIn:
    """Chained blocks in one database, their keys in another; old blocks are deleted, old keys destroyed.

    Attributes:
        commits: how many a run makes.
        keys_journal: the journal mode of the key database.
        keys_synchronous: its ``synchronous``.
        checkpoint_pages: how many pages the WAL holds before it is checkpointed.
        largest_bytes: size of the largest block.
        seed: draws the sizes and the bytes.
    """

    commits: int = 40
    keys_journal: str = "wal"
    keys_synchronous: str = "full"
    checkpoint_pages: int = 16
    largest_bytes: int = 6000
    seed: int = 0

    @property
    def name(self) -> str:
        return f"stand-in, keys {self.keys_journal}/{self.keys_synchronous}"

    def run(self, folder: Path, announce: Announce) -> None:
        keys, blocks = self._open(folder)
        random = drawn(self.seed)
        for at in range(self.commits):
            if at % KEY_EVERY == 0:
                add_key(keys, random, announce)
            if at % ERASE_EVERY == ERASE_EVERY - 1:
                erase_key(keys, announce)
            if at % FORGET_EVERY == FORGET_EVERY - 1:
                forget(blocks, announce)
            add_blocks(
                blocks, keys, [random.randbytes(self._size(random)) for _ in range(at % 3 + 1)], announce
            )
        blocks.close()
        keys.close()

    def read(self, folder: Path) -> Reading:
        try:
            keys, blocks = self._open(folder)
            for database in (keys, blocks):
                said = database.pragma("integrity_check")
                if said != "ok":
                    raise Unreadable(f"integrity check: {said}")
            known = list(keys.execute("SELECT number, digest, key IS NULL FROM key ORDER BY number"))
            held = list(
                blocks.execute("SELECT number, digest, key, previous, content FROM block ORDER BY number")
            )
            blocks.close()
            keys.close()
        except apsw.Error as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error
        numbers = {number for number, _, _ in known}
        for number, digest, key, previous, content in held:
            if key not in numbers:
                raise Unreadable(f"block {number} is sealed under key {key}, which is not there")
            if digest != linked(previous, content):
                raise Unreadable(f"block {number} does not fit its digest")
        erased = [(number, str(number)) for number, _, gone in known if gone]
        return {
            "block": [(number, digest) for number, digest, *_ in held],
            "key": [(number, digest) for number, digest, _ in known],
            "erased": erased,
        }

    def _open(self, folder: Path) -> tuple[apsw.Connection, apsw.Connection]:
        keys = apsw.Connection(str(folder / "keys.db"))
        keys.pragma("journal_mode", self.keys_journal)
        keys.pragma("synchronous", self.keys_synchronous)
        keys.pragma("secure_delete", "on")
        keys.execute(
            "CREATE TABLE IF NOT EXISTS key"
            "(number INTEGER PRIMARY KEY, digest TEXT NOT NULL, key BLOB) STRICT"
        )
        blocks = apsw.Connection(str(folder / "blocks.db"))
        blocks.pragma("journal_mode", "wal")
        blocks.pragma("synchronous", "full")
        blocks.pragma("wal_autocheckpoint", self.checkpoint_pages)
        blocks.execute(
            "CREATE TABLE IF NOT EXISTS block(number INTEGER PRIMARY KEY, key INTEGER NOT NULL,"
            " previous TEXT NOT NULL, digest TEXT NOT NULL, content BLOB NOT NULL) STRICT"
        )
        return keys, blocks

    def _size(self, random: Random) -> int:
        return random.choice((random.randint(1, 300), random.randint(1, self.largest_bytes)))


def linked(previous: str, content: bytes) -> str:
    """Return the digest of a block that follows `previous`."""
    return hashlib.sha256(previous.encode() + content).hexdigest()[:16]


def add_key(keys: apsw.Connection, random: Random, announce: Announce) -> None:
    """Commit a new key."""
    key = random.randbytes(32)
    digest = hashlib.sha256(key).hexdigest()[:16]
    with keys:
        keys.execute("INSERT INTO key(digest, key) VALUES (?, ?)", (digest, key))
    announce(Claim("key", keys.last_insert_rowid(), digest))


def erase_key(keys: apsw.Connection, announce: Announce) -> None:
    """Destroy the oldest key that is left."""
    number = keys.execute("SELECT min(number) FROM key WHERE key IS NOT NULL").get
    with keys:
        keys.execute("UPDATE key SET key = NULL WHERE number = ?", (number,))
    announce(Claim("erased", number, str(number)))


def forget(blocks: apsw.Connection, announce: Announce) -> None:
    """Delete the oldest blocks."""
    last = blocks.execute("SELECT min(number) FROM block").get + FORGET_MANY - 1
    announce(Claim("block", last, FORGOTTEN))
    with blocks:
        blocks.execute("DELETE FROM block WHERE number <= ?", (last,))


def add_blocks(
    blocks: apsw.Connection, keys: apsw.Connection, contents: list[bytes], announce: Announce
) -> None:
    """Commit blocks in one transaction, chained to the one before."""
    key = keys.execute("SELECT max(number) FROM key").get
    made: list[Claim] = []
    with blocks:
        previous = blocks.execute("SELECT digest FROM block ORDER BY number DESC LIMIT 1").get or ""
        for content in contents:
            digest = linked(previous, content)
            blocks.execute(
                "INSERT INTO block(key, previous, digest, content) VALUES (?, ?, ?, ?)",
                (key, previous, digest, content),
            )
            made.append(Claim("block", blocks.last_insert_rowid(), digest))
            previous = digest
    for claim in made:
        announce(claim)
