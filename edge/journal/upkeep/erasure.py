"""What can be asked to be erased, and what an erasure says that it did."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edge.journal.keys.key_store import KeyEntry, day_of
from edge.policy.admission import consents_in
from edge.policy.classes import DataClass


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """What is to be erased.

    Attributes:
        data_class: the class.
        first_day: data of days from this one on, UTC days since 1970-01-01. With a bound, data of boots
            without wall time stay.
        last_day: data of days up to this one, included.
        purpose: data kept for this purpose alone, such as a consent; None for all.
        reason: who asked and why, as it shall stand in the chain.
        consents: data kept under these consents, and under no other that has not ended; empty for all. From
            then on nothing is sealed under these consents alone any more.
    """

    data_class: DataClass
    first_day: int | None = None
    last_day: int | None = None
    purpose: str | None = None
    reason: str = ""
    consents: frozenset[int] = field(default=frozenset())

    @property
    def by_label(self) -> bool:
        """Whether only a part of what is kept of the class is meant, told by the labels of its keys."""
        return self.purpose is not None or bool(self.consents)

    def concerns(self, entry: KeyEntry) -> bool:
        """Whether what is sealed under a key is meant."""
        if entry.data_class != self.data_class or not self.includes(entry.period):
            return False
        named = consents_in(entry.purpose)
        ended = not self.consents or (bool(named) and named <= self.consents)
        return ended and (self.purpose is None or entry.purpose == self.purpose)

    def includes(self, period: str) -> bool:
        """Whether a period lies in the time that is meant."""
        if self.first_day is None and self.last_day is None:
            return True
        day = day_of(period)
        if day is None:
            return False
        return (self.first_day is None or self.first_day <= day) and (
            self.last_day is None or day <= self.last_day
        )

    def and_ended(self, consents: frozenset[int]) -> ErasureRequest:
        """The request with consents that had ended before: what rests on those and these alone goes too."""
        return replace(self, consents=self.consents | consents) if self.consents else self


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased.

    Attributes:
        key_ids: of the data keys that were destroyed.
        blocks: whose content is gone.
        messages: signed messages that waited for an acknowledgement and held such data; their records that
            remain go again, composed anew without it.
        resealed: signed messages that remain, under a new key.
    """

    key_ids: tuple[bytes, ...] = ()
    blocks: int = 0
    messages: int = 0
    resealed: int = 0
