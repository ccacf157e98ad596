"""The data keys of the journal, wrapped; to destroy one here erases what was sealed under it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from typing import cast

from edge.errors import JournalError
from edge.journal.keys.key_database import (
    IN_MEMORY,
    DamagedKeyError,
    DamagedKeysError,
    lock,
    open_key_database,
    telling,
    transaction,
)
from edge.journal.keys.key_provider import KeyProvider
from edge.journal.keys.sealing import KEY_BYTES, Draw, drawn
from edge.journal.keys.wrapping import unwrap, wrap
from edge.policy.admission import consents_in

KEY_ID_BYTES = 8
_DAY = re.compile(r"day ([0-9]+)")
_ROWS = (
    "SELECT key_id, data_class, period, purpose, generation, wrapped FROM data_key "
    "ORDER BY period, data_class, key_id"
)
_Use = tuple[str, str, str]
_Row = tuple[bytes, str, str, str, int, bytes]


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that blocks are sealed under.

    Attributes:
        key_id: 8 bytes, drawn; stands in the clear header of each block.
        key: 32 bytes.
    """

    key_id: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """What the store says of a key without giving it away.

    Attributes:
        key_id: 8 bytes.
        data_class: the class of the data under it; empty where they are about nobody.
        period: the time that it serves, such as ``day 20780`` (days since 1970-01-01 UTC).
        purpose: what it is for besides, such as a consent; empty for nothing.
        generation: of the wrapping key that it is wrapped under.
        readable: False where the row is damaged, so that its key cannot be had any more.
    """

    key_id: bytes
    data_class: str
    period: str
    purpose: str
    generation: int
    readable: bool


def day_of(period: str) -> int | None:
    """The UTC day of a period, counted from 1970-01-01; None where the period is no day."""
    match = _DAY.fullmatch(period)
    return int(match[1]) if match else None


class KeyStore:
    """Data keys by class, period and purpose, in a small database of their own.

    Keys that were asked for stay in memory, unwrapped, until they are destroyed. The store may be used from
    several threads, and by several processes: what another process destroyed is no longer handed out.

    **Destroying** takes five steps, each durable before the next: the number of a new wrapping key is noted;
    the provider makes that key; one transaction removes the rows, wraps all others anew and notes the old
    wrapping key as passing; the provider destroys the old one; the note goes. After a crash the next opening,
    or the next destruction, finishes what the notes name.

    **What is read may not be on the disk**: a commit that was interrupted, or whose last sync failed, can be
    seen through the system's cache, and a power cut can still take it back. So before a key that was read is
    handed out for sealing, and before a wrapping key is destroyed because of a note, one small write is
    committed; its syncs cover what was read.

    **Consents that have ended** stay on a list: no key whose purpose names such consents alone is handed out
    for sealing or made any more, also when its rows are long gone.
    """

    def __init__(
        self, path: str, provider: KeyProvider, draw: Draw, *, vfs: str | None = None, read_only: bool = False
    ) -> None:
        """Open the store at `path`, make it where there is none.

        Args:
            path: of the database, or ``:memory:``.
            provider: keeps the wrapping keys.
            draw: where keys, key ids and nonces come from.
            vfs: name of a registered apsw VFS; None for the system's.
            read_only: look at an existing store without making, finishing or changing anything.

        Raises:
            JournalError: the database cannot be opened, is corrupt, or its wrapping key cannot be had.
        """
        self._path = path
        self._provider = provider
        self._draw = draw
        self._read_only = read_only
        self._on_disk = path != IN_MEMORY and vfs is None
        self._guard = RLock()
        self._generation = 0
        self._wrapping_key = b""
        self._entries: dict[bytes, KeyEntry] = {}
        self._keys: dict[bytes, bytes] = {}
        self._in_use: dict[_Use, DataKey] = {}
        self._ended: frozenset[int] = frozenset()
        self._retired: set[bytes] = set()
        self._seen_version = -1
        self._settled = False
        self.trouble: JournalError | None = None
        """Why an erasure that was begun is not finished yet; None where all are."""

        self._connection = open_key_database(path, vfs=vfs, read_only=read_only)
        try:
            self._begin()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the database and forget all keys."""
        with self._guard:
            self._forget()
            self._connection.close()

    @property
    def unfinished(self) -> tuple[int, ...]:
        """Generations of wrapping keys that should be destroyed and are not known to be.

        Raises:
            JournalError: the database cannot be read.
        """
        with self._guard, telling(self._path):
            return tuple(
                row[0] for row in self._connection.execute("SELECT generation FROM passing ORDER BY 1")
            )

    def key_for(self, data_class: str, period: str, purpose: str = "") -> DataKey:
        """The key to seal data of a class, period and purpose under; on the disk before it is handed out.

        Args:
            data_class: empty where the data are about nobody.
            period: any text; the same text means the same key.
            purpose: what the key is for besides.

        Raises:
            JournalError: a new key is needed and cannot be kept, the consents that it would rest on have
                ended, or the database cannot be read.
        """
        with self._guard:
            self._refresh()
            if self.has_ended(purpose):
                raise JournalError(f"nothing may be kept under {purpose} any more", where=self._path)
            use = (data_class, period, purpose)
            if use not in self._in_use:
                if self._read_only:
                    raise JournalError(
                        "a new data key cannot be kept: opened for reading alone", where=self._path
                    )
                self._make_key(use)
            elif not self._read_only:
                self._settle()
            return self._in_use[use]

    def key(self, key_id: bytes) -> bytes | None:
        """The key of that id, 32 bytes; None where it was destroyed or never was here.

        Raises:
            DamagedKeyError: its row is damaged.
            JournalError: the database cannot be read.
        """
        with self._guard:
            self._refresh()
            if key_id in self._keys:
                return self._keys[key_id]
            if key_id in self._entries:
                raise DamagedKeyError(f"the data key {key_id.hex()} is damaged", where=self._path)
            return None

    @property
    def ended(self) -> frozenset[int]:
        """The numbers of the consents that have ended."""
        with self._guard:
            self._refresh()
            return self._ended

    def has_ended(self, purpose: str) -> bool:
        """Whether a key's purpose names consents, and all of them have ended."""
        named = consents_in(purpose)
        return bool(named) and named <= self._ended

    def end(self, consents: Collection[int]) -> None:
        """Never again seal anything under these consents alone; on the disk when this returns.

        Raises:
            JournalError: the list cannot be written.
        """
        with self._guard:
            self._refresh()
            new = frozenset(consents) - self._ended
            if not new:
                self._settle()
                return
            if self._read_only:
                raise JournalError("consents cannot be ended: opened for reading alone", where=self._path)
            with self._writing():
                self._connection.executemany(
                    "INSERT OR IGNORE INTO ended (consent) VALUES (?)", ((one,) for one in new)
                )
            self._ended |= new

    def retire(self, key_ids: Iterable[bytes]) -> None:
        """Hand these keys out for sealing no more, in this process: they are about to be destroyed."""
        with self._guard:
            self._retired.update(key_ids)
            for use, key in tuple(self._in_use.items()):
                if key.key_id in self._retired:
                    del self._in_use[use]

    def listing(self) -> tuple[KeyEntry, ...]:
        """All keys there are, by period and class.

        Raises:
            JournalError: the database cannot be read.
        """
        with self._guard:
            self._refresh()
            return tuple(self._entries.values())

    def destroy(
        self,
        data_class: str,
        *,
        periods: Collection[str] | None = None,
        first_day: int | None = None,
        last_day: int | None = None,
        purpose: str | None = None,
    ) -> tuple[bytes, ...]:
        """Destroy the keys of a class; when this returns, nothing sealed under them opens any more.

        Args:
            data_class: the class.
            periods: these periods alone; None for all that the days allow.
            first_day: days from this one on (1970-01-01 UTC is 0). With a bound, periods that are no day
                stay.
            last_day: days up to this one, included.
            purpose: this purpose alone; None for all.

        Returns:
            The ids of the keys destroyed; empty where none fitted.

        Raises:
            JournalError: keys or the old wrapping key could not be destroyed. `unfinished` tells whether the
                rows are gone already; asking again finishes it.
        """

        def fits(entry: KeyEntry) -> bool:
            return (
                entry.data_class == data_class
                and (purpose is None or entry.purpose == purpose)
                and (periods is None or entry.period in periods)
                and _within(day_of(entry.period), first_day, last_day)
            )

        with self._guard:
            self._refresh()
            return self.destroy_keys(entry.key_id for entry in tuple(self._entries.values()) if fits(entry))

    def destroy_keys(self, key_ids: Iterable[bytes]) -> tuple[bytes, ...]:
        """Destroy keys by their ids, all in one rotation of the wrapping key; see `destroy`.

        Raises:
            JournalError: as `destroy`.
        """
        with self._guard:
            if self._read_only:
                raise JournalError("keys cannot be destroyed: opened for reading alone", where=self._path)
            self._refresh()
            wanted = set(key_ids)
            doomed = tuple(key_id for key_id in self._entries if key_id in wanted)
            with lock(self._path, on_disk=self._on_disk):
                self._finish()
                if doomed:
                    self._rotate(doomed)
            return doomed

    def _begin(self) -> None:
        """Finish what a crash left, make the first wrapping key where there is none, read all rows."""
        if not self._read_only and (self.unfinished or not self._state()[0]):
            try:
                with lock(self._path, on_disk=self._on_disk):
                    self._finish()
                    if not self._state()[0]:
                        self._rotate(())
            except JournalError as error:
                if not self._state()[0]:
                    raise
                self.trouble = error
        self._load()

    def _state(self) -> tuple[int, int, bytes]:
        """Generation in use, highest generation ever, proof of the wrapping key."""
        with telling(self._path):
            for generation, highest, proof in self._connection.execute(
                "SELECT generation, highest, proof FROM state"
            ):
                return generation, highest, proof
        raise DamagedKeysError("the key store has lost its state", where=self._path)

    def _refresh(self) -> None:
        with telling(self._path):
            version = self._connection.pragma("data_version")
        if version != self._seen_version:
            self._settled = False
            self._load()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that writes in any case: with its commit, all that was read is on the disk too."""
        self._settled = False
        with transaction(self._connection, self._path):
            self._connection.execute("UPDATE state SET settled = settled + 1")
            yield
        self._settled = True

    def _settle(self) -> None:
        """Sync what was read: it may come from a commit that did not get through to the disk."""
        if not self._settled:
            with self._writing():
                pass

    def _forget(self) -> None:
        self._seen_version = -1
        self._generation = 0
        self._wrapping_key = b""
        self._entries.clear()
        self._keys.clear()
        self._in_use.clear()

    def _load(self) -> None:
        """Read and unwrap all rows; a damaged one is listed as such and takes no other along."""
        self._forget()
        with telling(self._path):
            self._connection.execute("SAVEPOINT reading")
            try:
                seen_version = self._connection.pragma("data_version")
                generation, _, proof = self._state()
                rows = cast("list[_Row]", self._connection.execute(_ROWS).fetchall())
                ended = frozenset(row[0] for row in self._connection.execute("SELECT consent FROM ended"))
            finally:
                self._connection.execute("RELEASE reading")
        try:
            wrapping_key = self._provider.wrapping_key(generation)
        except JournalError:
            if self._state()[0] == generation:
                raise
            self._load()  # another process has rotated since the rows were read
            return
        try:
            unwrap(wrapping_key, _proof_identity(generation), proof)
        except JournalError as error:
            raise JournalError(
                f"the wrapping key of generation {generation} is not the one of this key store",
                where=self._path,
                todo="Bring back the wrapping key that belongs to it",
            ) from error
        for key_id, data_class, period, purpose, row_generation, wrapped in rows:
            use = (data_class, period, purpose)
            try:
                key = unwrap(wrapping_key, _identity(key_id, use, generation), wrapped)
            except JournalError:
                self._entries[key_id] = KeyEntry(key_id, *use, row_generation, readable=False)
                continue
            self._keep(key_id, use, generation, key)
        self._ended = ended
        self._generation, self._wrapping_key, self._seen_version = generation, wrapping_key, seen_version

    def _keep(self, key_id: bytes, use: _Use, generation: int, key: bytes) -> None:
        self._entries[key_id] = KeyEntry(key_id, *use, generation, readable=True)
        self._keys[key_id] = key
        if key_id not in self._retired:
            self._in_use.setdefault(use, DataKey(key_id, key))

    def _make_key(self, use: _Use) -> None:
        key_id, key = drawn(self._draw, KEY_ID_BYTES), drawn(self._draw, KEY_BYTES)
        with self._writing():
            self._refresh()
            if use in self._in_use:  # another process was faster
                return
            wrapped = wrap(self._wrapping_key, _identity(key_id, use, self._generation), key, self._draw)
            self._connection.execute(
                "INSERT INTO data_key VALUES (?, ?, ?, ?, ?, ?)", (key_id, *use, self._generation, wrapped)
            )
        self._keep(key_id, use, self._generation, key)

    def _rotate(self, doomed: Collection[bytes]) -> None:
        """Remove rows, and wrap all others under a new generation."""
        old, highest, _ = self._state()
        new = self._provider.next_generation(highest)
        with self._writing():
            self._connection.execute("UPDATE state SET highest = ?", (new,))
            self._connection.execute("INSERT INTO passing VALUES (?)", (new,))
        wrapping_key = self._provider.make(new)
        try:
            with self._writing():
                if old:
                    self._refresh()
                self._connection.executemany(
                    "DELETE FROM data_key WHERE key_id = ?", ((key_id,) for key_id in doomed)
                )
                for key_id, key in self._keys.items():
                    entry = self._entries[key_id]
                    identity = _identity(key_id, (entry.data_class, entry.period, entry.purpose), new)
                    self._connection.execute(
                        "UPDATE data_key SET generation = ?, wrapped = ? WHERE key_id = ?",
                        (new, wrap(wrapping_key, identity, key, self._draw), key_id),
                    )
                proof = wrap(wrapping_key, _proof_identity(new), bytes(KEY_BYTES), self._draw)
                self._connection.execute("UPDATE state SET generation = ?, proof = ?", (new, proof))
                self._connection.execute("DELETE FROM passing WHERE generation = ?", (new,))
                if old:
                    self._connection.execute("INSERT INTO passing VALUES (?)", (old,))
        finally:
            self._forget()
        self._pass_away()
        self._load()

    def _finish(self) -> None:
        """Destroy the generations that an interrupted rotation left."""
        if not self.unfinished:
            self.trouble = None
            return
        self._settle()
        self._pass_away()

    def _pass_away(self) -> None:
        for generation in self.unfinished:
            self._provider.destroy(generation)
            with self._writing():
                self._connection.execute("DELETE FROM passing WHERE generation = ?", (generation,))
        self.trouble = None


def _within(day: int | None, first: int | None, last: int | None) -> bool:
    if first is None and last is None:
        return True
    return day is not None and (first is None or first <= day) and (last is None or day <= last)


def _identity(key_id: bytes, use: _Use, generation: int) -> tuple[str | bytes | int, ...]:
    return ("data key", key_id, *use, generation)


def _proof_identity(generation: int) -> tuple[str, int]:
    return ("proof", generation)
