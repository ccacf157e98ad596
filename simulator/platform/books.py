"""The platform's books: what entered in one run, what became of it, and facts beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.account import Hop
from simulator.platform.accepted import Accepted

DOUBLE = "double"
CONFLICT = "conflicting double"
AUTHENTICATED = "authenticated, not provable to third parties"
FEWER_ITEMS = "repeated with fewer items"


@dataclass(slots=True)
class Tally:
    """What became of the records of one accepted message.

    Attributes:
        known: whether exactly this message was here already.
        news: whether the message brought anything that was not here.
        stored: new records.
        doubles: records that are stored already, with equal contents.
        conflicts: records whose number is stored already, with other contents.
        fewer: records that are stored already, and came with some of their items and no other.
        recovered: of the new ones, those that had been reported lost.
    """

    known: bool = False
    news: bool = False
    stored: int = 0
    doubles: int = 0
    conflicts: int = 0
    fewer: int = 0
    recovered: int = 0


@dataclass(slots=True)
class Books:
    """The counts of one run: what entered, what became of it, and facts beside."""

    messages: Counter[str] = field(default_factory=Counter)
    message_facts: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    record_facts: Counter[str] = field(default_factory=Counter)

    def copy(self) -> Books:
        """Books of their own with the same counts."""
        return Books(
            self.messages.copy(), self.message_facts.copy(), self.records.copy(), self.record_facts.copy()
        )

    def enter(self, accepted: Accepted, tally: Tally) -> None:
        """Count a message of records and what became of it."""
        self.messages["stored" if tally.news else DOUBLE] += 1
        self.records["entered"] += len(accepted.records)
        for name, count in (
            ("stored", tally.stored),
            (DOUBLE, tally.doubles),
            (CONFLICT, tally.conflicts),
            (FEWER_ITEMS, tally.fewer),
        ):
            if count:
                self.records[name] += count
        for name, count in (
            ("range entries", len(accepted.losses) if tally.news else 0),
            ("came after being reported lost", tally.recovered),
            (AUTHENTICATED, 0 if accepted.provable else tally.stored),
        ):
            if count:
                self.record_facts[name] += count

    def hops(self) -> tuple[Hop, Hop]:
        """The account of the run: messages, and the records in those that were accepted."""
        return (
            _hop("messages", self.messages, self.message_facts),
            _hop("records", self.records, self.record_facts),
        )


def _hop(unit: str, counts: Mapping[str, int], facts: Mapping[str, int]) -> Hop:
    """The account of `counts`: ``entered``, ``stored``, and each cause for setting something aside."""
    causes = {cause: count for cause, count in counts.items() if cause not in {"entered", "stored"}}
    entered, stored = counts.get("entered", 0), counts.get("stored", 0)
    return Hop("platform", unit, entered=entered, left=stored, set_aside=causes, facts=dict(facts))
