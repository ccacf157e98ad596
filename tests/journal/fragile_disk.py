"""A disk in memory under SQLite whose power fails, or that refuses, at a chosen operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from random import Random

import apsw

from edge.errors import JournalError
from edge.journal.keys.key_provider import MemoryKeyProvider
from edge.journal.keys.sealing import Draw


class Refused(apsw.IOError):
    """The disk did not do what was asked of it."""


class Survivor(Enum):
    """What of the writes since a file's last sync is there after the failure."""

    ALL = "all: the process was killed, the system lived"
    NONE = "none: the power was cut before anything was written"
    SOME = "some: the power was cut amid writing, in any order"


@dataclass(slots=True)
class _File:
    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def apply(self, place: int, content: bytes | None) -> None:
        if content is None:
            del self.now[place:]
            self.now.extend(bytes(place - len(self.now)))
            return
        self.now.extend(bytes(max(0, place - len(self.now))))
        self.now[place : place + len(content)] = content


class FragileDisk:
    """Files by name, what of them is synced, and when the disk fails.

    Attributes:
        operations: how many were asked for so far.
        fails_at: the operation before which it fails; 0 for never.
        comes_back: whether it fails once only, as a full disk may, or is dead from then on.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations = 0
        self.fails_at = 0
        self.comes_back = False
        self._dead = False
        self._files: dict[str, _File] = {}
        self._unsynced_names: dict[str, _File | None] = {}
        self._vfs = _Vfs(self)

    def tick(self) -> None:
        """Count an operation that changes something.

        Raises:
            Refused: it is the one at which the disk fails, or the disk is dead.
        """
        self.operations += 1
        if self.operations == self.fails_at:
            self._dead = not self.comes_back
            raise Refused(f"operation {self.operations}")
        self.check()

    def check(self) -> None:
        """See whether the disk lives.

        Raises:
            Refused: it is dead.
        """
        if self._dead:
            raise Refused("dead")

    def snapshot(self) -> dict[str, bytes]:
        """The files as a process sees them."""
        return {name: bytes(file.now) for name, file in self._files.items()}

    def restore(self, files: dict[str, bytes]) -> None:
        """Begin with these files, all synced, counting from 0, never failing."""
        self._files = {name: _File(bytearray(content), content) for name, content in files.items()}
        self._unsynced_names.clear()
        self.operations = self.fails_at = 0
        self._dead = False

    def memory(self) -> Callable[[], None]:
        """Remember all, what is not synced included; the answer brings it back."""
        files, names = deepcopy((self._files, self._unsynced_names))

        def bring_back() -> None:
            self._files, self._unsynced_names = deepcopy((files, names))
            self.operations = self.fails_at = 0
            self._dead = False

        return bring_back

    def restart(self, survivor: Survivor, chance: Random) -> None:
        """Begin again with what survives; after a killed process everything unsynced is still to be lost."""
        self.operations = self.fails_at = 0
        self._dead = False
        if survivor is Survivor.ALL:
            return

        def survives() -> bool:
            return survivor is Survivor.SOME and chance.random() < 1 / 2

        for name, before in self._unsynced_names.items():
            if not survives():
                if before is None:
                    self._files.pop(name, None)
                else:
                    self._files[name] = before
        for file in self._files.values():
            file.now = bytearray(file.synced)
            for place, content in file.pending:
                if survives():
                    file.apply(place, content)
            file.synced = bytes(file.now)
            file.pending.clear()
        self._unsynced_names.clear()

    def exists(self, name: str) -> bool:
        return name in self._files

    def open(self, name: str) -> _File:
        if name not in self._files:
            self._unsynced_names.setdefault(name, None)
            self._files[name] = _File()
        return self._files[name]

    def delete(self, name: str, *, synced: bool) -> None:
        self.tick()
        if name not in self._files:
            return
        gone = self._files.pop(name)
        if synced:
            self._unsynced_names.pop(name, None)
        else:
            self._unsynced_names.setdefault(name, gone)

    def sync(self, name: str, file: _File) -> None:
        self.tick()
        file.synced = bytes(file.now)
        file.pending.clear()
        self._unsynced_names.pop(name, None)

    def change(self, file: _File, place: int, content: bytes | None) -> None:
        self.tick()
        file.pending.append((place, content))
        file.apply(place, content)


class _Vfs(apsw.VFS):
    def __init__(self, disk: FragileDisk) -> None:
        self._disk = disk
        super().__init__(disk.name, base="")

    def xFullPathname(self, name: str) -> str:  # noqa: N802 - SQLite's name
        return name

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802, ARG002 - SQLite's name and arguments
        return self._disk.exists(pathname)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        self._disk.delete(filename, synced=syncdir)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        self._disk.check()
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        flags[1] = flags[0]
        return _Opened(self._disk, path)  # type: ignore[return-value]  # apsw takes whatever has the methods


class _Opened:
    """An open file; no locks, since one connection alone is open at a time."""

    def __init__(self, disk: FragileDisk, name: str) -> None:
        self._disk = disk
        self._name = name
        self._file = disk.open(name)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        self._disk.check()
        return bytes(self._file.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.change(self._file, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.change(self._file, newsize, None)

    def xSync(self, flags: int) -> None:  # noqa: N802, ARG002 - SQLite's name and arguments
        self._disk.sync(self._name, self._file)

    def xFileSize(self) -> int:  # noqa: N802 - SQLite's name
        return len(self._file.now)

    def xLock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        pass

    def xUnlock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        pass

    def xCheckReservedLock(self) -> bool:  # noqa: N802 - SQLite's name
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: N802, ARG002 - SQLite's name and arguments
        return False

    def xSectorSize(self) -> int:  # noqa: N802 - SQLite's name
        return 512

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 - SQLite's name
        return 0

    def xClose(self) -> None:  # noqa: N802 - SQLite's name
        pass


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise JournalError("the disk of the wrapping keys refuses") from error


class FragileProvider(MemoryKeyProvider):
    """Wrapping keys that are durable at once, on the disk that fails before or after each change."""

    def __init__(self, disk: FragileDisk, draw: Draw) -> None:
        super().__init__(draw)
        self._disk = disk

    def snapshot(self) -> dict[int, bytes]:
        return dict(self._keys)

    def restore(self, keys: dict[int, bytes]) -> None:
        self._keys = dict(keys)

    def make(self, generation: int) -> bytes:
        with _told():
            self._disk.tick()
            key = super().make(generation)
            self._disk.tick()
            return key

    def destroy(self, generation: int) -> None:
        with _told():
            self._disk.tick()
            super().destroy(generation)
            self._disk.tick()
