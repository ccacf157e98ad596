"""`DurableFile`: a few hundred bytes that are replaced whole, and are there after a crash or a power cut."""

from __future__ import annotations

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from edge.errors import UplinkError
from edge.journal.syncing import sync_folder

_LARGEST_BYTES = 65_536
_PRIVATE = 0o600
_DIGEST_CHARACTERS = 32


class FileSystem(ABC):
    """What a durable file needs of a file system. Each raises OSError."""

    @abstractmethod
    def read(self, path: Path, most_bytes: int) -> bytes | None:
        """The content, up to `most_bytes`; None where there is no such file."""

    @abstractmethod
    def write(self, path: Path, content: bytes) -> None:
        """Write a file for its owner alone, in place of what is there, and sync it."""

    @abstractmethod
    def rename(self, path: Path, to: Path) -> None:
        """Move a file in place of another, at once."""

    @abstractmethod
    def sync_folder(self, folder: Path) -> None:
        """Wait until the disk has what was renamed in a folder."""


class SystemFiles(FileSystem):
    """The machine's own."""

    def read(self, path: Path, most_bytes: int) -> bytes | None:
        """See `FileSystem.read`."""
        try:
            with path.open("rb") as file:
                return file.read(most_bytes)
        except FileNotFoundError:
            return None

    def write(self, path: Path, content: bytes) -> None:
        """See `FileSystem.write`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, _PRIVATE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, path: Path, to: Path) -> None:
        """See `FileSystem.rename`."""
        path.rename(to)

    def sync_folder(self, folder: Path) -> None:
        """See `FileSystem.sync_folder`."""
        sync_folder(folder)


class DurableFile:
    """One JSON object, with a digest by which a damaged one is known.

    Args:
        path: of the file; its folder is there.
        files: the file system.
    """

    def __init__(self, path: Path, files: FileSystem | None = None) -> None:
        self.path = path
        self._files = files or SystemFiles()
        self._waiting = path.with_name(f".{path.name}.new")

    def read(self) -> Mapping[str, object] | None:
        """What was written last; None where nothing was.

        Raises:
            UplinkError: it cannot be read, or is damaged.
        """
        try:
            content = self._files.read(self.path, _LARGEST_BYTES + 1)
        except OSError as error:
            raise UplinkError(f"cannot be read: {error.strerror}", where=str(self.path)) from error
        if content is None:
            return None
        digest, _, text = content.partition(b"\n")
        if len(content) > _LARGEST_BYTES or digest != _digest(text):
            raise UplinkError(
                "is damaged", where=str(self.path), todo="Remove it if nobody knows what was changed"
            )
        try:
            said: object = json.loads(text)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise UplinkError("does not hold what belongs there", where=str(self.path))
        return said

    def write(self, said: Mapping[str, object]) -> None:
        """Put `said` in place of what is there; it is on the disk when this returns.

        Where it fails on the way, what was there before is brought back if the disk lets it; `read` tells.

        Raises:
            UplinkError: it cannot be written, or is more than `read` takes.
        """
        text = json.dumps(said, sort_keys=True, indent=1).encode() + b"\n"
        content = _digest(text) + b"\n" + text
        if len(content) > _LARGEST_BYTES:
            raise UplinkError(f"holds at most {_LARGEST_BYTES:,} bytes", where=str(self.path))
        before: bytes | None = None
        try:
            before = self._files.read(self.path, _LARGEST_BYTES + 1)
            self._replace(content)
        except OSError as error:
            self._bring_back(before)
            raise UplinkError(f"cannot be written: {error.strerror}", where=str(self.path)) from error

    def _replace(self, content: bytes) -> None:
        self._files.write(self._waiting, content)
        self._files.rename(self._waiting, self.path)
        self._files.sync_folder(self.path.parent)

    def _bring_back(self, before: bytes | None) -> None:
        """Undo a rename whose folder could not be synced."""
        if before is None:
            return
        try:
            if self._files.read(self.path, _LARGEST_BYTES + 1) != before:
                self._replace(before)
        except OSError:
            return


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_DIGEST_CHARACTERS].encode()
