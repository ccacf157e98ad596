"""What waits to be acknowledged: the store that a session sends from, and one that lives in memory."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from edge.uplink.outgoing import Kind, Outgoing

QUEUE_FULL = "queue full, never sent"
QUEUE_FULL_SENT = "queue full, sent but not acknowledged"
LARGER_THAN_QUEUE = "larger than the queue"

_LOSS_RANGES_KEPT = 10_000
_COMPACT_AT = 64


class Progress(Enum):
    """How far a held message has come."""

    WAITING = "waiting"
    """To be sent, for the first time or again."""

    IN_FLIGHT = "in flight"
    """Published, the broker has not said PUBACK."""

    HANDED_OVER = "handed over"
    """The broker has said PUBACK, the platform has not sent a receipt."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Neighbouring messages that were given up for one cause, to be told to the platform as a range entry.

    Attributes:
        cause: the words that the account counts it under.
        kind: of the messages.
        stream: whose numbers these are; empty for messages without numbers.
        first_number: the first number given up.
        last_number: the last.
        messages: how many messages.
        records: how many records were in them.
        perhaps_received: whether they had been sent before, so that the platform may have them all the same.
    """

    cause: str
    kind: Kind
    stream: bytes
    first_number: int
    last_number: int
    messages: int
    records: int
    perhaps_received: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of messages, with their records and payload bytes."""

    messages: int = 0
    records: int = 0
    payload_bytes: int = 0

    def plus(self, item: Outgoing) -> Tally:
        """With `item` counted in."""
        return Tally(
            self.messages + 1, self.records + item.record_count, self.payload_bytes + len(item.payload)
        )

    def minus(self, item: Outgoing) -> Tally:
        """With `item` counted out."""
        return Tally(
            self.messages - 1, self.records - item.record_count, self.payload_bytes - len(item.payload)
        )


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """Everything that went through a store: `entered` is `acknowledged` + `held` + the sum of `lost`."""

    entered: Tally
    acknowledged: Tally
    held: Tally
    lost: Mapping[str, Tally]


class Store(ABC):
    """Messages that are held until they are acknowledged; safe to be used by several threads.

    A message is held with its signed bytes before it is first sent, so that a repeat is byte-identical. Its
    position is its place in the order of arrival, and never given out twice.
    """

    @abstractmethod
    def put(self, item: Outgoing) -> None:
        """Take a message in."""

    @abstractmethod
    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        """The first held message of `kind` at a position greater than `after`, with its position.

        A store may make messages only now, and say None although it will have one later; it then calls
        `Uplink.wake` when it has.
        """

    @abstractmethod
    def get(self, position: int) -> Outgoing | None:
        """The message at `position`, or None if it is no longer held."""

    @abstractmethod
    def note(self, position: int, progress: Progress) -> None:
        """Remember how far a message has come; a position that is no longer held is passed over."""

    @abstractmethod
    def acknowledge(self, position: int) -> bool:
        """Let go of a message that has arrived; False if it was no longer held."""

    @abstractmethod
    def set_aside(self, position: int, cause: str) -> bool:
        """Give a message up for `cause` and count it lost; False if it was no longer held."""

    @abstractmethod
    def counts(self) -> StoreCounts:
        """The counters, all of one moment."""

    def empty(self) -> bool:
        """Whether nothing is left to be sent or acknowledged, also of what is not made into messages yet."""
        return not self.counts().held.messages

    @abstractmethod
    def take_losses(self) -> tuple[Loss, ...]:
        """The losses since the last call, in the order in which they happened."""


@dataclass(slots=True)
class _Held:
    item: Outgoing
    progress: Progress = Progress.WAITING
    sent: bool = False


class MemoryOutbox(Store):
    """A store in memory, bounded in messages and payload bytes.

    When a message does not fit, messages are given up until it does: always of the last kind held (the new
    message's own kind counts as held, and is given up itself if only kinds before it are held); within the
    kind first those that are not in flight; of those the oldest. So an alarm is never given up while a live
    message is held, nor a live message while backlog is.

    Args:
        max_messages: how many messages are held at most, from 1.
        max_bytes: how many payload bytes are held at most, from 1.
    """

    def __init__(self, *, max_messages: int, max_bytes: int) -> None:
        if max_messages < 1 or max_bytes < 1:
            message = f"an outbox of {max_messages} messages and {max_bytes} bytes holds nothing"
            raise ValueError(message)
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: dict[Kind, dict[int, _Held]] = {kind: {} for kind in Kind}
        self._order: dict[Kind, list[int]] = {kind: [] for kind in Kind}
        self._kind_of: dict[int, Kind] = {}
        self._last_position = 0
        self._entered = Tally()
        self._acknowledged = Tally()
        self._holding = Tally()
        self._lost: dict[str, Tally] = {}
        self._losses: list[Loss] = []
        self._loss_ranges_forgotten = 0

    @property
    def loss_ranges_forgotten(self) -> int:
        """Ranges dropped because nobody took them; their messages and records stay counted."""
        return self._loss_ranges_forgotten

    def put(self, item: Outgoing) -> None:
        """See `Store.put`; may give up messages, this one included."""
        with self._lock:
            self._entered = self._entered.plus(item)
            if len(item.payload) > self._max_bytes:
                self._lose(item, LARGER_THAN_QUEUE, sent=False)
                return
            while not self._fits(item):
                last = max(kind for kind in Kind if self._held[kind])
                if last < item.kind:
                    self._lose(item, QUEUE_FULL, sent=False)
                    return
                victim = self._victim(last)
                held = self._remove(victim)
                self._lose(held.item, QUEUE_FULL_SENT if held.sent else QUEUE_FULL, sent=held.sent)
            self._last_position += 1
            self._held[item.kind][self._last_position] = _Held(item)
            self._order[item.kind].append(self._last_position)
            self._kind_of[self._last_position] = item.kind
            self._holding = self._holding.plus(item)

    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        """See `Store.next`."""
        with self._lock:
            order, held = self._order[kind], self._held[kind]
            for place in range(bisect_right(order, after), len(order)):
                found = held.get(order[place])
                if found is not None:
                    return order[place], found.item
            return None

    def get(self, position: int) -> Outgoing | None:
        """See `Store.get`."""
        with self._lock:
            held = self._find(position)
            return None if held is None else held.item

    def note(self, position: int, progress: Progress) -> None:
        """See `Store.note`."""
        with self._lock:
            held = self._find(position)
            if held is not None:
                held.progress = progress
                held.sent = held.sent or progress is not Progress.WAITING

    def acknowledge(self, position: int) -> bool:
        """See `Store.acknowledge`."""
        with self._lock:
            if position not in self._kind_of:
                return False
            self._acknowledged = self._acknowledged.plus(self._remove(position).item)
            return True

    def set_aside(self, position: int, cause: str) -> bool:
        """See `Store.set_aside`."""
        with self._lock:
            if position not in self._kind_of:
                return False
            held = self._remove(position)
            self._lose(held.item, cause, sent=held.sent)
            return True

    def counts(self) -> StoreCounts:
        """See `Store.counts`."""
        with self._lock:
            return StoreCounts(self._entered, self._acknowledged, self._holding, dict(self._lost))

    def progress(self) -> Mapping[Progress, int]:
        """How many held messages have come how far."""
        with self._lock:
            return Counter(held.progress for kind in Kind for held in self._held[kind].values())

    def take_losses(self) -> tuple[Loss, ...]:
        """See `Store.take_losses`; of ranges that nobody takes, the oldest 10,000 are kept."""
        with self._lock:
            losses, self._losses = self._losses, []
            return tuple(losses)

    def _fits(self, item: Outgoing) -> bool:
        return (
            self._holding.messages < self._max_messages
            and self._holding.payload_bytes + len(item.payload) <= self._max_bytes
        )

    def _find(self, position: int) -> _Held | None:
        kind = self._kind_of.get(position)
        return None if kind is None else self._held[kind][position]

    def _victim(self, kind: Kind) -> int:
        held = self._held[kind]
        for position, candidate in held.items():
            if candidate.progress is not Progress.IN_FLIGHT:
                return position
        return next(iter(held))

    def _remove(self, position: int) -> _Held:
        kind = self._kind_of.pop(position)
        held = self._held[kind].pop(position)
        order = self._order[kind]
        if len(order) > _COMPACT_AT and len(order) > 2 * len(self._held[kind]):
            self._order[kind] = list(self._held[kind])
        self._holding = self._holding.minus(held.item)
        return held

    def _lose(self, item: Outgoing, cause: str, *, sent: bool) -> None:
        self._lost[cause] = self._lost.get(cause, Tally()).plus(item)
        loss = Loss(
            cause, item.kind, item.stream, item.first_number, item.last_number, 1, item.record_count, sent
        )
        if self._losses and _continues(self._losses[-1], loss):
            before = self._losses[-1]
            self._losses[-1] = replace(
                before,
                last_number=loss.last_number,
                messages=before.messages + 1,
                records=before.records + loss.records,
            )
        elif len(self._losses) < _LOSS_RANGES_KEPT:
            self._losses.append(loss)
        else:
            self._loss_ranges_forgotten += 1


def _continues(before: Loss, loss: Loss) -> bool:
    same = (before.cause, before.kind, before.stream, before.perhaps_received) == (
        loss.cause,
        loss.kind,
        loss.stream,
        loss.perhaps_received,
    )
    return same and (not loss.stream or loss.first_number == before.last_number + 1)
