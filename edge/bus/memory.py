"""`MemorySource`: frames that are already in memory, for the simulator and for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from edge.account import Hop
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.clock import Timebase
from edge.frames import FrameBatch


class MemorySource(FrameSource):
    """Hands on given batches, one a read.

    Args:
        batches: what to hand on; taken one at a time, so that a generator may make them as they are asked
        for. name: names the source in the account.
        buses: bus names known before the first batch.
        timebase: relation to wall time before the first batch.
        live: whether the batches stand on the boot-monotonic time of this machine, each bus in order.
    """

    def __init__(
        self,
        batches: Iterable[FrameBatch],
        *,
        name: str = "memory",
        buses: Iterable[str] = (),
        timebase: Timebase | None = None,
        live: bool = False,
    ) -> None:
        self.live = live
        self._batches = iter(batches)
        self._ahead: deque[FrameBatch] = deque()
        self._name = name
        self._buses = dict.fromkeys(buses)
        self._timebase = timebase or Timebase()
        self._tally = Tally()
        self._closed = False
        if timebase is None or not self._buses:
            self._look_ahead()

    def _look_ahead(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            return
        self._ahead.append(batch)
        self._tally.entered += len(batch)
        self._buses.update(dict.fromkeys(batch.buses))
        self._timebase = batch.timebase

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return tuple(self._buses)

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._timebase

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; never waits."""
        del timeout_s
        if self._closed:
            return None
        if not self._ahead:
            self._look_ahead()
        if not self._ahead:
            return None
        batch = self._ahead.popleft()
        self._tally.hand_on(batch)
        return batch

    def close(self) -> None:
        """See `FrameSource.close`."""
        self._closed = True

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        return self._tally.hop(self._name, ended=self._closed)
