"""`TogetherSource`: several buses out of one ring, read at once and in order, each with its own link."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from edge.account import Hop
from edge.bus.socketcan.bus_state import BusState
from edge.bus.socketcan.kernel_source import KernelSource
from edge.bus.socketcan.link_report import LinkReport
from edge.bus.socketcan.reception import Cells, SharedReception
from edge.bus.socketcan.state_log import StateLog
from edge.clock import Clock
from edge.errors import SourceError
from edge.frames import FrameFlag, UInt8s

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
        log: where it is told what happens to its controller.
        index: by which number the kernel knows the interface; None while it is gone.
        away: whether the interface was down or gone at the last look.
        state: what error frames said of the bus.
    """

    name: str
    link: LinkReport
    log: StateLog
    index: int | None = None
    away: bool = False
    state: BusState = field(default_factory=BusState)

    def __post_init__(self) -> None:
        self.index = None if self.link.state is None else self.link.state.index
        self.away = bool(self.link.outage)


class TogetherSource(KernelSource):
    """Live buses whose frames the kernel puts into one ring.

    Frames are handed on in the order in which the kernel took them, which is that of their times; where two
    processors took frames of two buses at once, the later one of the ring is put at the time of the one
    before. There is nothing to be merged, and the cost of a reading does not grow with the number of buses.

    An interface that goes down gives frames again as soon as it is up; one that comes back under another
    number is let in as soon as its link is seen. The facts ``outages`` and ``reopened`` count that. Of which
    bus it was what the kernel had no room for is not known. `read` raises a `SourceError` if the kernel gives
    the ring no more.

    Args:
        members: the buses, at most 200.
        reception: the ring, open on the interfaces of all members.
        clock: gives boot-monotonic time, and the offset by which wall stamps are converted.

    Attributes:
        members: the buses.
    """

    def __init__(self, members: Sequence[Member], reception: SharedReception, clock: Clock) -> None:
        super().__init__(tuple(member.name for member in members), clock)
        self.members = tuple(members)
        self._ring = self._reception = reception
        self._place = np.empty(0, np.uint8)
        self._looked_ns = self._settled_ns = clock.boot_ns()
        for place, member in enumerate(self.members):
            self._give(place, member)

    @property
    def outage(self) -> str:
        """Why nothing can come from some of the interfaces, as of the last look; empty while all are up."""
        return "; ".join(member.link.outage for member in self.members if member.away)

    def close(self) -> None:
        """See `FrameSource.close`; frames that were received before can still be read."""
        self._stop.set()
        with self._lock, ExitStack() as stack:
            for member in self.members:
                stack.callback(member.link.close)
            self._give_back()

    def hop(self) -> Hop:
        """See `FrameSource.hop`; facts are those of all buses."""
        states = [member.state for member in self.members]
        return self._hop("merged buses", states, [member.link.facts for member in self.members])

    def _fill(self, wait_s: float) -> None:
        """See `KernelSource`.

        Raises:
            SourceError: the ring gives nothing any more.
        """
        self._look()
        try:
            self._take_from(self._ring, wait_s)
        except OSError as error:
            words = error.strerror or str(error)
            raise SourceError(
                f"cannot be read on: {words}", where=f"ring of {', '.join(self._names)}"
            ) from error
        self._settle_if_due()

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
            self._ring.admit(member.index for member in self.members if member.index is not None)

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
