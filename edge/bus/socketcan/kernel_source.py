"""`KernelSource`: what every source out of a `Reception` does alike: wait, hand on, account, give back."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Iterable, Mapping

from edge.account import Hop
from edge.bus import receive_buffer
from edge.bus.socketcan.arrivals import Arrivals
from edge.bus.socketcan.bus_state import BusState
from edge.bus.socketcan.reception import Cells, Reception
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.clock import NS_PER_S, Clock, Timebase
from edge.frames import FrameBatch

LOST = {"ring": "lost: kernel ring full", "raw": receive_buffer.LOST}
"""Causes by `Reception.way` under which the account names what the kernel had no room for."""

WAIT_MAX_S = 0.1
"""One waiting holds up closing and the account for so long at most."""
LOSSES_PERIOD_S = 1.0
LAST_FRAMES = 1 << 20
"""Taken at most when the source is closed, where a way to receive cannot keep further frames out."""

logger = logging.getLogger(__name__)


class KernelSource(FrameSource):
    """Live buses out of a reception that the kernel fills; there is no thread between.

    What the kernel had no room for entered and is set aside, to the frame.

    Args:
        buses: their names.
        clock: gives boot-monotonic time, and the offset by which wall stamps are converted.
    """

    live = True

    def __init__(self, buses: tuple[str, ...], clock: Clock) -> None:
        self._names = buses
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._tally = Tally()
        self._arrivals = Arrivals(clock)
        self._taken: deque[FrameBatch] = deque()
        self._reception: Reception | None = None
        self._settled_ns = 0
        self._complete_ns: int | None = None
        self._behind = False

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return self._names

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

    def fileno(self) -> int:
        """A descriptor that becomes readable when there is something to read; -1 while there is none."""
        reception = self._reception
        return -1 if reception is None else reception.fileno()

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; None only after `close`.

        Raises:
            SourceError: if the source cannot be read on.
        """
        left_s = timeout_s
        while True:
            wait_s = max(0.0, min(left_s, WAIT_MAX_S))
            with self._lock:
                if not self._taken and not self._stop.is_set():
                    self._fill(wait_s)
                batch = self._handed_on()
                away = self._reception is None
            if batch is not None:
                return batch
            if self._stop.is_set():
                return None
            if away and wait_s:
                self._clock.wait(self._stop, wait_s)
            left_s -= wait_s
            if left_s <= 0:
                return FrameBatch.empty(self._names)

    @abstractmethod
    def _fill(self, wait_s: float) -> None:
        """Wait for frames, and have them accepted."""

    @abstractmethod
    def _accept(self, cells: Cells) -> None:
        """Make a batch of frames, count them as entered, and keep it to be handed on."""

    def _take_from(self, reception: Reception, wait_s: float) -> bool:
        """Take what a reception has; tell whether that was anything.

        Raises:
            OSError: see `Reception.take`.
        """
        begun_ns = self._clock.boot_ns()
        cells = reception.take(wait_s)
        self._behind = bool(len(cells)) and not reception.drained
        if reception.drained:
            self._complete_ns = begun_ns - round(reception.lag_s * NS_PER_S)
        if len(cells):
            self._accept(cells)
        return bool(len(cells))

    def _handed_on(self) -> FrameBatch | None:
        if not self._taken:
            return None
        batch = self._taken.popleft()
        self._tally.hand_on(batch)
        return batch

    def _hop(self, name: str, states: Iterable[BusState], links: Iterable[Mapping[str, int]]) -> Hop:
        """The account so far, with what error frames and links told."""
        with self._lock:
            self._settle()
            hop = self._tally.hop(name)
        told: Counter[str] = Counter(self._arrivals.facts)
        overflows = 0
        for state in states:
            told.update(state.facts)
            overflows += state.overflows
        for facts in links:
            told.update(facts)
        at_least = {**hop.at_least, **({"controller overflow": overflows} if overflows else {})}
        return Hop(hop.name, hop.unit, hop.entered, hop.left, hop.set_aside, at_least, {**hop.facts, **told})

    def _settle_if_due(self) -> None:
        if self._clock.boot_ns() - self._settled_ns >= LOSSES_PERIOD_S * NS_PER_S:
            self._settle()

    def _settle(self) -> None:
        """Put into the account what the kernel lost, and what was none of its frames."""
        if self._reception is not None:
            self._settle_with(self._reception)

    def _settle_with(self, reception: Reception) -> None:
        self._settled_ns = self._clock.boot_ns()
        if lost := reception.lost():
            self._tally.refuse(LOST[reception.way], lost)
        for cause, count in reception.malformed().items():
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
            logger.info("%s: nothing more can be received: %s", ", ".join(self._names), error.strerror)
        reception.close()
        self._settle_with(reception)
