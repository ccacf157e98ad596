"""`PlatformClock`: a clock that goes by the platform's time where the vehicle's own has failed."""

from __future__ import annotations

import threading

from edge.clock import NS_PER_S, Clock, Timebase, TimeQuality


class PlatformClock(Clock):
    """The vehicle's clock; once it is without wall time and the platform has told its own, that holds.

    It is good to a second. As soon as the vehicle knows the time again by itself, that counts.

    Args:
        clock: the vehicle's own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._learned: Timebase | None = None

    def learn(self, wall_s: int, now_ns: int) -> None:
        """The platform has told its time, Unix seconds, at the boot time `now_ns`."""
        self._learned = Timebase(wall_s * NS_PER_S - now_ns, TimeQuality.RTC)

    @property
    def known(self) -> bool:
        """Whether there is wall time, from wherever."""
        return self.timebase().quality is not TimeQuality.NONE

    def boot_ns(self) -> int:
        """See `Clock.boot_ns`."""
        return self._clock.boot_ns()

    def timebase(self) -> Timebase:
        """See `Clock.timebase`."""
        own = self._clock.timebase()
        return own if own.quality is not TimeQuality.NONE or self._learned is None else self._learned

    def wait(self, wake: threading.Event, timeout_s: float) -> bool:
        """See `Clock.wait`."""
        return self._clock.wait(wake, timeout_s)
