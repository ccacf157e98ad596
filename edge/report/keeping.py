"""`Keeping`: how long what is kept has been kept, and whether all of it is sealed under keys of its class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge.clock import NS_PER_DAY, NS_PER_S
from edge.journal.block import BlockKind
from edge.journal.upkeep.limits import Limit
from edge.policy.floor import SENSITIVE
from edge.report.blocks import Seen
from edge.report.labels import Labels

_NAMED = 20

TOLERANCE_NS = 3_600 * NS_PER_S
"""Bounds take away in small steps while the gateway runs; so much later than due is on time."""


@dataclass(slots=True)
class Shelf:
    """What is kept of one kind and class, now.

    Attributes:
        limit_days: older ones should be gone; None for no limit in days.
        strict: whether that holds for alarms that no platform has acknowledged too.
        blocks: with their content.
        bytes: of it.
        oldest_ns: Unix time of the oldest that the limit concerns; None for none, or none of known time.
        overdue: blocks older than the limit as of the newest time in the journal.
        overdue_by_now: as of the time of the report.
        locked: blocks that an event keeps from the bounds.
        locked_overdue: those among them that are older than the limit.
        spared: alarms that no platform has acknowledged, older than a limit that spares them.
        untimed: blocks whose wall time is not known.
    """

    limit_days: float | None
    strict: bool
    blocks: int = 0
    bytes: int = 0
    oldest_ns: int | None = None
    overdue: int = 0
    overdue_by_now: int = 0
    locked: int = 0
    locked_overdue: int = 0
    spared: int = 0
    untimed: int = 0


@dataclass(slots=True)
class Sealing:
    """Whether what is about people is sealed.

    Attributes:
        blocks: of sensitive classes that have content.
        wrong: those sealed under a key of another class.
        no_key: those whose key is not there, so that nobody can open them.
        numbers: the first of the wrong ones.
    """

    blocks: int = 0
    wrong: int = 0
    no_key: int = 0
    numbers: list[int] = field(default_factory=list)


class Keeping:
    """Looks at all blocks that have content, whether of the period or not.

    Args:
        limits: that are in force, the journal's own and those of the policy.
        labels: of data keys.
        newest_ns: Unix time as of which the journal is judged.
        now_ns: of the report.

    Attributes:
        shelves: by kind and class.
        sealing: of what is about people.
    """

    def __init__(self, limits: Sequence[Limit], labels: Labels, newest_ns: int, now_ns: int) -> None:
        self.shelves: dict[tuple[BlockKind, str], Shelf] = {}
        self.sealing = Sealing()
        self._limits = limits
        self._labels = labels
        self._newest_ns = newest_ns
        self._now_ns = max(now_ns, newest_ns)

    def look(self, seen: Seen, meant: bool) -> None:
        """Look at a block."""
        del meant
        if not seen.size or not seen.holds_data:
            return
        self._see_key(seen)
        header = seen.header
        key = (header.kind, header.data_class)
        shelf = self.shelves.get(key)
        if shelf is None:
            shelf = self.shelves[key] = _shelf(self._limits, *key)
        shelf.blocks += 1
        shelf.bytes += seen.size
        shelf.locked += seen.locked
        if seen.last_ns is None:
            shelf.untimed += 1
            return
        if not seen.locked:
            shelf.oldest_ns = seen.last_ns if shelf.oldest_ns is None else min(shelf.oldest_ns, seen.last_ns)
        self._see_age(shelf, seen, seen.last_ns)

    def _see_age(self, shelf: Shelf, seen: Seen, wall_ns: int) -> None:
        if shelf.limit_days is None:
            return
        due_ns = wall_ns + round(shelf.limit_days * NS_PER_DAY) + TOLERANCE_NS
        if due_ns >= self._now_ns:
            return
        if seen.locked:
            shelf.locked_overdue += 1
        elif seen.alarm and not shelf.strict:
            shelf.spared += 1
        elif due_ns < self._newest_ns:
            shelf.overdue += 1
        else:
            shelf.overdue_by_now += 1

    def _see_key(self, seen: Seen) -> None:
        if seen.header.data_class not in SENSITIVE:
            return
        self.sealing.blocks += 1
        entry = self._labels.entry(seen.header.key_id)
        if entry is None:
            self.sealing.no_key += 1
        elif entry.data_class != seen.header.data_class:
            self.sealing.wrong += 1
            if len(self.sealing.numbers) < _NAMED:
                self.sealing.numbers.append(seen.header.number)


def _shelf(limits: Iterable[Limit], kind: BlockKind, data_class: str) -> Shelf:
    concerned = [one for one in limits if one.days and one.concerns(int(kind), data_class)]
    if not concerned:
        return Shelf(None, strict=False)
    shortest = min(one.days for one in concerned)
    return Shelf(shortest, any(one.strict for one in concerned if one.days == shortest))
