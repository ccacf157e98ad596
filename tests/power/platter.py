"""Models bytes behind a volatile write cache: what a power cut leaves of writes that no sync had covered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes written at an offset.

    Attributes:
        offset: where, in bytes from the start.
        data: what.
    """

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """The file cut or stretched to a size.

    Attributes:
        size: the new size in bytes.
    """

    size: int


Change = Write | Truncate


class Cut(StrEnum):
    """What a cut does with the changes since the last sync; each is something that a disk is allowed to do.

    NOTHING and EVERYTHING are the caches that lose or write all; PREFIX is a cache that keeps order; SUFFIX
    one that wrote the newest first; SUBSET one that wrote some; TORN decides for each 512-byte sector of each
    write; NOISE does too, and leaves other bytes in some sectors that were being written. Bytes that no
    write touches stay as they were, as SQLite takes for granted too (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
    """

    NOTHING = "nothing"
    EVERYTHING = "everything"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    SUBSET = "subset"
    TORN = "torn"
    NOISE = "noise"


#: The kinds that draw: the same changes give another outcome under another seed.
DRAWN = (Cut.PREFIX, Cut.SUFFIX, Cut.SUBSET, Cut.TORN, Cut.NOISE)


def sectors(write: Write) -> Iterator[Write]:
    """Split a write where sectors of 512 bytes begin."""
    at = 0
    while at < len(write.data):
        room = SECTOR_BYTES - (write.offset + at) % SECTOR_BYTES
        yield Write(write.offset + at, write.data[at : at + room])
        at += room


def survivors(changes: Sequence[Change], cut: Cut, random: Random) -> Iterable[Change]:
    """Draw what reaches the disk of the changes that no sync had covered, in the order they were made."""
    if cut is Cut.NOTHING:
        return ()
    if cut is Cut.EVERYTHING:
        return changes
    if cut is Cut.PREFIX:
        return changes[: random.randint(0, len(changes))]
    if cut is Cut.SUFFIX:
        return changes[random.randint(0, len(changes)) :]
    kept = random.choice((0.2, 0.5, 0.8, 0.95))
    if cut is Cut.SUBSET:
        return [change for change in changes if random.random() < kept]
    return torn(changes, cut, kept, random)


def torn(changes: Sequence[Change], cut: Cut, kept: float, random: Random) -> Iterator[Change]:
    """Draw for each sector of each write whether it, or with NOISE something else, reaches the disk."""
    for change in changes:
        for piece in sectors(change) if isinstance(change, Write) else (change,):
            if random.random() < kept:
                yield piece
            elif cut is Cut.NOISE and isinstance(piece, Write) and random.random() < kept:
                yield Write(piece.offset, random.randbytes(len(piece.data)))


def drawn(seed: int | str) -> Random:
    """Return a source of draws that a seed repeats."""
    return Random(seed)  # noqa: S311 - it draws faults, and must be repeatable


def applied(content: bytearray, change: Change) -> None:
    """Make `change` in `content`; what lies between the end and a write beyond it reads as zeros."""
    if isinstance(change, Truncate):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    if len(content) < change.offset:
        content.extend(bytes(change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data


class Platter:
    """One file, or one whole disk: durable bytes, and the changes since the last sync.

    Attributes:
        durable: what is certain to be there after a cut.
        pending: what may be, in the order it was written.
    """

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.pending: list[Change] = []

    def change(self, change: Change) -> None:
        """Take a write or truncation into the cache."""
        self.pending.append(change)

    def sync(self) -> None:
        """Make everything written so far durable."""
        for change in self.pending:
            applied(self.durable, change)
        self.pending.clear()

    def after(self, cut: Cut, random: Random) -> bytes:
        """Say what is there when the power comes back; the platter itself stays as it is."""
        if not self.pending or cut is Cut.NOTHING:
            return bytes(self.durable)
        content = bytearray(self.durable)
        for change in survivors(self.pending, cut, random):
            applied(content, change)
        return bytes(content)
