"""`StampedFrames`: frames of a board as batches on boot time, once its clock is related to that."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.bus.vlink.clock_relation import ClockRelation, Exchange
from edge.bus.vlink.frames_columns import FrameColumns
from edge.clock import NS_PER_S, Clock
from edge.frames import FrameBatch, Int64s, UInt8s

BY_GREETING = "stamped before the clocks were related"
BEFORE_BOOT = "stamped before this machine's boot"
JUMPS = "board's clock jumped"
MOVED = "times moved by over 10 ms to stay in order"
IMPOSSIBLE = "answers about time that cannot be"
UNCOUNTED_MS = "ms around resets that nothing counts"

MOVED_NS = 10_000_000
"""Relations that become better move times by less."""
HOLD_NS = 2 * NS_PER_S
HOLD_FRAMES = 1 << 17
UNCOUNTED_MAX = 100
NOBODY = 255
"""The place of a bus of the board that the configuration does not name."""

Rows = slice | npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Uncounted:
    """A time around a reset of the board in which nothing counted what was on a bus.

    Attributes:
        bus: its name.
        from_ns: boot time of the last frame before.
        to_ns: boot time of the first frame after.
    """

    bus: str
    from_ns: int
    to_ns: int


class StampedFrames:
    """Makes batches of what a board's packets brought.

    What comes before the clocks are related waits for 2 s at most, and is then put where the board's greeting
    says that it is at the latest. Times of one bus never run backwards, and none is later than its reading.

    Args:
        names: of the buses of the configuration.
        places: of each of the board's buses, which name is its, or `NOBODY`.
        clock: gives boot time.
        tell: told of each time that a reset left uncounted.

    Attributes:
        facts: what was not as usual, counted.
        taken: batches that are ready, in order.
        relation: of the board's clock to boot time.
        uncounted: the last hundred times around resets in which nothing counted frames.
    """

    def __init__(
        self, names: tuple[str, ...], places: UInt8s, clock: Clock, tell: Callable[[Uncounted], None]
    ) -> None:
        self.facts: Counter[str] = Counter()
        self.taken: deque[FrameBatch] = deque()
        self.relation = ClockRelation()
        self.uncounted: deque[Uncounted] = deque(maxlen=UNCOUNTED_MAX)
        self._names = names
        self._places = places
        self._clock = clock
        self._tell = tell
        self._held: deque[FrameColumns] = deque()
        self._held_frames = 0
        self._held_since_ns = 0
        self._last_ns: list[int | None] = [None] * len(names)
        self._reset_from_ns: list[int | None] = [None] * len(names)

    def boot(self, *, reset: bool) -> None:
        """Take up that what comes from now on is of another boot of the board, by another clock.

        Args:
            reset: whether the board was followed until it was reset.
        """
        self.let_go(at_once=True)
        self.relation = ClockRelation()
        if reset:
            self._reset_from_ns = list(self._last_ns)

    def learn(self, exchange: Exchange) -> bool:
        """Take up what an answer says of the clocks; tell whether it contradicted those before."""
        jumps, impossible = self.relation.jumps, self.relation.impossible
        self.relation.learn(exchange)
        self.facts[JUMPS] += self.relation.jumps - jumps
        self.facts[IMPOSSIBLE] += self.relation.impossible - impossible
        return self.relation.jumps > jumps

    def add(self, columns: FrameColumns) -> None:
        """Take up frames, in the order in which they came."""
        if not len(columns):
            return
        if self.relation.known and not self._held:
            self._stamp(columns)
            return
        if not self._held:
            self._held_since_ns = self._clock.boot_ns()
        self._held.append(columns)
        self._held_frames += len(columns)

    def let_go(self, *, at_once: bool = False) -> None:
        """Stamp what waits, once the clocks are related, or it has waited enough."""
        if not self._held:
            return
        waited_ns = self._clock.boot_ns() - self._held_since_ns
        enough = at_once or waited_ns >= HOLD_NS or self._held_frames >= HOLD_FRAMES
        if not (self.relation.known or enough):
            return
        if not self.relation.known:
            self.facts[BY_GREETING] += self._held_frames
        while self._held:
            self._stamp(self._held.popleft())
        self._held_frames = 0

    def _stamp(self, columns: FrameColumns) -> None:
        """Make a batch of frames with boot times."""
        bus: UInt8s = self._places[columns.bus]
        t_ns = self.relation.boot_ns(columns.t_us)
        rows: Rows = slice(None)
        if np.maximum.reduce(bus) == NOBODY:
            rows = np.flatnonzero(bus != NOBODY)
            bus, t_ns = bus[rows], t_ns[rows]
            if not len(bus):
                return
        if before := int(np.count_nonzero(t_ns < 0)):
            self.facts[BEFORE_BOOT] += before
        told_ns, t_ns = t_ns, t_ns.clip(0, self._clock.boot_ns())
        for place in range(len(self._names)):
            self._in_order(place, t_ns, np.flatnonzero(bus == place) if len(self._names) > 1 else slice(None))
        if moved := int(np.count_nonzero(np.abs(t_ns - told_ns) > MOVED_NS)):
            self.facts[MOVED] += moved
        self.taken.append(
            FrameBatch(
                t_ns=t_ns,
                bus=bus,
                arbitration_id=columns.arbitration_id[rows],
                flags=columns.flags[rows],
                length=columns.length[rows],
                data=columns.data[rows],
                buses=self._names,
                timebase=self._clock.timebase(),
            )
        )

    def _in_order(self, place: int, t_ns: Int64s, own: Rows) -> None:
        """Have the times of one bus never run backwards, and note what a reset left uncounted."""
        times = np.maximum.accumulate(t_ns[own])
        if not len(times):
            return
        last_ns = self._last_ns[place]
        if last_ns is not None:
            times = np.maximum(times, last_ns)
        t_ns[own] = times
        self._last_ns[place] = int(times[-1])
        from_ns = self._reset_from_ns[place]
        if from_ns is not None:
            self._reset_from_ns[place] = None
            gap = Uncounted(self._names[place], from_ns, int(times[0]))
            self.uncounted.append(gap)
            self.facts[UNCOUNTED_MS] += (gap.to_ns - gap.from_ns) // 1_000_000
            self._tell(gap)


def places_of(wanted: Sequence[int]) -> UInt8s:
    """The table `StampedFrames` takes: of each of 256 buses of a board the place in `wanted`, or `NOBODY`."""
    places = np.full(256, NOBODY, np.uint8)
    places[list(wanted)] = np.arange(len(wanted), dtype=np.uint8)
    return places
