"""`Rate`: which of a device's frames are handed out, so that no more come than were asked for."""

from __future__ import annotations

from edge.clock import NS_PER_S

_EARLY_SHARE = 0.25


class Rate:
    """Thins frames evenly.

    Args:
        rate_hz: frames a second, at most on average.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = NS_PER_S / rate_hz
        self._due_ns: float | None = None

    def take(self, t_ns: int) -> bool:
        """Whether the frame of `t_ns` is one of those; a little early is in time, or the rate would halve."""
        if self._due_ns is None or t_ns - self._due_ns > self._period_ns:
            self._due_ns = t_ns + self._period_ns
            return True
        if t_ns < self._due_ns - _EARLY_SHARE * self._period_ns:
            return False
        self._due_ns += self._period_ns
        return True
