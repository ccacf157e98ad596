"""The node's time: milliseconds since boot that do not wrap, and what is known of the wall clock."""

import time

from .record import NONE

NS_PER_MS = 1_000_000


def ticks_ms():
    """The port's own milliseconds, which wrap on MicroPython."""
    ticks = getattr(time, "ticks_ms", None)
    return ticks() if ticks is not None else int(time.monotonic() * 1000)


def ticks_since(later: int, earlier: int):
    """Milliseconds between two `ticks_ms`."""
    diff = getattr(time, "ticks_diff", None)
    return diff(later, earlier) if diff is not None else later - earlier


class NodeClock:
    """Boot time, and its relation to wall time with how good that is.

    `now_ms` has to be called at least once in the port's half period of ticks (6 days).

    Attributes:
        offset_ns: added to boot time gives Unix time; 0 while nothing is known.
        quality: `record.NONE` to `record.GNSS`.
    """

    def __init__(self) -> None:
        self._ticks = ticks_ms()
        self._ms = 0
        self.offset_ns = 0
        self.quality = NONE

    def now_ms(self):
        """Milliseconds since this object was made, which is taken for the boot."""
        ticks = ticks_ms()
        self._ms += ticks_since(ticks, self._ticks)
        self._ticks = ticks
        return self._ms

    def set(self, wall_ns: int, quality: int):
        """Take a wall time that was read just now; one that is worse than what is known is left.

        Returns:
            Whether the quality has become better, so that earlier records have a time now.
        """
        if quality < self.quality:
            return False
        better = quality > self.quality
        self.offset_ns = wall_ns - self.now_ms() * NS_PER_MS
        self.quality = quality
        return better
