"""`HeldMessages`: the messages that were made and are not acknowledged, by position."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from edge.uplink.outbox import QUEUE_FULL, Loss, Progress, StoreCounts, Tally
from edge.uplink.outgoing import Kind, Outgoing

VOLATILE = 0
"""The row of a message that is in memory alone."""

VOLATILE_MESSAGES = 1_000
VOLATILE_BYTES = 16 << 20
_FOR_ALARMS = 2
"""Alarms have as much room again, which other messages leave to them."""

_COMPACT_AT = 64


@dataclass(slots=True)
class Held:
    """One of them.

    Attributes:
        item: the message.
        row: its row in the journal, or `VOLATILE`.
        stream: ordinal of its stream in the journal; 0 without.
        progress: how far it has come.
        sent: whether it was ever sent.
    """

    item: Outgoing
    row: int
    stream: int
    progress: Progress = Progress.WAITING
    sent: bool = False


class HeldMessages:
    """Messages in the order in which they came, and the sums over all that ever came."""

    def __init__(self) -> None:
        self._by_position: dict[int, Held] = {}
        self._order: dict[Kind, list[int]] = {kind: [] for kind in Kind}
        self._last_position = 0
        self._entered = Tally()
        self._acknowledged = Tally()
        self._holding = Tally()
        self._statements = Tally()
        self._volatile = Tally()
        self._lost: dict[str, Tally] = {}

    def __len__(self) -> int:
        return len(self._by_position)

    def of_numbers(self) -> tuple[int, int]:
        """Messages and payload bytes held now, but for those without records' numbers."""
        return (
            self._holding.messages - self._statements.messages,
            self._holding.payload_bytes - self._statements.payload_bytes,
        )

    def admits(self, kind: Kind, payload_bytes: int) -> bool:
        """Whether one more message may be held in memory alone."""
        share = _FOR_ALARMS if kind is Kind.ALARM else 1
        return (
            self._volatile.messages < share * VOLATILE_MESSAGES
            and self._volatile.payload_bytes + payload_bytes <= share * VOLATILE_BYTES
        )

    def put(self, held: Held) -> int:
        """Take a message in behind all others; tell its position."""
        self._last_position += 1
        self._by_position[self._last_position] = held
        self._order[held.item.kind].append(self._last_position)
        self._entered = self._entered.plus(held.item)
        self._holding = self._holding.plus(held.item)
        if _beside_records(held.item):
            self._statements = self._statements.plus(held.item)
        if held.row == VOLATILE:
            self._volatile = self._volatile.plus(held.item)
        return self._last_position

    def refuse(self, item: Outgoing, cause: str) -> None:
        """Count a message lost that there is no room for."""
        self._entered = self._entered.plus(item)
        self._lost[cause] = self._lost.get(cause, Tally()).plus(item)

    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        """The first message of `kind` at a position greater than `after`."""
        order = self._order[kind]
        for place in range(bisect_right(order, after), len(order)):
            held = self._by_position.get(order[place])
            if held is not None:
                return order[place], held.item
        return None

    def get(self, position: int) -> Held | None:
        """The message at a position; None if it is no longer held."""
        return self._by_position.get(position)

    def acknowledge(self, position: int) -> Held | None:
        """Let go of a message that has arrived."""
        held = self._pop(position)
        if held is not None:
            self._acknowledged = self._acknowledged.plus(held.item)
        return held

    def give_up(self, position: int, cause: str) -> Held | None:
        """Let go of a message that will not arrive."""
        held = self._pop(position)
        if held is not None:
            self._lost[cause] = self._lost.get(cause, Tally()).plus(held.item)
        return held

    def places(self) -> list[tuple[int, Held]]:
        """All that are held, with their positions."""
        return list(self._by_position.items())

    def all(self) -> Iterable[Held]:
        """All that are held."""
        return self._by_position.values()

    def counts(self) -> StoreCounts:
        """The sums."""
        return StoreCounts(self._entered, self._acknowledged, self._holding, dict(self._lost))

    def _pop(self, position: int) -> Held | None:
        held = self._by_position.pop(position, None)
        if held is None:
            return None
        self._holding = self._holding.minus(held.item)
        if _beside_records(held.item):
            self._statements = self._statements.minus(held.item)
        if held.row == VOLATILE:
            self._volatile = self._volatile.minus(held.item)
        order = self._order[held.item.kind]
        if len(order) > _COMPACT_AT and len(order) > 2 * len(self._by_position):
            order[:] = [one for one in order if one in self._by_position]
        return held


def _beside_records(item: Outgoing) -> bool:
    """Whether a message answers for no record's number."""
    return item.kind is Kind.MEDIA or not item.numbered


def loss_of(item: Outgoing) -> Loss:
    """What is to be told of a message in memory alone that is given up."""
    return Loss(
        QUEUE_FULL, item.kind, item.stream, item.first_number, item.last_number, 1, item.record_count, False
    )
