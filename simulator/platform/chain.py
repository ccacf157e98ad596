"""The chain of a stream's checkpoints as the platform holds it: which follow each other, and which do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from edge.clock import Timebase


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that is stored.

    Attributes:
        vehicle: the signed vehicle.
        stream: 16 bytes.
        sha256: of its signed bytes; by this the next one and receipts name it.
        first: chain number of the first block that it covers.
        last: of the last.
        previous: SHA-256 of the signed checkpoint before; None for the stream's first.
        last_number: the greatest record number committed when it was made.
        timebase: how its time relates to wall time.
        t_ns: when it was made, nanoseconds since its boot.
        received_ns: Unix time at which it came, in nanoseconds.
    """

    vehicle: str
    stream: bytes
    sha256: bytes
    first: int
    last: int
    previous: bytes | None
    last_number: int
    timebase: Timebase
    t_ns: int
    received_ns: int


class Standing(StrEnum):
    """How a checkpoint stands to the others of its stream."""

    FIRST = "begins the chain"
    FOLLOWS = "follows the one before"
    WAITS = "the checkpoint before is not here"
    FORKS = "another checkpoint came first in this place"
    LEAPS = "does not begin after the last block of the one before"
    FEWER = "speaks of fewer records than the one before"

    @property
    def sound(self) -> bool:
        """Whether nothing in the store contradicts it, so that a receipt may countersign it."""
        return self in {Standing.FIRST, Standing.FOLLOWS, Standing.WAITS}


def standing(
    checkpoint: KeptCheckpoint, before: KeptCheckpoint | None, first_in_place: KeptCheckpoint
) -> Standing:
    """How a checkpoint stands.

    Args:
        checkpoint: the one in question.
        before: the one that it names as the one before, where that is stored.
        first_in_place: of all stored that name the same one before, that which came first.
    """
    if first_in_place.sha256 != checkpoint.sha256:
        return Standing.FORKS
    if checkpoint.previous is None:
        return Standing.FIRST
    if before is None:
        return Standing.WAITS
    if checkpoint.first != before.last + 1:
        return Standing.LEAPS
    if checkpoint.last_number < before.last_number:
        return Standing.FEWER
    return Standing.FOLLOWS


def standings(checkpoints: Iterable[KeptCheckpoint]) -> Mapping[bytes, Standing]:
    """How each checkpoint of one stream stands, by its SHA-256.

    Args:
        checkpoints: of one stream, in the order in which they came.
    """
    held = {each.sha256: each for each in checkpoints}
    first_in_place: dict[bytes | None, KeptCheckpoint] = {}
    for each in held.values():
        first_in_place.setdefault(each.previous, each)
    return {
        sha256: standing(each, held.get(each.previous or b""), first_in_place[each.previous])
        for sha256, each in held.items()
    }
