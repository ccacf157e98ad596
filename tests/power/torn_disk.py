"""A disk that can lose power: records what SQLite does through a VFS, says what any cut would have left."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from unittest.mock import patch

import apsw

from tests.power.claims import Announce, Claim
from tests.power.platter import Change, Cut, Platter, Truncate, Write


class SyncKind(StrEnum):
    """What a sync covers."""

    DATABASE = "database"
    WAL = "WAL"
    JOURNAL = "rollback journal"
    FILE = "file"
    FOLDER = "folder"


@dataclass(frozen=True, slots=True)
class Changed:
    """A write or truncation of a file.

    Attributes:
        file: the number of the file, which lives on under another name, or none.
        change: what.
    """

    file: int
    change: Change


@dataclass(frozen=True, slots=True)
class Named:
    """A folder's entry made, replaced or taken away.

    Attributes:
        name: path below the recorded folder.
        file: the number of the file it leads to; None where the entry is gone.
    """

    name: str
    file: int | None


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync that has returned.

    Attributes:
        kind: of what.
        name: path below the recorded folder; of a folder, its own path.
        file: the number of the file; None for a folder.
    """

    kind: SyncKind
    name: str
    file: int | None


Event = Changed | Named | Synced | Claim


@dataclass(slots=True)
class Recording:
    """All that happened on the disk, in order.

    Attributes:
        events: writes, truncations, entries, syncs and claims.
        before: the files that were there at the start, durable, by name.
        standing: how many of the events are claims that held before anything was done.
    """

    events: list[Event] = field(default_factory=list)
    before: dict[str, bytes] = field(default_factory=dict)
    standing: int = 0

    def claims(self, end: int | None = None) -> list[Claim]:
        """Return what had been announced before event `end`, by default at the end."""
        return [event for event in self.events[:end] if isinstance(event, Claim)]

    def syncs(self) -> list[int]:
        """Return the positions of all syncs."""
        return [at for at, event in enumerate(self.events) if isinstance(event, Synced)]


class Disk:
    """The durable and the pending state of a folder's files and entries.

    An entry becomes durable when its folder is synced, and only then: a file system may do more, POSIX does
    not ask for more. Entries of one name keep their order; those of different names need not.
    """

    def __init__(self, before: Mapping[str, bytes]) -> None:
        self._files: defaultdict[int, Platter] = defaultdict(Platter)
        self._durable: dict[str, int] = {}
        self._pending: list[Named] = []
        for number, (name, content) in enumerate(before.items()):
            self._files[number] = Platter(content)
            self._durable[name] = number

    def take(self, event: Event) -> None:
        """Let one event happen."""
        if isinstance(event, Changed):
            self._files[event.file].change(event.change)
        elif isinstance(event, Named):
            self._pending.append(event)
        elif isinstance(event, Synced) and event.file is not None:
            self._files[event.file].sync()
        elif isinstance(event, Synced):
            self._sync_folder(event.name)

    def after(self, cut: Cut, random: Random) -> dict[str, bytes]:
        """Say which files are there, with which bytes, when the power comes back."""
        names = dict(self._durable)
        by_name: defaultdict[str, list[Named]] = defaultdict(list)
        for entry in self._pending:
            by_name[entry.name].append(entry)
        for entries in by_name.values():
            reached = {Cut.NOTHING: 0, Cut.EVERYTHING: len(entries)}.get(cut)
            if reached is None:
                reached = random.choice((0, len(entries), random.randint(0, len(entries))))
            for entry in entries[:reached]:
                settle(names, entry)
        return {name: self._files[number].after(cut, random) for name, number in sorted(names.items())}

    def _sync_folder(self, folder: str) -> None:
        for entry in self._pending:
            if folder_of(entry.name) == folder:
                settle(self._durable, entry)
        self._pending = [entry for entry in self._pending if folder_of(entry.name) != folder]


def settle(names: dict[str, int], entry: Named) -> None:
    """Make an entry in a table of names."""
    if entry.file is None:
        names.pop(entry.name, None)
    else:
        names[entry.name] = entry.file


def folder_of(name: str) -> str:
    """Return the folder that holds the entry `name`."""
    return str(Path(name).parent)


class Recorder(apsw.VFS):
    """A VFS that works on real files below one folder and writes down all that matters to a power cut.

    It stands on SQLite's own VFS, shared memory included, so readers and a writer work as they do without it.
    Nothing is synced really: the kernel's cache plays the disk, the recording says what was asked of it. What
    SQLite's own VFS does on the side is written down too: the first sync of a new WAL or rollback journal
    syncs its folder, and so does a deletion that asks for it.

    Files below the folder that are not SQLite's are looked at whenever the process syncs one of them or a
    folder, and at each claim: what changed since the last look counts as written then, in one piece.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.recording = Recording()
        self.base = apsw.vfs_names()[0]
        self._folder = folder.resolve()
        self._lock = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._foreign: dict[str, tuple[int, bytes]] = {}
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            entry = path.relative_to(self._folder).as_posix()
            if not entry.endswith("-shm"):
                self._numbers[entry] = len(self._numbers)
                self.recording.before[entry] = path.read_bytes()
                self._foreign[entry] = path.stat().st_ino, self.recording.before[entry]
        self._next = len(self._numbers)
        super().__init__(name, self.base, makedefault=True)

    def announce(self, claim: Claim) -> None:
        """Write down what the store claims at this moment."""
        with self._lock:
            self.look()
            self.recording.events.append(claim)

    def take(self, event: Event) -> None:
        """Write an event down."""
        with self._lock:
            self.recording.events.append(event)

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        entry = self._entry(path)
        if path is None or entry is None:
            return apsw.VFSFile(self.base, name, flags)
        with self._lock:
            opened = RecordedFile(self, entry, name, flags)
            self._foreign.pop(entry, None)
            if entry not in self._numbers:
                self._named(entry)
            opened.number = self._numbers[entry]
            return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        entry = self._entry(filename)
        with self._lock:
            super().xDelete(filename, syncdir)
            if entry is not None:
                self._foreign.pop(entry, None)
                self._numbers.pop(entry, None)
                self.take(Named(entry, None))
                if syncdir:
                    self.take(Synced(SyncKind.FOLDER, folder_of(entry), None))

    def synced(self, descriptor: int) -> None:
        """Note a sync of a folder, or of a file that is not SQLite's; look what became of such files."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(self._folder):
            return
        entry = path.relative_to(self._folder).as_posix()
        with self._lock:
            self.look()
            if path.is_dir():
                self.take(Synced(SyncKind.FOLDER, entry, None))
            elif entry in self._numbers:
                self.take(Synced(SyncKind.FILE, entry, self._numbers[entry]))

    def look(self) -> None:
        """Write down what changed of the files that are not SQLite's."""
        found = {}
        for path in sorted(self._folder.rglob("*")):
            entry = path.relative_to(self._folder).as_posix()
            if (
                path.is_file()
                and not entry.endswith("-shm")
                and (entry in self._foreign or entry not in self._numbers)
            ):
                found[entry] = path.stat().st_ino, path.read_bytes()
        inodes = {inode: (self._numbers[entry], content) for entry, (inode, content) in self._foreign.items()}
        for entry in [entry for entry in self._foreign if entry not in found]:
            self._numbers.pop(entry)
            self.take(Named(entry, None))
        for entry, (inode, content) in found.items():
            number, before = inodes.get(inode, (None, b""))
            if self._numbers.get(entry) != number or number is None:
                number = self._named(entry, number)
            if content != before:
                self.take(Changed(number, Truncate(len(content))))
                self.take(Changed(number, Write(0, content)))
        self._foreign = found

    def _named(self, entry: str, number: int | None = None) -> int:
        if number is None:
            number, self._next = self._next, self._next + 1
        self._numbers[entry] = number
        self.take(Named(entry, number))
        return number

    def _entry(self, path: str | None) -> str | None:
        if path is None or not Path(path).is_relative_to(self._folder):
            return None
        return Path(path).relative_to(self._folder).as_posix()


class RecordedFile(apsw.VFSFile):
    """One open file of a recorder."""

    def __init__(
        self, recorder: Recorder, entry: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self.number = 0
        self._recorder = recorder
        self._entry = entry
        self._kind = SyncKind.DATABASE
        if flags[0] & apsw.SQLITE_OPEN_WAL:
            self._kind = SyncKind.WAL
        elif flags[0] & (apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL):
            self._kind = SyncKind.JOURNAL
        self._syncs_folder = self._kind is not SyncKind.DATABASE and bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
        super().__init__(recorder.base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        super().xWrite(data, offset)
        self._recorder.take(Changed(self.number, Write(offset, bytes(data))))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        super().xTruncate(newsize)
        self._recorder.take(Changed(self.number, Truncate(newsize)))

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 - SQLite's names; every sync is a full one here
        self._recorder.take(Synced(self._kind, self._entry, self.number))
        if self._syncs_folder:
            self._syncs_folder = False
            self._recorder.take(Synced(SyncKind.FOLDER, folder_of(self._entry), None))


@contextlib.contextmanager
def recorded(folder: Path) -> Iterator[Recorder]:
    """Record all that happens to databases below `folder`, by whichever code: the VFS is the default."""
    recorder = Recorder(f"torn-{os.getpid()}-{id(folder)}", folder)
    try:
        with patch("os.fsync", recorder.synced), patch("os.fdatasync", recorder.synced):
            yield recorder
    finally:
        recorder.unregister()


def record(run: Callable[[Path, Announce], None], folder: Path) -> Recording:
    """Run a store in `folder` and return all that it did to the disk."""
    with recorded(folder) as recorder:
        run(folder, recorder.announce)
    return recorder.recording


def laid_out(files: Mapping[str, bytes], folder: Path) -> None:
    """Put the files that a cut left into an empty folder, private to their owner as key files want to be."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(content)
