"""The core: masked batches in, the records of each sample instant out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from edge.account import Hop
from edge.clock import NS_PER_S, Timebase
from edge.database.model import SignalRef
from edge.decode.latest import LatestValues
from edge.frames import FrameBatch
from edge.records import Record
from edge.sensors.observation import Observation
from edge.vehicle.event_watch import EventWatch
from edge.vehicle.outcome import EventOutcome
from edge.vehicle.reporter import Reporter
from edge.vehicle.rules import SamplingRules
from edge.vehicle.sampler import Sampler
from edge.vehicle.schedule import Schedule

LONGEST_GAP_NS = 3600 * NS_PER_S
"""What stands still for longer is taken to have been switched off or asleep: the gap makes no records."""

_LONG_AGO_NS = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one of the door's masks leaves, of all that there may ever be.

    Attributes:
        withheld: signals that it removes.
        items: ids of the items that records hold.
        rests_on: the consents that signals and items rest on, as a data key is labelled; those by law are not
            in it.
    """

    withheld: frozenset[SignalRef]
    items: frozenset[str]
    rests_on: Mapping[SignalRef | str, str] = field(default_factory=lambda: MappingProxyType({}))

    def renewed(self, before: Limits) -> frozenset[SignalRef | str]:
        """What rested on other consents before: nothing of that may stand for what is collected now."""
        return frozenset(
            one for one, label in self.rests_on.items() if before.rests_on.get(one, label) != label
        )


class Core:
    """Keeps the latest values up to each sample instant and samples them there.

    Args:
        latest: the decode room's live path.
        sampler: the vehicle room's records.
        period_ns: time between two sample instants, multiples of which on the boot clock they are.
        rules: which samples become records; without them each does, at every instant of `period_ns`.
        events: watches for events; None where none are configured.
        limits: what each mask leaves; None where all masks leave the same.
    """

    def __init__(
        self,
        latest: LatestValues,
        sampler: Sampler,
        *,
        period_ns: int,
        rules: SamplingRules | None = None,
        events: EventWatch | None = None,
        limits: Callable[[str], Limits] | None = None,
    ) -> None:
        self._latest = latest
        self._sampler = sampler
        self._reporter = None if rules is None else Reporter(sampler, rules)
        self._period_ns = period_ns if rules is None else rules.period_ns
        self._events = events
        self._limits = limits
        self._events_see = True
        self._left = Limits(frozenset(), frozenset())
        self._schedule: Schedule | None = None
        self._timebase = Timebase()
        self._mask = ""
        self._newest_ns = _LONG_AGO_NS
        self._sampled_ns = _LONG_AGO_NS
        self._made = 0
        self._gaps = 0
        self._behind = 0

    @property
    def mask(self) -> str:
        """Name of the mask that the last batch went through; empty before the first."""
        return self._mask

    @property
    def watched_until_ns(self) -> int | None:
        """When the watch after switching off ends, boot-monotonic; None where the rules ask for none now."""
        return None if self._reporter is None else self._reporter.watched_until_ns

    def take(self, batch: FrameBatch) -> Iterator[Record]:
        """Take in a batch and make the records of every instant up to its newest frame.

        Events are judged at once, before any record: `take_events` has them when this returns. A frame that
        comes after the record of its instant was made counts for the next one, and as the fact ``frames
        behind their record``. How frames are batched makes no difference.

        Args:
            batch: frames through the door, in time order but for late ones.

        Returns:
            The records, each made when it is asked for; all have to be taken before anything else is.
        """
        if batch.mask != self._mask:
            self._turn_to(batch.mask)
        if not len(batch):
            return iter(())
        self._timebase = batch.timebase
        if self._events is not None and self._events_see:
            self._events.take(batch)
        return self._records(batch)

    def _records(self, batch: FrameBatch) -> Iterator[Record]:
        for schedule, part in self._runs(batch):
            for frames, instant_ns in schedule.cut(part, int(part.t_ns.max())):
                self._behind += int(np.count_nonzero(frames.t_ns < self._sampled_ns))
                self._latest.update(frames)
                if instant_ns is not None:
                    yield from self._sample(instant_ns)

    def settle(self, up_to_ns: int, timebase: Timebase) -> Iterator[Record]:
        """Make the records that fall due up to `up_to_ns` although no newer frame has come.

        Args:
            up_to_ns: a time before which no frame is expected any more.
            timebase: of that time.
        """
        if self._events is not None:
            self._events.settle(up_to_ns)
        if self._schedule is None or up_to_ns - self._newest_ns > LONGEST_GAP_NS:
            self._gaps += self._schedule is not None
            self._begin(up_to_ns)
            return
        self._timebase = timebase
        self._newest_ns = max(self._newest_ns, up_to_ns)
        for instant_ns in self._schedule.due(up_to_ns):
            yield from self._sample(instant_ns)

    def take_events(self) -> tuple[EventOutcome, ...]:
        """Hand out what became of events since the last call, in order; to be asked after each batch."""
        return () if self._events is None else self._events.take_outcomes()

    def end_events(self) -> None:
        """End the events that are open, since no frames follow; `take_events` hands out how."""
        if self._events is not None:
            self._events.end()

    def observe(self, observation: Observation) -> None:
        """Take up what a sensor says of an item."""
        self._sampler.observe(observation)

    def hops(self) -> tuple[Hop, ...]:
        """Report what the live path knew of the frames, and the records made."""
        facts = {"gaps without records": self._gaps, "frames behind their record": self._behind}
        if self._reporter is not None:
            facts |= self._reporter.facts()
        records = Hop("records", "records", self._made, self._made, facts=facts)
        observations = self._sampler.hop()
        events = () if self._events is None else (self._events.hop(),)
        return (self._latest.hop(), *((observations,) if observations.entered else ()), records, *events)

    def _turn_to(self, mask: str) -> None:
        """From here on frames come through another mask: what it removes has no value any more."""
        self._mask = mask
        if self._limits is not None:
            limits = self._limits(mask)
            renewed = limits.renewed(self._left)
            if renewed:
                signals = frozenset(one for one in renewed if isinstance(one, SignalRef))
                self._restrict(limits.withheld | signals, limits.items - renewed)
            self._restrict(limits.withheld, limits.items)
            self._left = limits
            if self._events is not None:
                # What a condition depends on must not read as 0: with less, no event begins or ends.
                self._events_see = limits.withheld.isdisjoint(self._events.wanted)

    def _restrict(self, withheld: frozenset[SignalRef], items: frozenset[str]) -> None:
        self._latest.restrict(withheld)
        self._sampler.restrict(items)
        if self._reporter is not None:
            self._reporter.restrict(withheld)

    def _begin(self, t_ns: int) -> Schedule:
        between_ns = None if self._reporter is None else self._reporter.between_ns
        self._schedule = Schedule(self._period_ns, start_ns=t_ns, between_ns=between_ns)
        if self._reporter is not None:
            self._reporter.restart()
        self._newest_ns = t_ns
        return self._schedule

    def _runs(self, batch: FrameBatch) -> Iterator[tuple[Schedule, FrameBatch]]:
        """Split a batch where nothing came for longer than the longest gap, and begin anew after it."""
        schedule = self._schedule or self._begin(int(batch.t_ns[0]))
        newest_ns = int(batch.t_ns.max())
        if newest_ns - self._newest_ns <= LONGEST_GAP_NS:
            self._newest_ns = max(self._newest_ns, newest_ns)
            yield schedule, batch
            return
        reached = np.maximum(np.maximum.accumulate(batch.t_ns), self._newest_ns)
        steps = np.diff(reached, prepend=np.int64(self._newest_ns))
        gaps = np.flatnonzero(steps > LONGEST_GAP_NS).tolist()
        starts = sorted({0, *gaps})
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            if start in gaps:
                self._gaps += 1
                schedule = self._begin(int(reached[start]))
            self._newest_ns = int(reached[end - 1])
            yield schedule, batch.take(slice(start, end))

    def _sample(self, instant_ns: int) -> Iterator[Record]:
        self._sampled_ns = instant_ns
        snapshot = self._latest.snapshot()
        if self._reporter is None:
            self._made += 1
            yield self._sampler.sample(instant_ns, self._timebase, snapshot, self._mask)
            return
        for record in self._reporter.take(instant_ns, self._timebase, snapshot, self._mask):
            self._made += 1
            yield record
