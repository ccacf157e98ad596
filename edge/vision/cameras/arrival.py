"""`Arrival`: when a frame was taken, by a camera's own clock that nobody has set."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import NS_PER_S

STALE_NS = NS_PER_S // 2
"""A frame that comes so much later than the quickest ones has waited in a buffer."""

_DRIFT = 1e-3
_SETTLING_MOST = 250


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a frame was taken.

    Attributes:
        t_ns: nanoseconds of the boot clock; not later than it came.
        stale: newer ones wait behind it, or it is not known yet whether they do.
    """

    t_ns: int
    stale: bool


class Arrival:
    """Relates the times that a camera gives its frames to the boot clock, by those that came quickest.

    The way from the camera takes at least some time, mostly about that, and more where frames wait in a
    buffer; so the least difference seen is the relation of the clocks, within that time. It may grow by a
    thousandth of the time that passes, since clocks drift.

    What is in buffers when a camera is opened comes faster than it was taken: until that is over nothing is
    known, and frames are stale.

    Attributes:
        settled: whether that is over.
    """

    def __init__(self) -> None:
        self._told_ns = 0
        self._arrived_ns = 0
        self._offset_ns: float | None = None
        self._settling = 0
        self.settled = False

    def stamp(self, told_ns: int, arrived_ns: int) -> Stamp:
        """Say when the frame was taken that came now.

        Args:
            told_ns: by the camera's clock; one without a clock always says the same.
            arrived_ns: nanoseconds of the boot clock.
        """
        told_step, arrived_step = told_ns - self._told_ns, arrived_ns - self._arrived_ns
        self._told_ns, self._arrived_ns = told_ns, arrived_ns
        if self._offset_ns is None:
            self._offset_ns = arrived_ns - told_ns
            return Stamp(arrived_ns, stale=True)
        if told_step <= 0:
            self._offset_ns = arrived_ns - told_ns
            return Stamp(arrived_ns, stale=False)
        self._offset_ns = min(arrived_ns - told_ns, self._offset_ns + arrived_step * _DRIFT)
        self._settling += 1
        self.settled |= arrived_step >= told_step / 2 or self._settling > _SETTLING_MOST
        t_ns = round(told_ns + self._offset_ns)
        return Stamp(t_ns, stale=not self.settled or arrived_ns - t_ns > STALE_NS)
