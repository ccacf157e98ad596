"""The core: masked batches in, the records of each sample instant out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.account import Hop
from edge.clock import NS_PER_S, Timebase
from edge.decode.latest import LatestValues
from edge.frames import FrameBatch
from edge.records import Record
from edge.sensors.observation import Observation
from edge.vehicle.sampler import Sampler
from edge.vehicle.schedule import Schedule

LONGEST_GAP_NS = 3600 * NS_PER_S
"""What stands still for longer is taken to have been switched off or asleep: the gap makes no records."""

_LONG_AGO_NS = -(1 << 62)


class Core:
    """Keeps the latest values up to each sample instant and samples them there.

    Args:
        latest: the decode room's live path.
        sampler: the vehicle room's records.
        period_ns: time between two sample instants, multiples of which on the boot clock they are.
    """

    def __init__(self, latest: LatestValues, sampler: Sampler, *, period_ns: int) -> None:
        self._latest = latest
        self._sampler = sampler
        self._period_ns = period_ns
        self._schedule: Schedule | None = None
        self._timebase = Timebase()
        self._mask = ""
        self._newest_ns = _LONG_AGO_NS
        self._sampled_ns = _LONG_AGO_NS
        self._made = 0
        self._gaps = 0
        self._behind = 0

    def take(self, batch: FrameBatch) -> Iterator[Record]:
        """Take in a batch and make the records of every instant up to its newest frame.

        A frame that comes after the record of its instant was made counts for the next one, and as the fact
        ``frames behind their record``. How frames are batched makes no difference.

        Args:
            batch: frames through the door, in time order but for late ones.

        Yields:
            The records, each as soon as it is made.
        """
        self._mask = batch.mask
        if not len(batch):
            return
        self._timebase = batch.timebase
        for schedule, part in self._runs(batch):
            for frames, instant_ns in schedule.cut(part, int(part.t_ns.max())):
                self._behind += int(np.count_nonzero(frames.t_ns < self._sampled_ns))
                self._latest.update(frames)
                if instant_ns is not None:
                    yield self._sample(instant_ns)

    def settle(self, up_to_ns: int, timebase: Timebase) -> Iterator[Record]:
        """Make the records that fall due up to `up_to_ns` although no newer frame has come.

        Args:
            up_to_ns: a time before which no frame is expected any more.
            timebase: of that time.
        """
        if self._schedule is None or up_to_ns - self._newest_ns > LONGEST_GAP_NS:
            self._gaps += self._schedule is not None
            self._begin(up_to_ns)
            return
        self._timebase = timebase
        self._newest_ns = max(self._newest_ns, up_to_ns)
        for instant_ns in self._schedule.due(up_to_ns):
            yield self._sample(instant_ns)

    def observe(self, observation: Observation) -> None:
        """Take up what a sensor says of an item."""
        self._sampler.observe(observation)

    def hops(self) -> tuple[Hop, ...]:
        """Report what the live path knew of the frames, and the records made."""
        facts = {"gaps without records": self._gaps, "frames behind their record": self._behind}
        records = Hop("records", "records", self._made, self._made, facts=facts)
        observations = self._sampler.hop()
        return (self._latest.hop(), *((observations,) if observations.entered else ()), records)

    def _begin(self, t_ns: int) -> Schedule:
        self._schedule = Schedule(self._period_ns, start_ns=t_ns)
        self._newest_ns = t_ns
        return self._schedule

    def _runs(self, batch: FrameBatch) -> Iterator[tuple[Schedule, FrameBatch]]:
        """Split a batch where nothing came for longer than the longest gap, and begin anew after it."""
        schedule = self._schedule or self._begin(int(batch.t_ns[0]))
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

    def _sample(self, instant_ns: int) -> Record:
        self._made += 1
        self._sampled_ns = instant_ns
        return self._sampler.sample(instant_ns, self._timebase, self._latest.snapshot(), self._mask)
