"""SQLite's own VFS over real files, made to be full, read-only, slow or gone for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from itertools import count
from pathlib import Path

import apsw

_numbers = count(1)


class Fault(Enum):
    """What is wrong with the disk."""

    NONE = "none"
    FULL = "full"
    READ_ONLY = "read-only"
    GONE = "gone"


class FaultyDisk(apsw.VFS):
    """The default VFS while it is registered; faults concern one folder alone.

    Attributes:
        fault: what is wrong at present.
        left: on a full disk, so many bytes more can files grow.
        on_write: called before each write, to make it slow.
        writes: how many there were.
    """

    def __init__(self, folder: Path) -> None:
        self.base = apsw.vfs_names()[0]
        self.folder = str(folder)
        self.fault = Fault.NONE
        self.left = 0
        self.on_write: Callable[[], None] = lambda: None
        self.writes = 0
        super().__init__(f"faulty-{next(_numbers)}", self.base, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or not path.startswith(self.folder):
            return apsw.VFSFile(self.base, name, flags)
        self.reads()
        return FaultyFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        if filename.startswith(self.folder):
            self.changes(0)
        super().xDelete(filename, syncdir)

    def reads(self) -> None:
        """Fail a read if the disk is gone."""
        if self.fault is Fault.GONE:
            raise apsw.IOError("the disk is gone")

    def changes(self, growth: int) -> None:
        """Fail a change, by what is wrong."""
        self.reads()
        if self.fault is Fault.READ_ONLY:
            raise apsw.ReadOnlyError("the disk is read-only")
        if self.fault is Fault.FULL and growth > 0:
            if growth > self.left:
                raise apsw.FullError("the disk is full")
            self.left -= growth


class FaultyFile(apsw.VFSFile):
    """One open file."""

    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__(disk.base, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        self._disk.reads()
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.writes += 1
        self._disk.on_write()
        self._disk.changes(offset + len(data) - super().xFileSize())
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.changes(0)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.reads()
        super().xSync(flags)


@contextmanager
def faulty(folder: Path) -> Iterator[FaultyDisk]:
    """A disk that can be made to fail, for all databases below `folder`."""
    disk = FaultyDisk(folder)
    try:
        yield disk
    finally:
        disk.unregister()
