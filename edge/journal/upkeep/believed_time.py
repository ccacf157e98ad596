"""`BelievedTime`: the wall time by which data are old enough to go; a clock that jumps deletes nothing."""

from __future__ import annotations

from edge.clock import NS_PER_S, Clock, Timebase, TimeQuality

EARLIEST_NS = 1_735_689_600 * NS_PER_S
"""2025-01-01 UTC: an earlier wall time is that of a clock that was never set."""

STEP_NS = 60 * NS_PER_S
SETTLING_NS = 3_600 * NS_PER_S
STANDSTILL_NS = 366 * 86_400 * NS_PER_S
_SETTLING_SHARE = 1_000


class BelievedTime:
    """Wall time with doubt.

    A wall time is believed at once when it is the first one of a boot, or of a better quality than the one
    before, and at most a year after the last that was believed: as long may a vehicle stand. Any other step
    of more than a minute, forward or backward, is believed when it has lasted an hour of boot-monotonic time,
    or a thousandth of the step if that is longer: a month for a clock that shows 2099. Until then the time
    goes on from what was believed before; without any, there is none.

    Args:
        clock: time.
        last_ns: wall time that was believed last, in an earlier run; 0 for none.
    """

    def __init__(self, clock: Clock, *, last_ns: int = 0) -> None:
        self._clock = clock
        self._last_ns = last_ns
        self._believed: Timebase | None = None
        self._candidate: Timebase | None = None
        self._since_ns = 0

    def now_ns(self) -> int | None:
        """Unix time in nanoseconds as far as it is believed; None where there is none."""
        boot_ns, timebase = self._clock.boot_ns(), self._clock.timebase()
        wall_ns = timebase.wall_ns(boot_ns)
        if timebase.quality is not TimeQuality.NONE and wall_ns >= EARLIEST_NS:
            self._judge(timebase, wall_ns, boot_ns)
        if self._believed is None:
            return None
        self._last_ns = self._believed.wall_ns(boot_ns)
        return self._last_ns

    def _judge(self, timebase: Timebase, wall_ns: int, boot_ns: int) -> None:
        before = self._believed
        if before is not None and _near(before, timebase):
            self._believe(timebase)
            return
        better = before is None or timebase.quality > before.quality
        if better and (not self._last_ns or wall_ns <= self._last_ns + STANDSTILL_NS):
            self._believe(timebase)
            return
        if self._candidate is None or not _near(self._candidate, timebase):
            self._since_ns = boot_ns
        self._candidate = timebase
        if boot_ns - self._since_ns >= max(SETTLING_NS, abs(wall_ns - self._last_ns) // _SETTLING_SHARE):
            self._believe(timebase)

    def _believe(self, timebase: Timebase) -> None:
        self._believed = timebase
        self._candidate = None


def _near(one: Timebase, other: Timebase) -> bool:
    return abs(one.wall_offset_ns - other.wall_offset_ns) < STEP_NS
