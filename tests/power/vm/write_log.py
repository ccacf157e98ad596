"""Reads the log of a disk's writes and flushes that qemu's blklogwrites driver keeps."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from edge.errors import WireError

MAGIC = 0x006A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")


class LogFlag(IntFlag):
    """What an entry is, as Linux's dm-log-writes numbers it."""

    FLUSH = 1
    FUA = 2
    DISCARD = 4
    MARK = 8


@dataclass(frozen=True, slots=True)
class LoggedWrite:
    """One write, flush or discard, in the order in which the disk took them.

    Attributes:
        offset: where, in bytes.
        data: what; empty for a flush alone and for a discard.
        flags: FLUSH: everything before is durable; FUA: this itself is; DISCARD: `length` bytes are given up.
        length: in bytes.
    """

    offset: int
    data: bytes
    flags: LogFlag
    length: int


def read_write_log(path: Path) -> Iterator[LoggedWrite]:
    """Yield the entries of a log, as many as its first sector says are complete.

    The format is that of Linux's dm-log-writes (``Documentation/admin-guide/device-mapper/log-writes.rst``):
    a first sector with magic, version, number of entries and sector size; for each entry a sector with its
    place, its length in sectors, flags and the length of user data, and then the data.

    Raises:
        WireError: the file is no such log.
    """
    with path.open("rb") as file:
        head = file.read(_SUPER.size)
        if len(head) < _SUPER.size:
            raise WireError("is too short for a write log", where=str(path))
        magic, version, entries, sector_bytes = _SUPER.unpack(head)
        if magic != MAGIC or version != 1 or sector_bytes < _ENTRY.size:
            raise WireError("is no write log of version 1", where=str(path))
        file.seek(sector_bytes)
        for _ in range(entries):
            sector, sectors, flags, _ = _ENTRY.unpack(file.read(sector_bytes)[: _ENTRY.size])
            flag = LogFlag(flags)
            length = sectors * sector_bytes
            data = b"" if flag & LogFlag.DISCARD else file.read(length)
            yield LoggedWrite(sector * sector_bytes, data, flag, length)
