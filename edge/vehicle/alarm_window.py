"""`AlarmWindow`: from when to when every sample around an alarm becomes a record."""

from __future__ import annotations

from edge.records import Record, Value
from edge.vehicle.rules import Edition, SamplingRules
from edge.vehicle.sample import Sample
from edge.vehicle.sampler import ALARM_LEVEL, MAX_LEVEL_ITEM

_FLAGS_ITEM = "alarm.flags"


class AlarmWindow:
    """Follows the highest alarm level (GB/T 32960.3, annex B of 2016; 2025 until the alarm has cleared).

    A fault is an alarm of level 3 or 4 that comes, rises, or is joined by another flag. The sample that shows
    the alarm cleared still belongs to the window.

    Attributes:
        opened: how often a window began.
    """

    def __init__(self, rules: SamplingRules) -> None:
        self._rules = rules
        self._of_2016 = rules.edition is Edition.OF_2016
        self.opened = 0
        self.restart()

    def restart(self) -> None:
        """Begin anew after a gap: an alarm that is up when the level is first known is a fault then."""
        self._unknown = True
        self._level = 0
        self._flags = 0
        self._known_ns = 0
        self._standing = False
        self._until_ns: int | None = None

    def take(self, sample: Sample | Record) -> bool:
        """Take in the next sample; tell whether it belongs to a window."""
        level, flags = sample.values.get(MAX_LEVEL_ITEM), sample.values.get(_FLAGS_ITEM)
        stood, ran = self._standing, self._until_ns is not None
        up = self._is_up(level, sample.t_ns)
        if up and self._is_fault(level, flags) and (self._unknown or self._of_2016):
            self._until_ns = sample.t_ns + self._rules.after_ns
        if self._until_ns is not None and sample.t_ns > self._until_ns:
            self._until_ns = None
        self._standing = up and not self._of_2016
        inside = stood or self._standing or self._until_ns is not None
        self.opened += inside and not (stood or ran)
        if isinstance(level, int):
            self._level, self._unknown = level, False
        if isinstance(flags, int):
            self._flags = flags
        return inside

    def _is_up(self, level: Value | None, t_ns: int) -> bool:
        """Whether an alarm is up; one whose level is missing stays as it was, for a while."""
        if isinstance(level, int):
            self._known_ns = t_ns
            return level >= ALARM_LEVEL
        if t_ns - self._known_ns > self._rules.after_ns:
            self._level = self._flags = 0
        return self._level >= ALARM_LEVEL

    def _is_fault(self, level: Value | None, flags: Value | None) -> bool:
        """Whether an alarm that is up has come, has risen, or was joined by another flag."""
        risen = isinstance(level, int) and level > self._level
        return risen or (isinstance(flags, int) and bool(flags & ~self._flags))
