"""Puts the class parts of raw frames together again, as they arrived; and says which class is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from edge.archive.opening import Archive, Entry
from edge.archive.selection import Selection
from edge.archive.wall_time import Stamps
from edge.errors import JournalError
from edge.frames import FrameBatch
from edge.journal.block import BlockKind
from edge.policy.classes import SENSITIVITY, DataClass
from edge.policy.split import ClassPart, rejoin

FRAME_KINDS = frozenset({BlockKind.FRAMES, BlockKind.EVENT_FRAMES})
_ORDER = {data_class: place for place, data_class in enumerate(SENSITIVITY)}


@dataclass(frozen=True, slots=True)
class JoinedFrames:
    """Frames of one period, of all classes that are at hand.

    Attributes:
        batch: in order of arrival.
        stamps: their times.
        boot: 16 bytes.
        kind: raw frames, or those around an event.
        numbers: chain numbers of the blocks that they are from.
        missing: classes that had a share in the period and are not at hand: not asked for, deleted, erased,
            or damaged. Their bits are 0.
        at_hand: classes whose bits are in the batch. A class may have passed the door for another purpose
            than to keep raw frames: it is in neither, and its bits are 0 too.
    """

    batch: FrameBatch
    stamps: Stamps
    boot: bytes
    kind: BlockKind
    numbers: tuple[int, ...]
    missing: frozenset[DataClass]
    at_hand: frozenset[DataClass]


@dataclass(slots=True)
class FrameReader:
    """Reads raw frames out of a journal, in order.

    Attributes:
        archive: the journal.
        selection: which frames are meant.
        unreadable: blocks whose content could not be had though it was asked for, by why.
        blocks: blocks passed so far, read or not.
    """

    archive: Archive
    selection: Selection
    unreadable: dict[str, int] = field(default_factory=dict)
    blocks: int = 0

    def __iter__(self) -> Iterator[JoinedFrames]:
        """The frames that are meant.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        everything = replace(
            self.selection, kinds=(self.selection.kinds or FRAME_KINDS) & FRAME_KINDS, classes=frozenset()
        )
        for group in _groups(self.archive.entries(everything)):
            yield from self._join(group)
            self.blocks += len(group)

    def _join(self, group: list[Entry]) -> Iterator[JoinedFrames]:
        parts: list[tuple[int, ClassPart]] = []
        missing: set[DataClass] = set()
        for entry in group:
            if not _known(entry):
                self._count("unknown data class")
                continue
            part = self._part(entry)
            if part is None:
                missing.add(DataClass(entry.header.data_class))
            else:
                parts.append((entry.header.number, part))
        classes = {
            entry.header.number: DataClass(entry.header.data_class) for entry in group if _known(entry)
        }
        for united, numbers in _united(parts):
            at_hand = frozenset(classes[number] for number in numbers)
            yield from self._cut(united, group[0], numbers, missing, at_hand)

    def _part(self, entry: Entry) -> ClassPart | None:
        classes = self.selection.classes
        if classes and entry.header.data_class not in classes:
            return None
        block = self.archive.reader.block(entry.header.number)
        try:
            found = None if block is None else self.archive.reader.frames(block)
        except JournalError as error:
            self._count(error.what)
            return None
        if found is None:
            gone = block is None or block.ciphertext is None
            self._count("content deleted" if gone else "key destroyed")
            return None
        return ClassPart(found.batch, found.places)

    def _cut(
        self,
        batch: FrameBatch,
        entry: Entry,
        numbers: tuple[int, ...],
        missing: set[DataClass],
        at_hand: frozenset[DataClass],
    ) -> Iterator[JoinedFrames]:
        """Leave out the frames at both ends that are not meant."""
        header, selection = entry.header, self.selection
        stamps = self.archive.wall_times.stamps(header.boot, batch.t_ns, batch.timebase)
        meant = np.ones(len(batch), np.bool_)
        if selection.span is not None:
            meant &= (batch.t_ns >= selection.span[0]) & (batch.t_ns <= selection.span[1])
        if selection.by_wall_time:
            meant &= stamps.quality > 0
        if selection.from_ns is not None:
            meant &= stamps.time_ns >= selection.from_ns
        if selection.to_ns is not None:
            meant &= stamps.time_ns < selection.to_ns
        if not meant.any():
            return
        if not meant.all():
            batch = batch.take(meant)
            stamps = Stamps(stamps.time_ns[meant], stamps.quality[meant])
        yield JoinedFrames(batch, stamps, header.boot, header.kind, numbers, frozenset(missing), at_hand)

    def _count(self, cause: str) -> None:
        self.unreadable[cause] = self.unreadable.get(cause, 0) + 1


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


def _known(entry: Entry) -> bool:
    return entry.header.data_class in _ORDER


def _continues(before: Entry, after: Entry) -> bool:
    one, other = before.header, after.header
    return (
        other.number == one.number + 1
        and (other.kind, other.boot, other.mask, other.wall_offset_ns, other.time_quality)
        == (one.kind, one.boot, one.mask, one.wall_offset_ns, one.time_quality)
        and _rank(other.data_class) > _rank(one.data_class)
    )


def _rank(data_class: str) -> int:
    return _ORDER[DataClass(data_class)] if data_class in _ORDER else len(_ORDER)


def _united(parts: list[tuple[int, ClassPart]]) -> Iterator[tuple[FrameBatch, tuple[int, ...]]]:
    """Parts that agree about each frame that they share, joined.

    Two periods can look like one where the first has sensitive classes alone and the second others alone.
    Their frames of equal places then differ, since each period counts its places from 0.
    """
    together: list[ClassPart] = []
    numbers: list[int] = []
    united: FrameBatch | None = None
    for number, part in parts:
        try:
            joined = rejoin([*together, part])
        except ValueError:
            if united is not None:
                yield united, tuple(numbers)
            together, numbers, joined = [], [], part.batch
        together.append(part)
        numbers.append(number)
        united = joined
    if united is not None:
        yield united, tuple(numbers)
