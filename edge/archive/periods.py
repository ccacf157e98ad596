"""Reads the blocks of raw frames out of a journal and opens them, period by period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge.archive.selection import Selection
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.policy.classes import SENSITIVITY

if TYPE_CHECKING:
    from edge.archive.opening import Archive, Entry

FRAME_KINDS = frozenset({BlockKind.FRAMES, BlockKind.EVENT_FRAMES})
_ORDER = {str(data_class): place for place, data_class in enumerate(SENSITIVITY)}


@dataclass(frozen=True, slots=True)
class OpenedBlock:
    """One block of raw frames as far as the keys open it; it travels to processes that have none.

    Attributes:
        number: in the chain.
        data_class: by its name, which may be unknown.
        count: frames in it.
        plaintext: None where it is not at hand.
        cause: why it is not though it was asked for; empty where it is, or was not asked for.
    """

    number: int
    data_class: str
    count: int
    plaintext: bytes | None = field(repr=False)
    cause: str = ""


@dataclass(frozen=True, slots=True)
class OpenedPeriod:
    """The blocks of one period.

    Attributes:
        boot: 16 bytes.
        kind: raw frames, or those around an event.
        blocks: in order of the chain, at least one.
    """

    boot: bytes
    kind: BlockKind
    blocks: tuple[OpenedBlock, ...]

    @property
    def frames(self) -> int:
        """How many frames it has, about: the parts of one class may be of others."""
        return max(block.count for block in self.blocks)

    @property
    def plain_bytes(self) -> int:
        """Of its plaintexts."""
        return sum(len(block.plaintext or b"") for block in self.blocks)


@dataclass(frozen=True, slots=True)
class PeriodReader:
    """Reads and opens the blocks of raw frames of a journal, period by period.

    Attributes:
        archive: the journal.
        selection: which frames are meant.
    """

    archive: Archive
    selection: Selection

    def __iter__(self) -> Iterator[OpenedPeriod]:
        """The periods, in order.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        everything = replace(
            self.selection, kinds=(self.selection.kinds or FRAME_KINDS) & FRAME_KINDS, classes=frozenset()
        )
        for group in _groups(self.archive.entries(everything)):
            first = group[0].header
            yield OpenedPeriod(first.boot, first.kind, tuple(map(self._opened, group)))

    def _opened(self, entry: Entry) -> OpenedBlock:
        header, classes = entry.header, self.selection.classes
        bare = OpenedBlock(header.number, header.data_class, header.count, None)
        if header.data_class not in _ORDER or (classes and header.data_class not in classes):
            return bare
        try:
            block = self.archive.reader.block(header.number)
            opened = None if block is None else self.archive.reader.plaintext(block)
        except JournalError as error:
            return replace(bare, cause=error.what)
        if opened is None:
            gone = block is None or block.ciphertext is None
            return replace(bare, cause="content deleted" if gone else "key destroyed")
        return replace(bare, plaintext=opened[1])


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The blocks of each period: they stand side by side in the chain, the most sensitive class first."""
    group: list[Entry] = []
    for entry in entries:
        if group and not _continues(group[-1], entry):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _continues(before: Entry, after: Entry) -> bool:
    one, other = before.header, after.header
    return (
        other.number == one.number + 1
        and (other.kind, other.boot, other.mask, other.wall_offset_ns, other.time_quality)
        == (one.kind, one.boot, one.mask, one.wall_offset_ns, one.time_quality)
        and _rank(other.data_class) > _rank(one.data_class)
    )


def _rank(data_class: str) -> int:
    return _ORDER.get(data_class, len(_ORDER))
