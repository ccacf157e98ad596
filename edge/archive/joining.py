"""Puts the class parts of raw frames together again, as they arrived; and says which class is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.archive.export_file import About
from edge.archive.periods import OpenedBlock, OpenedPeriod, PeriodReader
from edge.archive.selection import Selection
from edge.archive.wall_time import Stamps, WallTimes
from edge.errors import JournalError
from edge.frames import FrameBatch
from edge.journal.block import BlockKind
from edge.journal.frames.frame_block import decode_frames
from edge.policy.classes import DataClass
from edge.policy.split import ClassPart, rejoin

if TYPE_CHECKING:
    from edge.archive.opening import Archive

_CLASSES = frozenset(map(str, DataClass))


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

    def tell(self, about: About) -> None:
        """Write into what an export says of itself that they are in it; how many were written it knows."""
        about.boots[self.boot.hex()] = None
        about.masks[self.batch.mask] += len(self.batch)
        about.without_wall_time += int((self.stamps.quality == 0).sum())
        about.not_at_hand.update(map(str, sorted(self.missing)))


@dataclass(slots=True)
class Joiner:
    """Puts the frames of a period together; needs neither journal nor keys.

    Attributes:
        wall_times: what is known of wall time.
        selection: which frames are meant.
        unreadable: blocks whose content could not be had though it was asked for, by why.
    """

    wall_times: WallTimes
    selection: Selection
    unreadable: dict[str, int] = field(default_factory=dict)

    def joined(self, period: OpenedPeriod) -> Iterator[JoinedFrames]:
        """The frames of a period that are meant, at once as a rule."""
        parts: list[tuple[int, ClassPart]] = []
        missing: set[DataClass] = set()
        classes: dict[int, DataClass] = {}
        for block in period.blocks:
            if block.data_class not in _CLASSES:
                self._count("unknown data class")
                continue
            classes[block.number] = DataClass(block.data_class)
            part = self._part(block)
            if part is None:
                missing.add(classes[block.number])
            else:
                parts.append((block.number, part))
        for united, numbers in _united(parts):
            at_hand = frozenset(classes[number] for number in numbers)
            yield from self._cut(united, period, numbers, missing, at_hand)

    def _part(self, block: OpenedBlock) -> ClassPart | None:
        if block.plaintext is None:
            if block.cause:
                self._count(block.cause)
            return None
        try:
            found = decode_frames(block.plaintext)
        except JournalError as error:
            self._count(error.what)
            return None
        return ClassPart(found.batch, found.places)

    def _cut(
        self,
        batch: FrameBatch,
        period: OpenedPeriod,
        numbers: tuple[int, ...],
        missing: set[DataClass],
        at_hand: frozenset[DataClass],
    ) -> Iterator[JoinedFrames]:
        """Leave out the frames at both ends that are not meant."""
        selection = self.selection
        stamps = self.wall_times.stamps(period.boot, batch.t_ns, batch.timebase)
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
        yield JoinedFrames(batch, stamps, period.boot, period.kind, numbers, frozenset(missing), at_hand)

    def _count(self, cause: str) -> None:
        self.unreadable[cause] = self.unreadable.get(cause, 0) + 1


class FrameReader:
    """Reads raw frames out of a journal, in order.

    Args:
        archive: the journal.
        selection: which frames are meant.

    Attributes:
        unreadable: see `Joiner`.
        blocks: blocks passed so far, read or not.
    """

    def __init__(self, archive: Archive, selection: Selection) -> None:
        self._periods = PeriodReader(archive, selection)
        self._joiner = Joiner(archive.wall_times, selection)
        self.unreadable = self._joiner.unreadable
        self.blocks = 0

    def __iter__(self) -> Iterator[JoinedFrames]:
        """The frames that are meant.

        Raises:
            apsw.Error: the journal cannot be read.
        """
        for period in self._periods:
            yield from self._joiner.joined(period)
            self.blocks += len(period.blocks)


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
