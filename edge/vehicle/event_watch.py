"""`EventWatch`: all triggers over the batches as they come, and the raw frames that precede an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edge.account import Hop
from edge.database.model import Database, Message, SignalRef
from edge.decode.lookup import FIRST_CODE, Lookup
from edge.decode.message import Column
from edge.decode.plan import DecodePlan
from edge.frames import FrameBatch
from edge.vehicle.expression import ConditionWatch
from edge.vehicle.frame_ring import FrameRing
from edge.vehicle.outcome import EventOutcome
from edge.vehicle.trigger import Trigger, TriggerRun

RING_BYTES = 16_000_000

_LONG_AGO_NS = -(1 << 62)
_FACTS = ("raw frames of events", "events whose beginning was not kept")


class EventWatch:
    """Watches for the events of `triggers`.

    Every frame is seen; only messages that hold a signal of a condition are decoded. Events, their frames and
    their times are the same however the frames are batched.

    Args:
        databases: of each bus.
        triggers: what is waited for.
        ring_bytes: what the frames that may precede an event take at most, data and 17 bytes each.

    Attributes:
        wanted: the signals that conditions depend on.
    """

    def __init__(
        self,
        databases: Mapping[str, Sequence[Database]],
        triggers: Sequence[Trigger],
        *,
        ring_bytes: int = RING_BYTES,
    ) -> None:
        self.wanted = frozenset[SignalRef]().union(*(trigger.expression.refs for trigger in triggers))
        self._plan = DecodePlan(_only(databases, self.wanted), wanted=self.wanted)
        self._lookup = Lookup(self._plan.by_bus)
        with_frames = [trigger.pre_ns + trigger.for_ns for trigger in triggers if trigger.frames]
        self._ring = FrameRing(span_ns=max(with_frames, default=0), most_bytes=ring_bytes)
        self._ring_used = bool(with_frames)
        self._watches = [
            (ConditionWatch(trigger.expression), TriggerRun(trigger, self._ring.since))
            for trigger in triggers
        ]
        self._outcomes: list[EventOutcome] = []
        self._reached_ns = _LONG_AGO_NS

    def take(self, batch: FrameBatch) -> None:
        """Take frames through the door, in time order but for late ones; a late one counts when it comes."""
        if not len(batch):
            return
        reached = np.maximum(np.maximum.accumulate(batch.t_ns), self._reached_ns)
        self._reached_ns = int(reached[-1])
        columns = self._columns(batch)
        for watch, run in self._watches:
            self._outcomes += run.take(batch, reached, watch.take(columns, batch.t_ns))
        if self._ring_used:
            self._ring.push(batch, self._reached_ns)

    def _columns(self, batch: FrameBatch) -> Mapping[SignalRef, Column]:
        """What the few frames that matter decode to, by their rows in the batch."""
        rows = np.flatnonzero(self._lookup.codes(batch) >= FIRST_CODE)
        if not len(rows):
            return {}
        columns = self._plan.decode(batch.take(rows)).columns
        return {ref: Column(rows[column.rows], column.values) for ref, column in columns.items()}

    def settle(self, up_to_ns: int) -> None:
        """Let time pass: no frame is expected from before `up_to_ns`."""
        for _, run in self._watches:
            self._outcomes += run.settle(up_to_ns)

    def end(self) -> None:
        """End what is open, since no frames follow."""
        for _, run in self._watches:
            self._outcomes += run.end()

    def take_outcomes(self) -> tuple[EventOutcome, ...]:
        """Hand out what came about since the last call, that of one event in order."""
        outcomes, self._outcomes = tuple(self._outcomes), []
        return outcomes

    def hop(self) -> Hop:
        """The account of the events."""
        counts: Counter[str] = Counter()
        for _, run in self._watches:
            counts.update(run.counts)
        causes = {
            cause: number
            for cause, number in counts.items()
            if number and cause not in {"entered", "left", *_FACTS}
        }
        facts = {fact: counts[fact] for fact in _FACTS}
        return Hop("events", "events", counts["entered"], counts["left"], causes, facts=facts)


def _only(
    databases: Mapping[str, Sequence[Database]], wanted: Collection[SignalRef]
) -> dict[str, tuple[Database, ...]]:
    """The databases with those messages alone that decide what frames of `wanted` signals are."""
    return {
        bus: tuple(_trimmed(database, bus, wanted) for database in each) for bus, each in databases.items()
    }


def _trimmed(database: Database, bus: str, wanted: Collection[SignalRef]) -> Database:
    names = {ref.message for ref in wanted if ref.bus == bus}
    asked = [message for message in database.messages if _names(message) & names]
    # A parameter group is told apart by source address among all messages that have it.
    groups = {message.pgn for message in asked if message.pgn is not None}
    kept = [message for message in database.messages if message in asked or message.pgn in groups]
    return replace(database, messages=tuple(kept))


def _names(message: Message) -> set[str]:
    return {message.name, *(inner.name for inner in message.contained)}
