"""`TimeWatch`: sees the wall clock being set, and says what that means for records made before."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.wire.time_corrections import TimeCorrection

STEP_NS = NS_PER_S
"""Smaller changes are the clock being slewed, as NTP does all the time."""

_BEGINNING_NS = 0


@dataclass(frozen=True, slots=True)
class TimeChange:
    """The wall clock was set, or is known better than before.

    Attributes:
        at_ns: when that was seen, boot-monotonic.
        before: the relation to wall time until then.
        after: from then on.
        correction: what holds for the times before, if they are now known better; None if not.
    """

    at_ns: int
    before: Timebase
    after: Timebase
    correction: TimeCorrection | None

    @property
    def step_ns(self) -> int:
        """By how much the wall clock moved."""
        return self.after.wall_offset_ns - self.before.wall_offset_ns


class TimeWatch:
    """Follows the wall clock of one boot.

    When its quality rises, times of the boot that were stamped with less are known better: the new relation
    holds for them too, since the boot's own clock ran evenly. Records are never rewritten for it.

    Args:
        boot: 16 bytes that name the boot.
    """

    def __init__(self, boot: bytes) -> None:
        self._boot = boot
        self._now: Timebase | None = None
        self._worse_from_ns = _BEGINNING_NS

    def see(self, t_ns: int, timebase: Timebase) -> TimeChange | None:
        """Look at the clock.

        Args:
            t_ns: the time, boot-monotonic.
            timebase: its relation to wall time.

        Returns:
            What has changed since the last look; None for nothing of note.
        """
        before, self._now = self._now, timebase
        if before is None:
            return None
        stepped = abs(timebase.wall_offset_ns - before.wall_offset_ns) >= STEP_NS
        if timebase.quality == before.quality and not stepped:
            return None
        correction = None
        if timebase.quality > before.quality and timebase.quality > TimeQuality.RTC:
            correction = TimeCorrection(self._boot, self._worse_from_ns, t_ns, timebase)
        elif timebase.quality < before.quality:
            self._worse_from_ns = t_ns
        return TimeChange(t_ns, before, timebase, correction)
