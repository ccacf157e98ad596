"""`TriggerRun`: one configured event, from the crossing of its condition to the end of its window."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.clock import NS_PER_S
from edge.frames import FrameBatch
from edge.vehicle.expression import Edge, Expression
from edge.vehicle.frame_ring import Past
from edge.vehicle.outcome import EventEnded, EventFrames, EventOutcome, EventStarted

_HOUR_NS = 3600 * NS_PER_S

TIME_OVER = "its time was over"
LASTED_LONGEST = "it had lasted as long as an event may"
RUN_ENDED = "the run ended"

Reached = npt.NDArray[np.int64]
GetPast = Callable[[int, FrameBatch], Past]
"""From a time and the frames of this batch so far to the frames since then."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event that is waited for.

    Attributes:
        name: what it is called.
        expression: when it comes about.
        for_ns: how long the expression has to be true before it counts; the event is at its beginning.
        pre_ns: the window begins so long before that.
        post_ns: it ends so long after it counted.
        longest_ns: a window that is prolonged, since the event came about again, ends at the latest so long
            after it counted first.
        frames: whether the raw frames of the window are handed on.
        most_per_hour: further events within an hour are only counted; None for no bound.
        most_locked: so many of its events in a run have to outlast later ones, the first of them; one whose
            condition was true when its signals were first seen does not count: nobody saw it come about.
    """

    name: str
    expression: Expression
    for_ns: int
    pre_ns: int
    post_ns: int
    longest_ns: int
    frames: bool
    most_per_hour: int | None = None
    most_locked: int = 0


@dataclass(slots=True)
class _Crossing:
    """A condition that is true, and has not counted yet."""

    at_ns: int
    edge: Edge
    row: int


@dataclass(slots=True)
class _Window:
    """An open window."""

    event_id: str
    from_ns: int
    to_ns: int
    latest_to_ns: int
    next_row: int
    frames: int = 0
    again: int = 0


class TriggerRun:
    """Follows one trigger. What counts is the order in which frames came, not how they were batched.

    Attributes:
        trigger: which.
        counts: how often it came about, began, and what became of the rest.
    """

    def __init__(self, trigger: Trigger, past: GetPast) -> None:
        self.trigger = trigger
        self.counts: Counter[str] = Counter()
        self._past = past
        self._crossing: _Crossing | None = None
        self._window: _Window | None = None
        self._begun_ns: deque[int] = deque()
        self._locked = 0

    def take(self, batch: FrameBatch, reached: Reached, edges: Sequence[Edge]) -> list[EventOutcome]:
        """Take a batch.

        Args:
            batch: its frames.
            reached: the greatest time up to each of them.
            edges: where the condition changed.
        """
        outcomes: list[EventOutcome] = []
        for edge in edges:
            self._pass(batch, reached, edge.row, int(reached[edge.row]), outcomes)
            at_ns = int(reached[edge.row])
            self._crossing = _Crossing(at_ns, edge, edge.row) if edge.up else None
        if len(batch):
            self._pass(batch, reached, len(batch), int(reached[-1]), outcomes)
        if self._window is not None:
            self._hand_on(self._window, batch, len(batch), outcomes)
            self._window.next_row = 0
        if self._crossing is not None:
            self._crossing.row = 0
        return outcomes

    def settle(self, up_to_ns: int) -> list[EventOutcome]:
        """Let time pass without frames: none is expected from before `up_to_ns`."""
        outcomes: list[EventOutcome] = []
        if self._crossing is not None or self._window is not None:
            self._pass(FrameBatch.empty(), np.empty(0, np.int64), 0, up_to_ns, outcomes)
        return outcomes

    def end(self) -> list[EventOutcome]:
        """The run is over: what is open ends."""
        outcomes: list[EventOutcome] = []
        if self._window is not None:
            self._close(self._window, RUN_ENDED, outcomes)
        return outcomes

    def _pass(
        self, batch: FrameBatch, reached: Reached, row: int, now_ns: int, outcomes: list[EventOutcome]
    ) -> None:
        """Do what falls due by `now_ns`, the time of the frame at `row`, in order of time."""
        while True:
            crossing, window = self._crossing, self._window
            due_ns = now_ns + 1 if crossing is None else crossing.at_ns + self.trigger.for_ns
            if crossing is not None and due_ns <= now_ns and (window is None or due_ns <= window.to_ns):
                self._crossing = None
                first = max(int(np.searchsorted(reached, due_ns, "left")), crossing.row)
                self._count(batch, min(first, row), due_ns, crossing, outcomes)
            elif window is not None and window.to_ns < now_ns:
                after = int(np.searchsorted(reached, window.to_ns, "right"))
                self._hand_on(window, batch, min(after, row), outcomes)
                longest = window.again and window.to_ns == window.latest_to_ns
                self._close(window, LASTED_LONGEST if longest else TIME_OVER, outcomes)
            else:
                return

    def _count(
        self,
        batch: FrameBatch,
        row: int,
        due_ns: int,
        crossing: _Crossing,
        outcomes: list[EventOutcome],
    ) -> None:
        """The condition has been true for long enough, at the frame at `row`."""
        trigger, window = self.trigger, self._window
        self.counts["entered"] += 1
        if window is not None:
            window.again += 1
            window.to_ns = min(due_ns + trigger.post_ns, window.latest_to_ns)
            self.counts["again within an open event"] += 1
            return
        while self._begun_ns and self._begun_ns[0] <= due_ns - _HOUR_NS:
            self._begun_ns.popleft()
        if trigger.most_per_hour is not None and len(self._begun_ns) >= trigger.most_per_hour:
            self.counts["more than most_per_hour"] += 1
            return
        self.counts["left"] += 1
        self._begun_ns.append(due_ns)
        self._open(batch, row, due_ns, crossing, outcomes)

    def _open(
        self,
        batch: FrameBatch,
        row: int,
        due_ns: int,
        crossing: _Crossing,
        outcomes: list[EventOutcome],
    ) -> None:
        trigger = self.trigger
        from_ns = crossing.at_ns - trigger.pre_ns
        event_id = f"{trigger.name}@{crossing.at_ns}"
        longest_ns = due_ns + max(trigger.longest_ns, trigger.post_ns)
        window = _Window(event_id, from_ns, due_ns + trigger.post_ns, longest_ns, row)
        past = self._past(from_ns, batch.take(slice(0, row))) if trigger.frames else Past((), from_ns)
        locked = self._locked < trigger.most_locked and not crossing.edge.first_sight
        self._locked += locked
        self.counts["events whose beginning was not kept"] += past.complete_from_ns > from_ns
        outcomes.append(
            EventStarted(
                event_id=event_id,
                trigger=trigger.name,
                at_ns=crossing.at_ns,
                from_ns=from_ns,
                to_ns=window.to_ns,
                cause=crossing.edge.cause,
                frames=trigger.frames,
                locked=locked,
                complete_from_ns=past.complete_from_ns,
            )
        )
        for frames in past.batches:
            window.frames += len(frames)
            outcomes.append(EventFrames(event_id, frames))
        self._window = window

    def _hand_on(
        self, window: _Window, batch: FrameBatch, end_row: int, outcomes: list[EventOutcome]
    ) -> None:
        """Hand on the frames of `batch` up to `end_row` that were not yet."""
        frames = batch.take(slice(window.next_row, end_row))
        window.next_row = max(window.next_row, end_row)
        if not self.trigger.frames or not len(frames):
            return
        late = frames.t_ns < window.from_ns
        if late.any():
            frames = frames.take(~late)
        if len(frames):
            window.frames += len(frames)
            outcomes.append(EventFrames(window.event_id, frames))

    def _close(self, window: _Window, cause: str, outcomes: list[EventOutcome]) -> None:
        self._window = None
        self.counts["raw frames of events"] += window.frames
        outcomes.append(
            EventEnded(
                event_id=window.event_id,
                trigger=self.trigger.name,
                from_ns=window.from_ns,
                to_ns=window.to_ns,
                cause=cause,
                frames=window.frames,
                again=window.again,
            )
        )
