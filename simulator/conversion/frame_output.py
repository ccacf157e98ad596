"""`FrameOutput`: messages as lines of hex or as bare frames, into a file or to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from edge.closing import Closing
from edge.errors import ConfigError
from edge.wire.gbt.message import Message


class OutputFormat(StrEnum):
    """How messages are written; 'nevgate gbt decode' reads both."""

    HEX = "hex"
    """A line of hex each."""

    FRAMES = "frames"
    """The bytes one behind the other."""


class FrameOutput(Closing):
    """Writes messages.

    Args:
        path: the file; None for standard output.
        form: how.
        append: whether to go on behind what a file holds; else a file that is there is refused.
        force: whether to replace it instead.

    Raises:
        ConfigError: the file cannot be written, here and in every method.
    """

    def __init__(
        self, path: Path | None, form: OutputFormat, *, append: bool = False, force: bool = False
    ) -> None:
        self._form = form
        self._path = path
        self.bytes = 0
        if path is None:
            self._file: BinaryIO = sys.stdout.buffer
            return
        mode = "ab" if append else "wb" if force else "xb"
        try:
            self._file = path.open(mode)  # type: ignore[assignment] # a mode in a variable has no type of its own
        except FileExistsError as error:
            raise ConfigError(
                "is there already", where=str(path), todo="Give --force to replace it"
            ) from error
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error

    def write(self, messages: Iterable[Message]) -> None:
        """Write messages, in order."""
        for message in messages:
            data = message.write()
            self.bytes += len(data)
            self._put(data if self._form is OutputFormat.FRAMES else data.hex().encode() + b"\n")

    def commit(self) -> None:
        """Have what was written on the disk, or with whoever reads it."""
        try:
            self._file.flush()
            if self._path is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(self._path or "-")) from error

    def close(self) -> None:
        """Write all, and let go of the file."""
        self.commit()
        if self._path is not None:
            self._file.close()

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", where=str(self._path or "-")) from error
