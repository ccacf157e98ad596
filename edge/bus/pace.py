"""`paced`: hands recorded frames on at the speed at which they were recorded, or a multiple of it."""

from __future__ import annotations

import threading

import numpy as np

from edge.account import Hop
from edge.bus.source import FrameSource, held_back
from edge.clock import NS_PER_S, Clock, Timebase
from edge.frames import FrameBatch


def paced(source: FrameSource, *, clock: Clock, speed: float | None = 1.0) -> FrameSource:
    """Hand on the frames of `source` at `speed` times real time.

    The first frame goes at once; every later one as long after it as `t_ns` says, divided by `speed`. Frames
    keep their order: one that is older than one before it goes with that one.

    Args:
        source: what to read, in order of time (see `edge.bus.merge.merge`).
        clock: tells the time and waits.
        speed: how many seconds of the recording pass in one; None: as fast as it goes.

    Raises:
        ValueError: if `speed` is not positive.
    """
    if speed is None:
        return source
    if speed <= 0:
        raise ValueError("speed must be positive")
    return PacedSource(source, clock, speed)


class PacedSource(FrameSource):
    """See `paced`; `t_ns` stays the recording's own time."""

    def __init__(self, source: FrameSource, clock: Clock, speed: float) -> None:
        self._source = source
        self._clock = clock
        self._speed = speed
        self._held: FrameBatch | None = None
        self._due_ns: np.ndarray | None = None
        self._origin: tuple[int, int] | None = None
        self._latest_due_ns = 0
        self._never = threading.Event()
        self._closed = False

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return self._source.buses

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._source.timebase

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; all frames that are due by now, or none if the time-out passes first."""
        if self._closed:
            return None
        if self._held is None or self._due_ns is None:
            batch = self._source.read(timeout_s)
            if batch is None or not len(batch):
                return batch
            self._schedule(batch)
        held, due_ns = self._held, self._due_ns
        if held is None or due_ns is None:
            return None
        ahead_s = (int(due_ns[0]) - self._clock.boot_ns()) / NS_PER_S
        if ahead_s > 0:
            self._clock.wait(self._never, min(ahead_s, timeout_s))
        count = int(np.searchsorted(due_ns, self._clock.boot_ns(), side="right"))
        now, later = held.take(slice(0, count)), held.take(slice(count, None))
        self._held, self._due_ns = (later, due_ns[count:]) if len(later) else (None, None)
        return now

    def close(self) -> None:
        """See `FrameSource.close`; closes the source."""
        self._closed = True
        self._source.close()

    def hop(self) -> Hop:
        """See `FrameSource.hop`: the source's, less what is not due yet."""
        return held_back(self._source.hop(), len(self._held) if self._held is not None else 0)

    def _schedule(self, batch: FrameBatch) -> None:
        """Reckon when each frame is due on the clock; never before the frames ahead of it."""
        if self._origin is None:
            self._origin = (int(batch.t_ns[0]), self._clock.boot_ns())
            self._latest_due_ns = self._origin[1]
        first_ns, start_ns = self._origin
        due_ns = start_ns + np.rint((batch.t_ns - first_ns) / self._speed).astype(np.int64)
        due_ns = np.maximum.accumulate(np.maximum(due_ns, self._latest_due_ns))
        self._latest_due_ns = int(due_ns[-1])
        self._held, self._due_ns = batch, due_ns
