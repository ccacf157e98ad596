"""One small secret file for each generation of a wrapping key: private, synced, overwritten at its end."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import JournalError
from edge.journal.syncing import sync_folder

_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_LARGEST_BYTES = 16_384
_NAME = re.compile(r"wrapping-([1-9][0-9]{0,17})\.key")
_WAITING = re.compile(r"\.wrapping-[1-9][0-9]{0,17}\.key\.new")


class GenerationFiles:
    """The files ``wrapping-N.key`` of one folder.

    Attributes:
        folder: where they lie; made with mode 0700 at the first write if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, generation: int) -> Path:
        """Where a generation's file lies, or would."""
        return self.folder / f"wrapping-{generation}.key"

    def generations(self) -> tuple[int, ...]:
        """Numbers of the files that are there, rising.

        Raises:
            JournalError: the folder cannot be listed.
        """
        with _telling(self.folder):
            if not self.folder.exists():
                return ()
            matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
            return tuple(sorted(int(match[1]) for match in matches if match))

    def read(self, generation: int) -> bytes:
        """The content of a generation's file.

        Raises:
            JournalError: it is not there, is not the process's own, or others can read or write it.
        """
        path = self.path(generation)
        with _telling(path):
            self._check_folder()
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                check_private(os.fstat(descriptor), path)
                content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise JournalError("too large for a wrapping key", where=str(path))
        return content

    def write(self, generation: int, content: bytes) -> None:
        """Write a generation's file; it is on the disk, under its name and whole, when this returns.

        Raises:
            JournalError: the file is there already, or cannot be written.
        """
        path = self.path(generation)
        waiting = path.with_name(f".{path.name}.new")
        with _telling(path):
            above = [path.parent for path in (self.folder, *self.folder.parents) if not path.exists()]
            self.folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._check_folder()
            self._clear_unfinished()
            if os.path.lexists(path):
                raise JournalError("the wrapping key exists already", where=str(path))
            descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(descriptor)
                waiting.rename(path)
            except OSError:
                waiting.unlink(missing_ok=True)
                raise
            for folder in dict.fromkeys((self.folder, self.folder.parent, *above)):
                sync_folder(folder)

    def destroy(self, generation: int) -> None:
        """Overwrite a generation's file with zeros, sync, remove it, sync; no complaint where there is none.

        On flash the zeros go to another place than the key, see `FileKeyProvider`.

        Raises:
            JournalError: it could not be overwritten or removed.
        """
        path = self.path(generation)
        with _telling(path):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                if self.folder.exists():
                    sync_folder(self.folder)
                return
            with os.fdopen(descriptor, "wb") as file:
                file.write(bytes(os.fstat(descriptor).st_size))
                file.flush()
                os.fsync(descriptor)
            path.unlink()
            sync_folder(self.folder)

    def _clear_unfinished(self) -> None:
        """Remove what a power cut left of a file that never got its name: its key has wrapped nothing."""
        for path in tuple(self.folder.iterdir()):
            if _WAITING.fullmatch(path.name):
                path.unlink()

    def _check_folder(self) -> None:
        """Who may write the folder could put a key of their own into it.

        Raises:
            JournalError: others may.
        """
        status = self.folder.stat()
        _check_owner(status, self.folder)
        if status.st_mode & _WRITABLE_BY_OTHERS:
            raise JournalError(
                f"its wrapping keys could be replaced by others (mode {stat.S_IMODE(status.st_mode):04o})",
                where=str(self.folder),
                todo=f"Run 'chmod 700 {self.folder}'",
            )


def check_private(status: os.stat_result, path: Path) -> None:
    """See that a file belongs to the process's user, who alone may read and write it.

    Raises:
        JournalError: it is another's, or open to others.
    """
    _check_owner(status, path)
    if status.st_mode & _OPEN_TO_OTHERS:
        raise JournalError(
            f"the wrapping key can be read or written by others (mode {stat.S_IMODE(status.st_mode):04o})",
            where=str(path),
            todo=f"Run 'chmod 600 {path}', and erase with rotation if others may have read it",
        )


def _check_owner(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.geteuid():
        raise JournalError(
            f"belongs to user {status.st_uid}, and this process runs as user {os.geteuid()}",
            where=str(path),
            todo=f"Run this as that user, or run 'chown {os.geteuid()} {path}'",
        )


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise JournalError(
            "there is no such wrapping key", where=str(path), todo="Bring the folder of wrapping keys back"
        ) from error
    except OSError as error:
        raise JournalError(
            f"the wrapping key cannot be read, written or destroyed: {error.strerror}", where=str(path)
        ) from error
