"""`Reserve`: a file that is deleted when the disk is full, so that there is room to make room."""

from __future__ import annotations

import os
from pathlib import Path

_PRIVATE = 0o600


class Reserve:
    """Room on the disk that belongs to nobody yet.

    Args:
        path: of the file.
        size_bytes: of the room; 0 for none.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    def keep(self, free_bytes: int) -> None:
        """Take the room if it is not taken and twice as much is free; what cannot be had is done without."""
        if not self._size_bytes or free_bytes < 2 * self._size_bytes or self._path.exists():
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)

    def give(self) -> bool:
        """Let go of the room; tell whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
