"""`SocketCanSource`: one bus out of a `Reception`, every frame handed on or named in the account."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from edge.account import Hop
from edge.bus.socketcan.bus_state import BusState
from edge.bus.socketcan.follow import LinkEvent
from edge.bus.socketcan.kernel_source import KernelSource
from edge.bus.socketcan.link_report import LinkReport
from edge.bus.socketcan.reception import Cells, Reception
from edge.bus.socketcan.state_log import StateLog
from edge.clock import NS_PER_S, Clock
from edge.errors import SourceError

REOPEN_FIRST_S, REOPEN_MAX_S = 0.1, 5.0

_COME_BACK = frozenset({LinkEvent.UP, LinkEvent.BACK, LinkEvent.OTHER_DEVICE})
logger = logging.getLogger(__name__)


class SocketCanSource(KernelSource):
    """One live bus out of a reception.

    An interface that goes down is waited for. One that has gone is opened anew, after 0.1 s and then after
    twice as long each time up to 5 s; `outage` says why nothing comes, the facts ``outages`` and ``reopened``
    count it. What was received before is handed on all the same, at the end too; what was sent while an
    interface was down is unknown. `read` raises a `SourceError` where an interface has been away for longer
    than `patience_s`.

    Args:
        name: name of the bus.
        where: what is opened, for people: ``socketcan can0``.
        open_reception: opens it; also used to open it anew.
        clock: gives boot-monotonic time, and the offset by which wall stamps are converted.
        link: watches the interface, for the account and the log; closed with the source.
        patience_s: how long an interface that is away is waited for before `read` raises; None: for ever.

    Attributes:
        bus_state: what error frames said of the bus.

    Raises:
        SourceError: if the interface cannot be opened now; the `OSError` is its cause.
    """

    def __init__(
        self,
        *,
        name: str,
        where: str,
        open_reception: Callable[[], Reception],
        clock: Clock,
        link: LinkReport | None = None,
        patience_s: float | None = None,
    ) -> None:
        super().__init__((name,), clock)
        self.bus_state = BusState()
        self._name = name
        self._where = f"bus {name} ({where})"
        self._open = open_reception
        self._link = link
        self._patience_s = patience_s
        self._outage = ""
        self._away_ns = self._retry_ns = 0
        self._delay_s = REOPEN_FIRST_S
        self._index: int | None = None
        self._state_log = StateLog(name, clock)
        reception = self._reception = self._opened()
        self.way = reception.way

    @property
    def outage(self) -> str:
        """Why nothing can come from the interface at present; empty while it is there and up."""
        return self._outage

    def close(self) -> None:
        """See `FrameSource.close`; frames that were received before can still be read."""
        self._stop.set()
        with self._lock, ExitStack() as stack:
            if self._link is not None:
                stack.callback(self._link.close)
            self._give_back()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        links = () if self._link is None else (self._link.facts,)
        return self._hop(f"bus {self._name}", (self.bus_state,), links)

    def _fill(self, wait_s: float) -> None:
        """See `KernelSource`; opens the interface anew where that is due."""
        if self._link is not None:
            self._follow(self._link)
        if self._reception is None and not self._reopen():
            self._complete_ns = self._clock.boot_ns()
            return
        self._take(wait_s)

    def _follow(self, link: LinkReport) -> None:
        """Open at once what is up again, and anew what is another interface now.

        A socket whose interface has gone stays deaf; one whose interface only passed through the name, while
        names were given to several adapters, would hear another bus.
        """
        if any(change.event in _COME_BACK for change in link.look()):
            self._retry_ns = 0
        if self._reception is not None and self._index != _index_of(link):
            self._failed(OSError(errno.ENODEV, os.strerror(errno.ENODEV)))
            self._retry_ns = 0

    def _take(self, wait_s: float) -> None:
        """Take what the reception has; see to it when it fails."""
        reception = self._reception
        if reception is None:
            return
        try:
            came = self._take_from(reception, wait_s)
        except OSError as error:
            self._failed(error)
        else:
            if self._outage and (came or (self._link is not None and not self._link.outage)):
                self._back()
            elif self._outage and self._link is not None:
                self._lose_patience()
        self._settle_if_due()

    def _accept(self, cells: Cells) -> None:
        """Make a batch of frames, and keep it to be handed on."""
        batch = self._arrivals.batch(cells, np.zeros(len(cells), np.uint8), self.buses)
        self._tally.entered += len(batch)
        self._state_log.tell(self.bus_state.follow(batch))
        self._taken.append(batch)

    def _failed(self, error: OSError) -> None:
        """Wait for an interface that went down; give up one that is gone, or that fails again."""
        again = bool(self._outage)
        self._away(error)
        self._behind = False
        if error.errno != errno.ENETDOWN or again:
            self._give_back()
            self._arrivals.reopened()
            self._delay_s = REOPEN_FIRST_S
            self._retry_ns = self._clock.boot_ns() + round(self._delay_s * NS_PER_S)

    def _away(self, error: OSError) -> None:
        words = os.strerror(error.errno) if error.errno else str(error)
        if not self._outage:
            self._tally.facts["outages"] += 1
            self._away_ns = self._clock.boot_ns()
            if self._link is None:
                logger.warning("bus %s: nothing comes: %s", self._name, words)
        if self._link is not None:
            self._link.look(at_once=True)
        self._outage = words

    def _back(self) -> None:
        self._outage = ""
        self._tally.facts["reopened"] += 1
        if self._link is None:
            logger.info("bus %s: is back", self._name)

    def _reopen(self) -> bool:
        """Open the interface again if that is due; tell whether it is open."""
        if self._link is not None and self._link.outage and not self._link.blind:
            # One that is not up yet may only be passing through the name.
            self._outage = self._link.outage
            self._lose_patience()
            return False
        now_ns = self._clock.boot_ns()
        if now_ns < self._retry_ns:
            return False
        try:
            self._reception = self._opened()
        except SourceError as error:
            self._outage = error.what
            self._lose_patience()
            self._delay_s = min(2 * self._delay_s, REOPEN_MAX_S)
            self._retry_ns = now_ns + round(self._delay_s * NS_PER_S)
            return False
        self._back()
        return True

    def _lose_patience(self) -> None:
        """Raise if the interface has been away for too long.

        Raises:
            SourceError: it has.
        """
        away_s = (self._clock.boot_ns() - self._away_ns) / NS_PER_S
        if self._patience_s is not None and away_s >= self._patience_s:
            raise SourceError(f"has been away for {away_s:.0f} s: {self._outage}", where=self._where)

    def _opened(self) -> Reception:
        self._index = _index_of(self._link)
        try:
            return self._open()
        except OSError as error:
            words = error.strerror or str(error)
            raise SourceError(f"cannot be opened: {words}", where=self._where) from error


def _index_of(link: LinkReport | None) -> int | None:
    """By which the kernel knows the interface; None where nobody knows it."""
    return None if link is None or link.state is None else link.state.index
