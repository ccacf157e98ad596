"""What a journal took in, committed, and lost by cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from edge.account import Hop
from edge.journal.pending import NO_ROOM, NOT_KEPT, UNWRITABLE, Pending

NOT_WRITABLE = "journal not writable"
HANDED_BACK = "journal not writable, handed back"

UNITS = ("frames", "event frames", "records", "notes", "media")
WAITING = "waiting to be committed"


@dataclass(slots=True)
class Tally:
    """The sums of one run.

    Attributes:
        entered: what came in, by unit.
        written: what was committed.
        set_aside: what was lost or handed back, by unit and cause.
        facts: further counts.
    """

    entered: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    set_aside: Counter[tuple[str, str]] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, written: Counter[str]) -> None:
        """Count what one transaction wrote, and what in it could or may not be written as a block."""
        for unit in UNITS:
            unwritable = written.pop(f"{unit} {UNWRITABLE}", 0)
            if unwritable:
                self.set_aside[unit, UNWRITABLE] += unwritable
            not_kept = written.pop(f"{unit} {NOT_KEPT}", 0)
            if not_kept:
                self.set_aside[unit, NOT_KEPT] += not_kept
            no_room = written.pop(f"{unit} {NO_ROOM}", 0)
            if no_room:
                self.set_aside[unit, NO_ROOM] += no_room
        self.written.update(written)

    def refuse(self, pending: Pending) -> None:
        """Count what waited when the disk refused: records go elsewhere, the rest is lost."""
        self.set_aside["frames", NOT_WRITABLE] += pending.frame_count()
        self.set_aside["event frames", NOT_WRITABLE] += sum(len(one.batch) for one in pending.event_frames)
        self.set_aside["notes", NOT_WRITABLE] += len(pending.notes)
        self.set_aside["media", NOT_WRITABLE] += len(pending.media)
        self.set_aside["records", HANDED_BACK] += len(pending.records)

    def hops(self) -> tuple[Hop, ...]:
        """The account, a hop for each unit of which there was any; records always."""
        hops = []
        for unit in UNITS:
            set_aside = {cause: n for (what, cause), n in self.set_aside.items() if what == unit and n}
            left = self.written[unit]
            held = self.entered[unit] - left - sum(set_aside.values())
            if held:
                set_aside[WAITING] = held
            facts = dict(self.facts) if unit == "records" else {}
            if self.entered[unit] or unit == "records":
                hops.append(Hop("journal", unit, self.entered[unit], left, set_aside, facts=facts))
        return tuple(hops)
