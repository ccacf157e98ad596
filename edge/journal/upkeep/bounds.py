"""`Bounds`: keeps a journal within what it may hold, in small steps between two commits."""

from __future__ import annotations

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.journal.block import BlockKind
from edge.journal.database import transaction
from edge.journal.upkeep.ages import Ages
from edge.journal.upkeep.believed_time import BelievedTime
from edge.journal.upkeep.held import Oldest, waiting_of
from edge.journal.upkeep.limits import BoundsSettings
from edge.journal.upkeep.removal import TOTALS, DiskSpace, Removal
from edge.journal.upkeep.reserve import Reserve
from edge.policy.classes import DataClass

RESERVE_FILE = "reserve"
BELIEVED = "wall time believed last, ns"
"""Of the sums of the bounds: the present, Unix nanoseconds, as far as it was believed (`BelievedTime`)."""

_ENDLESS = DiskSpace(1 << 62, 1 << 62)
_SET_TOTAL = (
    "INSERT INTO total (hop, name, count) VALUES (?, ?, ?)"
    " ON CONFLICT (hop, name) DO UPDATE SET count = excluded.count"
)

logger = logging.getLogger(__name__)


def space_at(folder: Path) -> Callable[[], DiskSpace]:
    """Asks the file system of a folder (statvfs) how full it is."""

    def ask() -> DiskSpace:
        found = os.statvfs(folder)
        return DiskSpace(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    return ask


def endless() -> DiskSpace:
    """The disk of a journal in memory."""
    return _ENDLESS


class Bounds:
    """Removes content that is too old or too much; headers and hashes stay, so that the chain verifies.

    What goes, in this order: what is over its days; of each limit in bytes, the oldest; then, while the
    journal is larger than allowed or the disk short of space, shelf by shelf (`Shelf`) the oldest of each.
    Locked blocks never go. The rows of a segment between two checkpoints go when none of them holds content.

    Args:
        settings: the bounds.
        destinations: the names of all that records are sent to.
        clock: time.
        boot: 16 bytes that name the boot.
        space: tells how full the file system is; `space_at`, or `endless`.
        folder: of the journal, for the reserve; None for a journal in memory.
    """

    def __init__(
        self,
        settings: BoundsSettings,
        *,
        destinations: Sequence[str],
        clock: Clock,
        boot: bytes,
        space: Callable[[], DiskSpace],
        folder: Path | None = None,
    ) -> None:
        self._settings = settings
        self._destinations = tuple(destinations)
        self._clock = clock
        self._boot = boot
        self._space = space
        self._reserve = None if folder is None else Reserve(folder / RESERVE_FILE, settings.reserve_bytes)
        self._ages: Ages | None = None
        self._due_ns = 0
        self._segment = 0
        self._full = False
        self._outlived = True
        self._removed: Counter[tuple[str, str]] = Counter()
        self._facts: Counter[tuple[str, str]] = Counter()

    def step(self, connection: apsw.Connection) -> bool:
        """Remove what is due, for some milliseconds; to be called between two commits (`Journal.chores`).

        Returns:
            Whether there is more to do.

        Raises:
            apsw.Error: the disk refuses; nothing was removed.
        """
        if self._clock.boot_ns() < self._due_ns:
            return False
        self._due_ns = self._clock.boot_ns() + round(self._settings.period_s * NS_PER_S)
        if self._reserve is not None:
            self._reserve.keep(self._space().free_bytes)
        with transaction(connection):
            removal = self._begin(connection)
            more = removal.run()
            now_ns = self._known_ages(connection).now_ns
            if now_ns is not None:
                connection.execute(_SET_TOTAL, (TOTALS, BELIEVED, now_ns))
        self._take(removal)
        if more:
            self._due_ns = 0
        return more

    def make_room(self, connection: apsw.Connection) -> bool:
        """Remove what goes first, since the disk is full; see `Journal.make_room`.

        The reserve goes first, and the write-ahead log into the file, so that there is room for the removal.

        Returns:
            Whether anything was removed; False too where the disk has no room left even for that.
        """
        if self._reserve is not None:
            self._reserve.give()
        if not self._full:
            logger.warning("the disk is full: the journal lives in the room that it has")
        self._full, self._due_ns = True, 0
        try:
            with contextlib.suppress(apsw.FullError):
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            with transaction(connection):
                removal = self._begin(connection)
                freed = removal.make_room()
        except apsw.FullError:
            return False
        self._take(removal)
        return freed

    @property
    def strict_classes(self) -> frozenset[DataClass]:
        """The classes of which no record may outlast its days, sent or not."""
        strict = [one for one in self._settings.limits if one.strict and one.days]
        return frozenset(
            one for one in DataClass if any(limit.concerns(BlockKind.RECORDS, one) for limit in strict)
        )

    def take_outlived(self) -> bool:
        """Whether records of these classes were removed since this was asked, or in an earlier run."""
        if not self._outlived:
            return False
        self._outlived = False
        return True

    def hops(self) -> tuple[Hop, ...]:
        """What was removed in this run, by unit: all that entered was removed, each with its cause."""
        hops = []
        for unit in sorted({unit for unit, _ in (*self._removed, *self._facts)}):
            causes = {cause: n for (what, cause), n in self._removed.items() if what == unit}
            facts = {fact: n for (what, fact), n in self._facts.items() if what == unit}
            hops.append(Hop("journal bounds", unit, sum(causes.values()), 0, causes, facts=facts))
        return tuple(hops)

    def _begin(self, connection: apsw.Connection) -> Removal:
        space = self._space()
        if self._full and space.free_bytes > self._enough(space):
            logger.warning("the disk has room again")
            self._full = False
        return Removal(
            connection,
            self._settings,
            ages=self._known_ages(connection),
            oldest=Oldest(connection, waiting_of(connection, self._destinations)),
            space=space,
            clock=self._clock,
            segment=self._segment,
            full=self._full,
        )

    def _enough(self, space: DiskSpace) -> int:
        """Free bytes with which the journal may grow again."""
        return self._settings.floor_bytes(space.size_bytes) + 2 * self._settings.reserve_bytes

    def _known_ages(self, connection: apsw.Connection) -> Ages:
        if self._ages is None:
            last = connection.execute(
                "SELECT count FROM total WHERE hop = ? AND name = ?", (TOTALS, BELIEVED)
            ).get
            self._ages = Ages(self._clock, self._boot, BelievedTime(self._clock, last_ns=int(last or 0)))
        self._ages.look()
        return self._ages

    def _take(self, removal: Removal) -> None:
        for (unit, cause), count in removal.removed.items():
            if not self._removed[unit, cause]:
                logger.warning("the journal begins to remove %s: %s", unit, cause)
            self._removed[unit, cause] += count
        self._facts.update(removal.facts)
        self._outlived = self._outlived or removal.outlived
        self._segment = removal.segment
