"""`SocketCanSource`: one bus out of a `Reception`, every frame handed on or named in the account."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import numpy as np

from edge.account import Hop
from edge.bus.socketcan.arrivals import Arrivals
from edge.bus.socketcan.bus_state import BusState
from edge.bus.socketcan.follow import LinkEvent
from edge.bus.socketcan.link_report import LinkReport
from edge.bus.socketcan.reception import Cells, Reception
from edge.bus.socketcan.state_log import StateLog
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.clock import NS_PER_S, Clock, Timebase
from edge.errors import SourceError
from edge.frames import FrameBatch

LOST = {"ring": "lost: kernel ring full", "raw": "lost: socket buffer full"}
"""Causes by `Reception.way` under which the account names what the kernel had no room for."""

WAIT_MAX_S = 0.1
"""One waiting holds up closing and the account for so long at most."""
REOPEN_FIRST_S, REOPEN_MAX_S = 0.1, 5.0
LOSSES_PERIOD_S = 1.0
LAST_FRAMES = 1 << 20
"""Taken at most when the source is closed, where a way to receive cannot keep further frames out."""
_COME_BACK = frozenset({LinkEvent.UP, LinkEvent.BACK, LinkEvent.OTHER_DEVICE})
logger = logging.getLogger(__name__)


class SocketCanSource(FrameSource):
    """A live bus out of a reception that the kernel fills; there is no thread between.

    An interface that goes down is waited for. One that has gone is opened anew, after 0.1 s and then after
    twice as long each time up to 5 s; `outage` says why nothing comes, the facts ``outages`` and ``reopened``
    count it. What was received before is handed on all the same, at the end too. What the kernel had no
    room for entered and is set aside, to the frame; what was sent while an interface was down is unknown.

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

    live = True

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
        self.bus_state = BusState()
        self._name = name
        self._where = f"bus {name} ({where})"
        self._open = open_reception
        self._clock = clock
        self._link = link
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._tally = Tally()
        self._taken: deque[FrameBatch] = deque()
        self._outage = ""
        self._away_ns = self._retry_ns = self._settled_ns = 0
        self._complete_ns: int | None = None
        self._behind = False
        self._delay_s = REOPEN_FIRST_S
        self._index: int | None = None
        self._arrivals = Arrivals(clock)
        self._state_log = StateLog(name, clock)
        self._reception: Reception | None = self._opened()
        self.way = self._reception.way

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`: the one."""
        return (self._name,)

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`: the clock's."""
        return self._clock.timebase()

    @property
    def complete_ns(self) -> int | None:
        """See `FrameSource.complete_ns`."""
        return None if self._taken else self._complete_ns

    @property
    def behind(self) -> bool:
        """See `FrameSource.behind`."""
        return bool(self._taken) or self._behind

    @property
    def outage(self) -> str:
        """Why nothing can come from the interface at present; empty while it is there and up."""
        return self._outage

    def fileno(self) -> int:
        """A descriptor that becomes readable when there is something to read; -1 while there is none."""
        reception = self._reception
        return -1 if reception is None else reception.fileno()

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; None only after `close`.

        Raises:
            SourceError: if the interface has been away for longer than `patience_s`.
        """
        left_s = timeout_s
        while True:
            wait_s = max(0.0, min(left_s, WAIT_MAX_S))
            with self._lock:
                batch = self._next(wait_s)
                away = self._reception is None
            if batch is not None:
                return batch
            if self._stop.is_set():
                return None
            if away and wait_s:
                self._clock.wait(self._stop, wait_s)
            left_s -= wait_s
            if left_s <= 0:
                return FrameBatch.empty(self.buses)

    def close(self) -> None:
        """See `FrameSource.close`; frames that were received before can still be read."""
        self._stop.set()
        with self._lock, ExitStack() as stack:
            if self._link is not None:
                stack.callback(self._link.close)
            self._give_back()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        with self._lock:
            self._settle()
            hop = self._tally.hop(f"bus {self._name}")
        facts = {**hop.facts, **self._arrivals.facts, **self.bus_state.facts}
        if self._link is not None:
            facts.update(self._link.facts)
        at_least = dict(hop.at_least)
        if self.bus_state.overflows:
            at_least["controller overflow"] = self.bus_state.overflows
        return Hop(hop.name, hop.unit, hop.entered, hop.left, hop.set_aside, at_least, facts)

    def _next(self, wait_s: float) -> FrameBatch | None:
        """What comes next, if it comes in time."""
        if self._stop.is_set() or self._taken:
            return self._handed_on()
        if self._link is not None:
            self._follow(self._link)
        if self._reception is None and not self._reopen():
            self._complete_ns = self._clock.boot_ns()
            return None
        self._take(wait_s)
        return self._handed_on()

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

    def _handed_on(self) -> FrameBatch | None:
        if not self._taken:
            return None
        batch = self._taken.popleft()
        self._tally.hand_on(batch)
        return batch

    def _take(self, wait_s: float) -> None:
        """Take what the reception has; see to it when it fails."""
        reception = self._reception
        if reception is None:
            return
        begun_ns = self._clock.boot_ns()
        try:
            cells = reception.take(wait_s)
        except OSError as error:
            self._failed(error)
        else:
            self._behind = bool(len(cells)) and not reception.drained
            if reception.drained:
                self._complete_ns = begun_ns - round(reception.lag_s * NS_PER_S)
            if len(cells):
                self._accept(cells)
            if self._outage and (len(cells) or (self._link is not None and not self._link.outage)):
                self._back()
            elif self._outage and self._link is not None:
                self._lose_patience()
        if self._clock.boot_ns() - self._settled_ns >= LOSSES_PERIOD_S * NS_PER_S:
            self._settle()

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

    def _settle(self) -> None:
        """Put into the account what the kernel lost, and what was none of its frames."""
        if self._reception is not None:
            self._settle_with(self._reception)

    def _settle_with(self, reception: Reception) -> None:
        self._settled_ns = self._clock.boot_ns()
        if lost := reception.lost():
            self._tally.refuse(LOST.get(reception.way, "lost by the kernel"), lost)
        malformed: Mapping[str, int] = reception.malformed()
        for cause, count in malformed.items():
            self._tally.refuse(cause, count)

    def _give_back(self) -> None:
        """Take what the reception still holds, then close it."""
        reception, self._reception = self._reception, None
        if reception is None:
            return
        reception.finish()
        frames = 0
        try:
            while frames < LAST_FRAMES and len(cells := reception.take(0)):
                self._accept(cells)
                frames += len(cells)
        except OSError as error:
            logger.info("bus %s: nothing more can be received: %s", self._name, error.strerror)
        reception.close()
        self._settle_with(reception)


def _index_of(link: LinkReport | None) -> int | None:
    """By which the kernel knows the interface; None where nobody knows it."""
    return None if link is None or link.state is None else link.state.index
