"""What waits for the next commit: frames, records, notes and edits, bounded, and made into drafts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import MappingProxyType

import numpy as np

from edge.clock import Timebase
from edge.errors import CatalogueError, JournalError
from edge.frames import FrameBatch, Int64s, concatenate
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.frames.frame_block import DEFAULT_FRAME_LIMITS, encode_frames
from edge.journal.grounds import EVENT_FRAMES_FOR, FRAMES_FOR, RECORDS_FOR, Ground, Grounds, by_law
from edge.journal.media_block import media_draft
from edge.journal.record_block import CARRIER, encode_records
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.records import Record
from edge.vision.media import Media
from edge.wire.item_keys import ItemKeys

Edit = tuple[str, tuple[int | str | bytes | None, ...]]
"""An SQL statement and its values, to be carried out in the next transaction."""


@dataclass(frozen=True, slots=True)
class Addition:
    """What somebody adds to the transaction that is under way.

    Attributes:
        edits: in order.
        then: called when they are on the disk.
    """

    edits: Sequence[Edit]
    then: Callable[[], None]


Split = Callable[[FrameBatch], Mapping[DataClass, tuple[FrameBatch, Int64s]]]
"""Divides masked frames by the class of their bits, with the place of each in the whole."""

TOO_SLOW = "journal too slow"
UNWRITABLE = "cannot be written as a block"
NOT_KEPT = "not kept for this purpose"
NO_ROOM = "no room for its file"
_SAME_OFFSET_NS = 1_000_000
_FRAMES_FOR: Mapping[BlockKind, tuple[Purpose, ...]] = MappingProxyType(
    {BlockKind.FRAMES: FRAMES_FOR, BlockKind.EVENT_FRAMES: EVENT_FRAMES_FOR}
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventFrames:
    """Raw frames of an event window."""

    batch: FrameBatch
    locked: bool


@dataclass(frozen=True, slots=True)
class WaitingMedia:
    """A still or clip, the mask under which it was taken, and how its times relate to wall time."""

    media: Media
    mask: str
    timebase: Timebase


@dataclass(slots=True)
class Pending:
    """What one transaction takes.

    Attributes:
        frames: raw frames in order of arrival.
        frame_bytes: their size in memory.
        event_frames: those of event windows.
        records: numbered.
        notes: finished drafts.
        media: stills and clips.
        edits: changes of cursors and messages, in order.
        then: called in order when the transaction is on the disk.
        oldest_ns: when the first of it came in.
    """

    frames: list[FrameBatch] = field(default_factory=list)
    frame_bytes: int = 0
    event_frames: list[EventFrames] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    notes: list[Draft] = field(default_factory=list)
    media: list[WaitingMedia] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    then: list[Callable[[], None]] = field(default_factory=list)
    oldest_ns: int | None = None

    def __bool__(self) -> bool:
        data = self.frames or self.event_frames or self.records or self.notes or self.media
        return bool(data or self.edits or self.then)

    def frame_count(self) -> int:
        """How many raw frames wait."""
        return sum(map(len, self.frames))

    def media_bytes(self) -> int:
        """Bytes of all stills and clips that wait."""
        return sum(len(one.media.content) for one in self.media)

    def span_ns(self) -> int:
        """From the oldest to the newest datum, in the data's own time."""
        times = [int(batch.t_ns[place]) for batch in self.frames for place in (0, -1)]
        times += [self.records[0].t_ns, self.records[-1].t_ns] if self.records else []
        return max(times) - min(times) if times else 0


def batch_bytes(batch: FrameBatch) -> int:
    """Bytes that a batch takes in memory, about."""
    return len(batch) * (16 + int(batch.data.shape[1]))


def count_without_room(written: Counter[str]) -> None:
    """Count a still or clip whose draft was made, and whose file the disk refused."""
    written["media"] -= 1
    written[f"media {NO_ROOM}"] += 1


class DraftMaker:
    """Makes drafts out of frames and records.

    Args:
        boot: names the boot whose time they carry.
        split: divides frames by class.
        class_of: the class of a concrete item id.
        keys: the catalogue's wire keys.
        resolution_ns: of the times of raw frames.
        ground: what data rest on, by which their keys are labelled; what rests on nothing is not kept.
        ended: whether all consents that a key's label names have ended: nothing more is kept under it.
    """

    def __init__(
        self,
        *,
        boot: bytes,
        split: Split,
        class_of: Callable[[str], DataClass],
        keys: ItemKeys,
        resolution_ns: int,
        ground: Ground = by_law,
        ended: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.boot = boot
        self._split = split
        self._class_of = class_of
        self._keys = keys
        self._resolution_ns = resolution_ns
        self._ground = ground
        self._ended = ended
        self._grounds = self.grounds()

    def grounds(self) -> Grounds:
        """What data rest on at this moment."""
        return Grounds(self._ground, self._ended, self._class_of)

    def drafts(self, pending: Pending, written: Counter[str]) -> Iterator[Draft]:
        """All drafts of one transaction; `written` counts frames, records and notes.

        What may not be kept is taken out of the records that wait too, so that nobody who hears of the
        transaction has more of them than the journal.
        """
        self._grounds = self.grounds()
        pending.records = [self._grounds.admitted(one) for one in pending.records]
        for batch in _together(pending.frames):
            yield from self._of_sound(batch, BlockKind.FRAMES, "frames", written, locked=False)
        for locked, group in groupby(pending.event_frames, key=lambda one: one.locked):
            for batch in _together([one.batch for one in group]):
                yield from self._of_sound(
                    batch, BlockKind.EVENT_FRAMES, "event frames", written, locked=locked
                )
        for note in pending.notes:
            if self._ended(note.purpose):
                written[f"notes {NOT_KEPT}"] += 1
            else:
                written["notes"] += 1
                yield note
        for _, run in groupby(pending.records, key=lambda one: one.mask):
            yield from self._of_writable(list(run), written)
        for one in pending.media:
            yield from self._of_media(one, written)

    def of_records(self, records: Sequence[Record], *, stream: int = 1) -> Iterator[Draft]:
        """The blocks of some records of one mask, one for each class; what may not be kept is out of them.

        The carrier's block is there in any case: without items it names numbers and times alone, which rest
        on no consent.
        """
        for data_class, plaintext in encode_records(records, self._class_of, self._keys).items():
            last = records[-1]
            yield Draft(
                BlockKind.RECORDS,
                data_class,
                plaintext,
                self.boot,
                min(one.t_ns for one in records),
                max(one.t_ns for one in records),
                last.timebase,
                count=len(records),
                first_number=records[0].number,
                last_number=last.number,
                mask=last.mask,
                purpose=self._label_of_records(last.mask, data_class),
                alarm=any(one.alarm for one in records),
                stream=stream,
            )

    def _label_of_records(self, mask: str, data_class: DataClass) -> str:
        label = self._grounds.label(mask, data_class, RECORDS_FOR)
        if label is None and data_class is not CARRIER:
            raise JournalError(f"items of class '{data_class}' may not be kept", where=f"mask {mask}")
        return label or ""

    def _of_writable(self, records: Sequence[Record], written: Counter[str]) -> Iterator[Draft]:
        """Blocks that can be read again; a record that cannot be written is counted and costs no other."""
        try:
            drafts = list(self.of_records(records))
        except (JournalError, CatalogueError) as error:
            if len(records) > 1:
                middle = len(records) // 2
                yield from self._of_writable(records[:middle], written)
                yield from self._of_writable(records[middle:], written)
                return
            if not written[f"records {UNWRITABLE}"]:
                logger.warning("record %d is left out: %s", records[0].number, error)
            written[f"records {UNWRITABLE}"] += 1
            return
        written["records"] += len(records)
        yield from drafts

    def _of_media(self, waiting: WaitingMedia, written: Counter[str]) -> Iterator[Draft]:
        """The block of a still or clip; one that may not be kept or cannot be written is counted."""
        media, mask = waiting.media, waiting.mask
        label = self._grounds.label(mask, media.data_class, (media.purpose,))
        if label is None:
            written[f"media {NOT_KEPT}"] += 1
            return
        try:
            draft = media_draft(media, boot=self.boot, timebase=waiting.timebase, mask=mask, label=label)
        except JournalError as error:
            logger.warning("a picture of camera %s is left out: %s", media.camera, error)
            written[f"media {UNWRITABLE}"] += 1
            return
        written["media"] += 1
        yield draft

    def _of_sound(
        self, batch: FrameBatch, kind: BlockKind, unit: str, written: Counter[str], *, locked: bool
    ) -> Iterator[Draft]:
        """The blocks of some frames; frames that cannot be written are counted and cost nothing else."""
        aside: Counter[str] = Counter()
        try:
            drafts = list(self._of_frames(batch, kind, aside, locked=locked))
        except ValueError as error:
            if not written[f"{unit} {UNWRITABLE}"]:
                logger.warning("%d %s are left out: %s", len(batch), unit, error)
            written[f"{unit} {UNWRITABLE}"] += len(batch)
            return
        written[f"{unit} {NOT_KEPT}"] += aside[NOT_KEPT]
        written[unit] += len(batch) - aside[NOT_KEPT]
        yield from drafts

    def _of_frames(
        self, batch: FrameBatch, kind: BlockKind, aside: Counter[str], *, locked: bool
    ) -> Iterator[Draft]:
        parts = self._split(batch)
        if not all(DEFAULT_FRAME_LIMITS.admits(part) for part, _ in parts.values()):
            middle = len(batch) // 2
            yield from self._of_frames(batch.take(slice(0, middle)), kind, aside, locked=locked)
            yield from self._of_frames(batch.take(slice(middle, None)), kind, aside, locked=locked)
            return
        labels = {one: self._grounds.label(batch.mask, one, _FRAMES_FOR[kind]) for one in parts}
        aside[NOT_KEPT] += _left_out(parts, labels)
        for data_class, (part, places) in parts.items():
            label = labels[data_class]
            if label is None:
                continue
            yield Draft(
                kind,
                data_class,
                encode_frames(part, places=places, resolution_ns=self._resolution_ns),
                self.boot,
                int(part.t_ns.min()),
                int(part.t_ns.max()),
                part.timebase,
                count=len(part),
                mask=part.mask,
                purpose=label,
                locked=locked,
            )


def _left_out(
    parts: Mapping[DataClass, tuple[FrameBatch, Int64s]], labels: Mapping[DataClass, str | None]
) -> int:
    """How many frames have bits in parts that may not be kept, and none in those that may."""
    denied = [places for one, (_, places) in parts.items() if labels[one] is None]
    if not denied:
        return 0
    left_out = np.zeros(1 + max(int(places[-1]) for _, places in parts.values()), np.bool_)
    for places in denied:
        left_out[places] = True
    for one, (_, places) in parts.items():
        if labels[one] is not None:
            left_out[places] = False
    return int(np.count_nonzero(left_out))


def _together(batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
    """Neighbouring batches of one mask as one; a step of the wall clock begins another block."""
    group: list[FrameBatch] = []
    for batch in batches:
        if not len(batch):
            continue
        if group and not (group[0].mask == batch.mask and _same_time(group[0].timebase, batch.timebase)):
            yield concatenate(group)
            group = []
        group.append(batch if not group else replace(batch, timebase=group[0].timebase))
    if group:
        yield concatenate(group)


def _same_time(one: Timebase, other: Timebase) -> bool:
    return one.quality == other.quality and abs(one.wall_offset_ns - other.wall_offset_ns) < _SAME_OFFSET_NS
