"""`WatchedSource`: a bus that others read, with what happens to its interface in the account and the log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from edge.account import Hop
from edge.bus.socketcan.link_report import LinkReport
from edge.bus.source import FrameSource
from edge.clock import Timebase
from edge.frames import FrameBatch


class WatchedSource(FrameSource):
    """A live source of one SocketCAN interface that knows nothing of links, and a report on that.

    Args:
        source: gives the frames, and opens an interface that fails anew by itself; closed with this.
        link: on the same interface; closed with this.
        open_anew: has `source` open its interface anew, which is there again and another one.
    """

    live = True

    def __init__(
        self, source: FrameSource, link: LinkReport, *, open_anew: Callable[[], None] | None = None
    ) -> None:
        self._source = source
        self._link = link
        self._open_anew = open_anew
        self._gone = link.state is None

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return self._source.buses

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._source.timebase

    @property
    def outage(self) -> str:
        """Why nothing can come from the interface as of the last reading; empty while it is there and up."""
        return self._link.outage

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`."""
        self._link.look()
        if self._link.state is None:
            self._gone = True
        elif self._gone and not self._link.outage:
            self._gone = False
            if self._open_anew is not None:
                self._open_anew()
        return self._source.read(timeout_s)

    def close(self) -> None:
        """See `FrameSource.close`."""
        with ExitStack() as stack:
            stack.callback(self._link.close)
            self._source.close()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        hop = self._source.hop()
        return replace(hop, facts={**hop.facts, **self._link.facts})
