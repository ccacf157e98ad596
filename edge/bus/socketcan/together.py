"""`TogetherSource`: several buses out of one ring, read at once and in order, each with its own link."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from edge.account import Hop
from edge.bus.socketcan.arrivals import Arrivals
from edge.bus.socketcan.bus_state import BusState
from edge.bus.socketcan.link_report import LinkReport
from edge.bus.socketcan.reception import Cells, SharedReception
from edge.bus.socketcan.source import LAST_FRAMES, LOSSES_PERIOD_S, LOST, WAIT_MAX_S
from edge.bus.socketcan.state_log import StateLog
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.clock import NS_PER_S, Clock, Timebase
from edge.errors import SourceError
from edge.frames import FrameBatch, FrameFlag, UInt8s

STRANGER = "of an interface that is no bus"
"""Frames that were in the ring when their interface was given to nobody; the filter lets in no others."""
LOOK_PERIOD_NS = 20_000_000
"""How often links are asked for news; each asks the kernel when it is due itself."""

_NOBODY = 255


@dataclass(slots=True)
class Member:
    """One bus of the ring.

    Attributes:
        name: of the bus.
        link: watches its interface; closed with the source.
        clock: for lines of the log.
        index: by which number the kernel knows the interface; None while it is gone.
        away: whether the interface was down or gone at the last look.
        state: what error frames said of the bus.
        log: where that is told.
    """

    name: str
    link: LinkReport
    clock: Clock
    index: int | None = None
    away: bool = False
    state: BusState = field(default_factory=BusState)
    log: StateLog = field(init=False)

    def __post_init__(self) -> None:
        self.index = None if self.link.state is None else self.link.state.index
        self.away = bool(self.link.outage)
        self.log = StateLog(self.name, self.clock)


class TogetherSource(FrameSource):
    """Live buses whose frames the kernel puts into one ring.

    Frames are handed on in the order in which the kernel took them, which is that of their times; where two
    processors took frames of two buses at once, the later one of the ring is put at the time of the one
    before. There is nothing to be merged, and the cost of a reading does not grow with the number of buses.

    An interface that goes down gives frames again as soon as it is up; one that comes back under another
    number is let in as soon as its link is seen. The facts ``outages`` and ``reopened`` count that. What the
    kernel had no room for entered and is set aside, to the frame; of which bus it was is not known.

    Raises, when read, a `SourceError` if the kernel gives the ring no more.

    Args:
        members: the buses, at most 200.
        reception: the ring, open on the interfaces of all members.
        clock: gives boot-monotonic time, and the offset by which wall stamps are converted.

    Attributes:
        members: the buses.
    """

    live = True

    def __init__(self, members: Sequence[Member], reception: SharedReception, clock: Clock) -> None:
        self.members = tuple(members)
        self._reception = reception
        self._clock = clock
        self._names = tuple(member.name for member in members)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._tally = Tally()
        self._arrivals = Arrivals(clock)
        self._taken: list[FrameBatch] = []
        self._place = np.empty(0, np.uint8)
        self._looked_ns = self._settled_ns = clock.boot_ns()
        self._complete_ns: int | None = None
        self._behind = False
        self._closed = False
        for place, member in enumerate(self.members):
            self._give(place, member)

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

    @property
    def outage(self) -> str:
        """Why nothing can come from some of the interfaces, as of the last look; empty while all are up."""
        return "; ".join(member.link.outage for member in self.members if member.away)

    def fileno(self) -> int:
        """A descriptor that becomes readable when there is something to read."""
        return self._reception.fileno()

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; None only after `close`."""
        left_s = timeout_s
        while True:
            wait_s = max(0.0, min(left_s, WAIT_MAX_S))
            with self._lock:
                batch = self._next(wait_s)
            if batch is not None:
                return batch
            if self._stop.is_set():
                return None
            left_s -= wait_s
            if left_s <= 0:
                return FrameBatch.empty(self._names)

    def close(self) -> None:
        """See `FrameSource.close`; frames that were received before can still be read."""
        self._stop.set()
        with self._lock, ExitStack() as stack:
            for member in self.members:
                stack.callback(member.link.close)
            if not self._closed:
                self._closed = True
                stack.callback(self._reception.close)
                self._take_the_last()
        with self._lock:
            self._settle()

    def hop(self) -> Hop:
        """See `FrameSource.hop`; facts are those of all buses."""
        with self._lock:
            self._settle()
            hop = self._tally.hop("merged buses")
        facts = Counter(hop.facts) + Counter(self._arrivals.facts)
        overflows = 0
        for member in self.members:
            facts.update(member.state.facts)
            facts.update(member.link.facts)
            overflows += member.state.overflows
        at_least = {**hop.at_least, **({"controller overflow": overflows} if overflows else {})}
        return Hop(hop.name, hop.unit, hop.entered, hop.left, hop.set_aside, at_least, {**hop.facts, **facts})

    def _next(self, wait_s: float) -> FrameBatch | None:
        """What comes next, if it comes in time."""
        if not self._taken and not self._closed:
            self._look()
            begun_ns = self._clock.boot_ns()
            cells = self._cells(wait_s)
            self._behind = bool(len(cells)) and not self._reception.drained
            if self._reception.drained:
                self._complete_ns = begun_ns - round(self._reception.lag_s * NS_PER_S)
            if len(cells):
                self._accept(cells)
            if begun_ns - self._settled_ns >= LOSSES_PERIOD_S * NS_PER_S:
                self._settle()
        if not self._taken:
            return None
        batch = self._taken.pop(0)
        self._tally.hand_on(batch)
        return batch

    def _cells(self, wait_s: float) -> Cells:
        try:
            return self._reception.take(wait_s)
        except OSError as error:
            words = error.strerror or str(error)
            raise SourceError(
                f"cannot be read on: {words}", where=f"ring of {', '.join(self._names)}"
            ) from error

    def _accept(self, cells: Cells) -> None:
        """Make a batch of frames, and keep it to be handed on."""
        bus: UInt8s = self._place.take(cells.interface, mode="clip")
        batch = self._arrivals.batch(cells, bus, self._names)
        self._tally.entered += len(batch)
        if np.maximum.reduce(bus) == _NOBODY:
            strangers = bus == _NOBODY
            self._tally.set_aside[STRANGER] += int(np.count_nonzero(strangers))
            batch = batch.take(~strangers)
        if np.bitwise_or.reduce(batch.flags) & np.uint16(FrameFlag.ERROR):
            errors = batch.take(batch.has(FrameFlag.ERROR))
            for place, member in enumerate(self.members):
                member.log.tell(member.state.follow(errors.take(errors.bus == place)))
        if len(batch):
            self._taken.append(batch)

    def _look(self) -> None:
        """Learn what became of the links, and let in those that have another number now."""
        now_ns = self._clock.boot_ns()
        if now_ns - self._looked_ns < LOOK_PERIOD_NS:
            return
        self._looked_ns = now_ns
        changed = False
        for place, member in enumerate(self.members):
            member.link.look()
            index = self._index(member)
            if index != member.index:
                member.index = index
                changed = True
                self._give(place, member)
            away = bool(member.link.outage)
            if away != member.away:
                member.away = away
                self._tally.facts["outages" if away else "reopened"] += 1
        if changed:
            self._reception.admit(member.index for member in self.members if member.index is not None)

    def _index(self, member: Member) -> int | None:
        """Which interface is the member's now; another one only once it is up, see `LinkEvent.RENAMED`."""
        state = member.link.state
        if state is None or (member.link.outage and state.index != member.index):
            return None
        return state.index

    def _give(self, place: int, member: Member) -> None:
        """Take frames of an interface for those of a bus; what it had before still lies in the ring."""
        if member.index is None:
            return
        if member.index + 1 >= len(self._place):
            # Numbers beyond the table are read as its last place, which is nobody's.
            more = np.full(member.index + 2 - len(self._place), _NOBODY, np.uint8)
            self._place = np.concatenate([self._place, more])
        self._place[member.index] = place

    def _take_the_last(self) -> None:
        """Take what the ring still holds."""
        self._reception.finish()
        frames = 0
        while frames < LAST_FRAMES and len(cells := self._reception.take(0)):
            self._accept(cells)
            frames += len(cells)

    def _settle(self) -> None:
        """Put into the account what the kernel lost, and what was none of its frames."""
        self._settled_ns = self._clock.boot_ns()
        if lost := self._reception.lost():
            self._tally.refuse(LOST[self._reception.way], lost)
        for cause, count in self._reception.malformed().items():
            self._tally.refuse(cause, count)
