"""How much a journal may hold, for how long, and what goes first when there is no room."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.policy.classes import DataClass

MB = 1_000_000
GB = 1_000_000_000
INSPECTION_DAYS = 7.0
"""Records are kept at least so long (GB/T 32960.2)."""

PRIVATE_DAYS = 14.0
PRIVATE = frozenset({str(DataClass.POSITION), str(DataClass.EXTERIOR)})
"""Classes that never stay longer than a limit in days, whether sent or not."""

NEVER_REMOVED = frozenset({BlockKind.CONSENT})
"""Kinds that no bound lets go: a withdrawal that is forgotten would revive a consent."""

NOTES = frozenset(
    {BlockKind.SECURITY, BlockKind.CONFIGURATION, BlockKind.TIME, BlockKind.ACCOUNT, BlockKind.ERASURE}
)


class Shelf(IntEnum):
    """What goes in which order when room is needed, the oldest of each first."""

    MEDIA = 1
    """Video and pictures."""

    PRIVATE_FRAMES = 2
    """Raw frames of position and of what is outside."""

    FRAMES = 3
    """All other raw frames."""

    RECORDS = 4
    """Records that every destination has acknowledged."""

    NOTES = 5
    """Security events, configurations, steps of the clock, accounts, erasures."""

    UNSENT = 6
    """Records that some destination has not acknowledged."""

    EVENTS = 7
    """Event windows that are not locked; locked ones never go."""

    ALARMS = 8
    """Records with an alarm that some destination has not acknowledged."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The bounds of some blocks.

    Attributes:
        kinds: what it holds for.
        classes: of these classes; empty for all.
        days: older blocks go; 0 for no limit.
        bytes: the oldest go when all of them together have more ciphertext; 0 for no limit.
        least_days: neither these bytes nor the journal's let younger ones go; only lack of free space does.
        strict: whether the days hold even for alarms that were never acknowledged.
    """

    kinds: frozenset[BlockKind]
    classes: frozenset[str] = frozenset()
    days: float = 0.0
    bytes: int = 0
    least_days: float = 0.0
    strict: bool = False

    def __post_init__(self) -> None:
        if min(self.days, self.bytes, self.least_days) < 0 or not self.kinds:
            raise JournalError("a limit has kinds of blocks, and no negative number")
        if self.days and self.least_days > self.days:
            raise JournalError(
                f"a limit cannot let go after {self.days:g} days what is kept {self.least_days:g}"
            )

    def concerns(self, kind: int, data_class: str) -> bool:
        """Whether a block of this kind and class falls under it."""
        if kind in NEVER_REMOVED:
            return False
        return kind in self.kinds and (not self.classes or data_class in self.classes)


def usual_limits(
    *,
    records_days: float = 30.0,
    records_bytes: int = 2 * GB,
    frames_days: float = 7.0,
    frames_bytes: int = 2 * GB,
    media_bytes: int = 2 * GB,
    events_bytes: int = 1 * GB,
    notes_days: float = 365.0,
    notes_bytes: int = 64 * MB,
    private_days: float = PRIVATE_DAYS,
) -> tuple[Limit, ...]:
    """The limits of a vehicle, in the terms of a configuration; 0 means no limit.

    Args:
        records_days: records of all classes that no other limit lets go earlier, at least 7.
        records_bytes: of all records; those of the last seven days are left alone.
        frames_days: raw frames.
        frames_bytes: of all raw frames.
        media_bytes: of all media.
        events_bytes: of event windows that are not locked.
        notes_days: security events, configurations, accounts and the like.
        notes_bytes: of all of these.
        private_days: whatever is of class position or exterior, sent or not.

    Raises:
        JournalError: records would be kept for less than seven days.
    """
    return (
        Limit(frozenset(BlockKind), PRIVATE, days=private_days, strict=True),
        Limit(frozenset({BlockKind.MEDIA}), bytes=media_bytes),
        Limit(frozenset({BlockKind.FRAMES}), days=frames_days, bytes=frames_bytes),
        Limit(
            frozenset({BlockKind.RECORDS}),
            days=records_days,
            bytes=records_bytes,
            least_days=INSPECTION_DAYS,
        ),
        Limit(frozenset({BlockKind.EVENT, BlockKind.EVENT_FRAMES}), bytes=events_bytes),
        Limit(NOTES, days=notes_days, bytes=notes_bytes),
    )


@dataclass(frozen=True, slots=True)
class BoundsSettings:
    """All bounds of a journal.

    Attributes:
        limits: by kind and class.
        total_bytes: of the database's pages in use, headers of blocks that are gone included.
        free_bytes: so much of the file system is left free,
        free_share: or this share of it if that is less. While less is free the journal does not grow: what
            is new takes the place of what is old, down to `least_bytes`.
        least_bytes: a journal of fewer bytes in use grows as long as the disk takes it.
        spare_bytes: room inside the file that is kept for what comes, while it must not grow.
        reserve_bytes: a file of this size lies beside the journal, to be deleted when the disk is full all
            the same: to empty blocks takes room in the write-ahead log, and what stands in that needs its
            place in the file, so it is a little more than the log may have.
        step_ms: one step takes about so long at most, so that the writer is not held up.
        step_blocks: and touches so many blocks at most.
        period_s: pause between looks when there is nothing to do.
    """

    limits: tuple[Limit, ...] = usual_limits()
    total_bytes: int = 8 * GB
    free_bytes: int = 200 * MB
    free_share: float = 0.05
    least_bytes: int = 64 * MB
    spare_bytes: int = 4 * MB
    reserve_bytes: int = 12 * MB
    step_ms: float = 50.0
    step_blocks: int = 256
    period_s: float = 10.0

    def floor_bytes(self, size_bytes: int) -> int:
        """How much of a file system of this size is left free."""
        return min(self.free_bytes, round(self.free_share * size_bytes))

    def least_days(self, kind: int, data_class: str) -> float:
        """How long blocks of a kind and class are kept unless free space runs out."""
        return max((one.least_days for one in self.limits if one.concerns(kind, data_class)), default=0.0)
