"""`Reporter`: which samples become records, and in which order they are numbered."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping

from edge.clock import Timebase
from edge.database.model import SignalRef
from edge.records import Record
from edge.vehicle.after_off import STATE_ITEM, AfterOff
from edge.vehicle.alarm_window import AlarmWindow
from edge.vehicle.rules import ALARM_PERIOD_NS, SamplingRules
from edge.vehicle.sample import KeptBack, Sample, SignalState
from edge.vehicle.sampler import MAX_LEVEL_ITEM, Sampler


class Reporter:
    """Samples every instant and numbers what is handed on.

    Between two records the vehicle is sampled every second, so that an alarm is seen within a second and the
    30 s before it are there. A sample that makes no record has no number; what latched in it shows in the
    next record. The record of the alarm goes first, the older ones follow as reissue, so that numbers rise
    while their times step back once.

    Args:
        sampler: samples and numbers.
        rules: when records are made.
    """

    def __init__(self, sampler: Sampler, rules: SamplingRules) -> None:
        self._sampler = sampler
        self._rules = rules
        self._alarm = AlarmWindow(rules) if MAX_LEVEL_ITEM in sampler.items else None
        self._after_off = AfterOff(rules) if STATE_ITEM in sampler.items else None
        self._kept = KeptBack()
        self._before: deque[Sample] = deque()
        self._reissued = 0
        self._passed_over = 0

    @property
    def between_ns(self) -> int | None:
        """The period of the samples between two records; None where records are as frequent anyway."""
        watched = self._alarm is not None or self._after_off is not None
        return ALARM_PERIOD_NS if watched and self._rules.period_ns > ALARM_PERIOD_NS else None

    @property
    def watched_until_ns(self) -> int | None:
        """See `AfterOff.watched_until_ns`; None where the vehicle's state is not known."""
        return None if self._after_off is None else self._after_off.watched_until_ns

    def restart(self) -> None:
        """Begin anew after a time of which there are no samples."""
        if self._alarm is not None:
            self._alarm.restart()

    def restrict(self, withheld: Collection[SignalRef]) -> None:
        """Let go of what signals showed that may not be collected for now, before a record told it."""
        self._kept.forget(withheld)

    def take(self, t_ns: int, timebase: Timebase, state: SignalState, mask: str) -> Iterator[Record]:
        """Take the sample of the next instant; hand on the records that it makes.

        Args:
            t_ns: the instant.
            timebase: of it.
            state: what the signals say.
            mask: name of the door's mask.

        Yields:
            None, one, or with the first of an alarm window those of before it too.
        """
        sample = self._sampler.read(t_ns, timebase, state, mask)
        due = t_ns % self._rules.period_ns == 0
        if self._after_off is not None and not self._after_off.take(sample):
            self._passed_over += due
            due = False
        window = self._alarm is not None and self._alarm.take(sample)
        if not due and not window:
            self._keep(sample, state)
            return
        joined = self._kept.join(state)
        told = sample if joined is state else self._sampler.read(t_ns, timebase, joined, mask)
        yield self._sampler.number(told)
        if window or told.alarm:
            yield from self._reissue(t_ns)

    def facts(self) -> Mapping[str, int]:
        """Further counts for the account."""
        return {
            "alarm windows": 0 if self._alarm is None else self._alarm.opened,
            "records of before an alarm": self._reissued,
            "records not made while the vehicle was off": self._passed_over,
        }

    def _keep(self, sample: Sample, state: SignalState) -> None:
        self._kept.keep(state)
        if self._alarm is not None:
            self._before.append(sample)
            while self._before[0].t_ns < sample.t_ns - self._rules.before_ns:
                self._before.popleft()

    def _reissue(self, t_ns: int) -> Iterator[Record]:
        while self._before:
            sample = self._before.popleft()
            if sample.t_ns >= t_ns - self._rules.before_ns:
                self._reissued += 1
                yield self._sampler.number(sample, reissue=True)
