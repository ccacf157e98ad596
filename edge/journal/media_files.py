"""`MediaFiles`: sealed stills and clips as files beside the database, each named by its hash."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw

from edge.journal.block import HASH_BYTES, BlockKind
from edge.journal.database import transaction
from edge.journal.syncing import sync_folder

MEDIA_FOLDER = "media"
IN_ROW_BYTES = 4_096
"""A ciphertext of no more stays in its row: a file would take a page of the disk and a name besides."""

_PART = ".part"
_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700
_AT_ONCE = 64
_OUTSIDE = (
    "SELECT ciphertext_hash FROM block WHERE stream = 1 AND kind = ? AND size > 0 AND ciphertext IS NULL"
)

logger = logging.getLogger(__name__)


class MediaFiles:
    """The folder of one journal's media.

    A file is on the disk, its name too, before the row that speaks of it is committed; it is removed only
    after the row was emptied. So a crash may leave a file without a row, which the next opening removes, and
    never a row without its file.

    Args:
        folder: made when the first file is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, digest: bytes, ciphertext: bytes) -> None:
        """Put a ciphertext on the disk; it is there when this returns.

        Raises:
            OSError: the disk refuses; nothing of it is left.
        """
        if not self.folder.is_dir():
            self.folder.mkdir(mode=_PRIVATE_FOLDER)
            sync_folder(self.folder.parent)
        path = self._path(digest)
        part = path.with_suffix(_PART)
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(ciphertext)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            sync_folder(self.folder)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
                path.unlink(missing_ok=True)
            raise

    def read(self, digest: bytes) -> bytes | None:
        """A ciphertext as it is on the disk, not compared with its hash; None where there is no such file."""
        try:
            return self._path(digest).read_bytes()
        except OSError:
            return None

    def wrong(self, digest: bytes, size: int) -> str:
        """What is wrong with the file of a block, in words; empty for nothing."""
        try:
            with self._path(digest).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").digest()
                length = file.tell()
        except FileNotFoundError:
            return "its file is missing"
        except OSError as error:
            return f"its file cannot be read ({error.strerror})"
        return "" if (found, length) == (digest, size) else "its file was changed"

    def remove(self, digest: bytes) -> None:
        """Remove a file, if it is there.

        Raises:
            OSError: the disk refuses.
        """
        self._path(digest).unlink(missing_ok=True)

    def remove_gone(self, connection: apsw.Connection) -> bool:
        """Remove some files whose blocks were emptied; tell whether there is more to do.

        Raises:
            apsw.Error: the disk refuses.
            OSError: likewise.
        """
        query = "SELECT hash FROM media_gone LIMIT ?"
        gone = [bytes(digest) for (digest,) in connection.execute(query, (_AT_ONCE,))]
        for digest in gone:
            self.remove(digest)
        if gone:
            with transaction(connection):
                connection.executemany("DELETE FROM media_gone WHERE hash = ?", ((one,) for one in gone))
        return len(gone) == _AT_ONCE

    def tidy(self, connection: apsw.Connection) -> None:
        """Remove all files that no block speaks of, and say which blocks have lost theirs.

        To be called while nobody commits.

        Raises:
            apsw.Error: the journal cannot be read or written.
            OSError: the folder cannot be read, or a file not be removed.
        """
        wanted = {bytes(digest) for (digest,) in connection.execute(_OUTSIDE, (int(BlockKind.MEDIA),))}
        found: set[bytes] = set()
        for path, digest in self._files():
            if digest in wanted:
                found.add(digest)
            else:
                path.unlink(missing_ok=True)
        connection.execute("DELETE FROM media_gone")
        if missing := len(wanted - found):
            logger.error("%d stills or clips of the journal have lost their files", missing)

    def _files(self) -> Iterator[tuple[Path, bytes]]:
        """Every file with the hash that its name says, empty for one that is no such name."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            try:
                digest = bytes.fromhex(path.name)
            except ValueError:
                digest = b""
            yield path, digest if len(digest) == HASH_BYTES else b""

    def _path(self, digest: bytes) -> Path:
        return self.folder / digest.hex()
