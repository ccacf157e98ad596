"""`Arrivals`: cells that were taken from the kernel as batches, on boot time and with the flags of frames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge.bus.socketcan.reception import Cells
from edge.bus.socketcan.stamping import Stamping
from edge.clock import Clock, Timebase
from edge.frames import FrameBatch, FrameFlag, UInt8s

OFFSET_NEAR_NS = 100_000
"""Readings of both clocks that lie closer together are taken as they are."""

_ID_BITS = np.uint32(0x1FFFFFFF)
_KIND_SHIFT = np.uint32(29)
_ERROR_BIT, _REMOTE_BIT, _EXTENDED_BIT = 1, 2, 4
_FLAGS = np.array(
    [
        FrameFlag.ERROR
        if kind & _ERROR_BIT
        else (FrameFlag.EXTENDED if kind & _EXTENDED_BIT else 0)
        | (FrameFlag.REMOTE if kind & _REMOTE_BIT else 0)
        for kind in range(8)
    ],
    np.uint16,
)
"""Flags of a frame by the three uppermost bits of the kernel's id."""


class Arrivals:
    """Makes batches of what one reception gives, one after the other.

    Args:
        clock: gives boot-monotonic time, and the offset by which wall stamps are converted.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timebase = clock.timebase()
        self._stamping = Stamping(clock.boot_ns())

    @property
    def facts(self) -> Mapping[str, int]:
        """What was counted of stamps, see `Stamping`."""
        return self._stamping.facts

    def reopened(self) -> None:
        """Take it that another controller may be behind the interface now."""
        self._stamping.reopened()

    def batch(self, cells: Cells, bus: UInt8s, buses: tuple[str, ...]) -> FrameBatch:
        """Make a batch.

        Args:
            cells: in order of arrival.
            bus: for each the place of its bus in `buses`.
            buses: their names.
        """
        timebase = self._steady_timebase()
        flags = _FLAGS[cells.can_id >> _KIND_SHIFT]
        if np.count_nonzero(cells.fd):
            switches = (cells.fd_flags.astype(np.uint16) & 3) * np.uint16(FrameFlag.BITRATE_SWITCH)
            flags |= np.where(cells.fd, switches | np.uint16(FrameFlag.FD), np.uint16(0))
        if np.count_nonzero(cells.local):
            flags |= cells.local * np.uint16(FrameFlag.TRANSMITTED)
        return FrameBatch(
            t_ns=self._stamping.boot_ns(cells.wall_ns, cells.hardware, self._clock.boot_ns(), timebase),
            bus=bus,
            arbitration_id=cells.can_id & _ID_BITS,
            flags=flags,
            length=cells.length.astype(np.uint16),
            data=cells.data,
            buses=buses,
            timebase=timebase,
        )

    def _steady_timebase(self) -> Timebase:
        """The clock's timebase; the middle of three where this process was held up between two clocks."""
        timebase = self._clock.timebase()
        if abs(timebase.wall_offset_ns - self._timebase.wall_offset_ns) > OFFSET_NEAR_NS:
            readings = (timebase, self._clock.timebase(), self._clock.timebase())
            timebase = sorted(readings, key=lambda reading: reading.wall_offset_ns)[1]
        self._timebase = timebase
        return timebase
