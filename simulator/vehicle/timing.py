"""When frames go out: cycle times with jitter, and one frame after the other on each bus."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

NS_PER_MS = 1_000_000
LONGEST_JITTER_NS = 400_000
JITTER_SHARE = 0.04
ARBITRATION_BIT_NS = 2_000
DATA_BIT_NS = 500
STUFFING = 1.1


class Cycle:
    """The sending instants of one message: a fixed phase, a fixed period, and a jitter that does not add up.

    Attributes:
        period_ns: nominal time between two frames.
    """

    def __init__(self, period_ms: int, draw: random.Random) -> None:
        self.period_ns = period_ms * NS_PER_MS
        self._phase_ns = draw.randrange(self.period_ns)
        self._jitter_ns = min(LONGEST_JITTER_NS, int(self.period_ns * JITTER_SHARE))
        self._generator = np.random.Generator(np.random.PCG64(draw.getrandbits(64)))
        self._next = 0

    def until(self, end_ns: int) -> Int64s:
        """The instants, int64 of N, nominally before `end_ns` that were not handed out yet."""
        stop = max(self._next, -(-(end_ns - self._phase_ns) // self.period_ns))
        counts = np.arange(self._next, stop, dtype=np.int64)
        self._next = stop
        jitter = self._generator.integers(0, self._jitter_ns + 1, len(counts), dtype=np.int64)
        instants: Int64s = self._phase_ns + counts * self.period_ns + jitter
        return instants


def frame_ns(length: int, *, extended: bool, fd: bool) -> int:
    """How long a frame keeps the bus busy at 500 kbit/s (FD data at 2 Mbit/s), mean bit stuffing included."""
    arbitration = 47 + (20 if extended else 0)
    if fd:
        checksum = 21 if length > 16 else 17  # noqa: PLR2004 - ISO 11898-1: CRC-21 for more than 16 bytes
        fast = (8 * length + checksum + 12) * STUFFING * DATA_BIT_NS
        return round((arbitration - 15) * STUFFING * ARBITRATION_BIT_NS + fast)
    return round((arbitration + 8 * length) * STUFFING * ARBITRATION_BIT_NS)


class Wire:
    """One bus: frames follow each other, none begins before the one before it has ended."""

    def __init__(self) -> None:
        self._busy_until_ns = 0

    def sent(self, asked_ns: Int64s, lasts_ns: Int64s) -> Int64s:
        """When each frame is over, and so received.

        Args:
            asked_ns: ascending times at which the frames are asked for, int64 of N.
            lasts_ns: how long each keeps the bus busy, int64 of N.
        """
        if not len(asked_ns):
            return asked_ns
        total = np.cumsum(lasts_ns)
        slack = asked_ns - (total - lasts_ns)
        slack[0] = max(slack[0], self._busy_until_ns)
        ends: Int64s = np.maximum.accumulate(slack) + total
        self._busy_until_ns = int(ends[-1])
        return ends
