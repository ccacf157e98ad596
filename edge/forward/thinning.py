"""`Thinning`: of the records of a second, those that a destination is told; around an alarm all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from edge.records import Record
from edge.vehicle.alarm_window import AlarmWindow
from edge.vehicle.rules import SamplingRules


@dataclass(frozen=True, slots=True)
class ThinningRules:
    """How often a destination is told of a vehicle.

    Attributes:
        report_ns: at most so long between two reports (GB/T 32960.3: at most 30 s).
        sampling: the period of the records, and from when to when all of them belong to an alarm; by the
            edition that the destination speaks.
    """

    report_ns: int
    sampling: SamplingRules

    @property
    def needless(self) -> bool:
        """Whether every record is due anyway."""
        return 2 * self.sampling.period_ns > self.report_ns


@dataclass(slots=True)
class Sifted:
    """What became of records, by number.

    Attributes:
        rests: whether the record is not due; an alarm may still ask for it.
        released: earlier ones that are due after all, as reissue: an alarm has come.
        dropped: earlier ones that no alarm will ask for any more.
    """

    rests: bool = False
    released: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)


class Thinning:
    """Takes the records of one stream in their order and says which are due.

    One is due if the next would come too late, if it belongs to an alarm's window (`AlarmWindow`), or if
    records begin anew after a pause, such as those of the last half minute of the watch after power-off. What
    is not due rests as long as an alarm's window may reach back to it.

    Args:
        rules: of the destination.
    """

    def __init__(self, rules: ThinningRules) -> None:
        self._rules = rules
        self._window = AlarmWindow(rules.sampling)
        self._resting: deque[tuple[int, int]] = deque()
        self._told_ns: int | None = None

    def take(self, record: Record) -> Sifted:
        """Take in the next record, as the destination may see it; none of a reissue, which is always due."""
        found = Sifted()
        t_ns, rules = record.t_ns, self._rules
        reach_ns = t_ns - rules.sampling.before_ns
        while self._resting and not reach_ns <= self._resting[0][1] <= t_ns:
            found.dropped.append(self._resting.popleft()[0])
        inside = self._window.take(record)
        if inside:
            found.released += self._take_resting()
        if inside or self._is_due(t_ns):
            self._told_ns = t_ns
        else:
            found.rests = True
            self._resting.append((record.number, t_ns))
        return found

    def report_every(self, report_ns: int) -> None:
        """From now on at most so long passes between two reports."""
        self._rules = replace(self._rules, report_ns=report_ns)

    def end(self) -> list[int]:
        """Let go of what rests: no record follows that could ask for it."""
        return self._take_resting()

    def _is_due(self, t_ns: int) -> bool:
        told_ns = self._told_ns
        if told_ns is None or t_ns <= told_ns:
            return True
        return t_ns + self._rules.sampling.period_ns > told_ns + self._rules.report_ns

    def _take_resting(self) -> list[int]:
        numbers = [number for number, _ in self._resting]
        self._resting.clear()
        return numbers
