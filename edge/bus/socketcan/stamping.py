"""`Stamping`: the stamps of kernel or controller as boot-monotonic time, a column at a time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from edge.bus.socketcan.reception import Bools
from edge.clock import NS_PER_S, Timebase

WALL_NEAR_NS = 60 * NS_PER_S
AHEAD_MAX_NS = 1_000_000
BACK_MAX_NS = 10_000_000
"""By so much a stamp may lie behind the last frame's: two processors' stamps, and readings of the clocks."""
STEP_MIN_NS = 5_000_000
"""A change of the wall clock's offset from which it was set, and not steered, between two readings."""
BEHIND_MAX_NS = 5 * NS_PER_S
ANCHOR_HOLDS_NS = 10 * NS_PER_S
"""How long the shortest delay seen anchors a controller's clock: 50 ppm of drift are 0.5 ms in that time."""

_LATEST_NS = 1 << 62

ON_ARRIVAL = "stamped on arrival"
ACROSS_STEP = "stamped before the wall clock was set"
STEPS = "wall clock set"
ANCHORED = "device clock anchored anew"
BY_CONTROLLER = "stamped by the controller"

Int64s = npt.NDArray[np.int64]


class Stamping:
    """Converts the stamps of one interface.

    The kernel stamps with wall time, which is moved to boot time by the present offset of both. Where the
    wall clock was set since the last reading, each frame is moved by that of the two offsets under which it
    came after the last one and before now. A controller's stamp that is within a minute of wall time is
    taken likewise; others are of a clock of its own, anchored at the shortest delay seen in the last 10 to
    20 s, and anew when it jumps. What has no stamp, or none that can be true, came before the next frame
    that has one, at the latest now. Times never run backwards: what is a little older than the last frame
    is put at its time.

    Args:
        since_ns: boot time before which no frame can have come: when the interface was opened.

    Attributes:
        facts: ``stamped on arrival``, ``stamped by the controller``, ``stamped before the wall clock was
            set``, ``wall clock set``, ``device clock anchored anew``, counted.
    """

    def __init__(self, since_ns: int) -> None:
        self.facts: Counter[str] = Counter()
        self._last_ns = since_ns
        self._offset_ns: int | None = None
        self._device: _DeviceClock | None = None
        self._controller_knows_wall: bool | None = None

    def reopened(self) -> None:
        """Forget the controller's clock: another may be behind the interface now."""
        self._device = None
        self._controller_knows_wall = None

    def boot_ns(self, wall_ns: Int64s, hardware: Bools, now_ns: int, timebase: Timebase) -> Int64s:
        """Boot times of frames of one interface, in order of their arrival.

        Args:
            wall_ns: stamps, 0 where there is none.
            hardware: whether the controller made the stamp.
            now_ns: boot time at which they had all been read.
            timebase: the relation of boot to wall time at `now_ns`.
        """
        if not len(wall_ns):
            return np.empty(0, np.int64)
        t_ns = self._converted(wall_ns, now_ns, timebase.wall_offset_ns)
        if by_controller := int(np.count_nonzero(hardware)):
            self.facts[BY_CONTROLLER] += by_controller
            self._by_controller(t_ns, wall_ns, hardware, now_ns, timebase)
        if not (
            np.minimum.reduce(t_ns) >= self._last_ns - BACK_MAX_NS
            and np.maximum.reduce(t_ns) <= now_ns + AHEAD_MAX_NS
        ):
            usable = self._possible(t_ns, now_ns)
            self.facts[ON_ARRIVAL] += len(t_ns) - int(np.count_nonzero(usable))
            latest = np.minimum.accumulate(np.where(usable, t_ns, now_ns)[::-1])[::-1]
            t_ns = np.where(usable, t_ns, latest)
        t_ns[0] = max(int(t_ns[0]), self._last_ns)
        t_ns = np.minimum(np.maximum.accumulate(t_ns), max(now_ns, self._last_ns))
        self._last_ns = int(t_ns[-1])
        return t_ns

    def _possible(self, t_ns: Int64s, now_ns: int) -> Bools:
        return (t_ns >= self._last_ns - BACK_MAX_NS) & (t_ns <= now_ns + AHEAD_MAX_NS)

    def _converted(self, wall_ns: Int64s, now_ns: int, offset_ns: int) -> Int64s:
        """Wall stamps on boot time, also across a step of the wall clock."""
        before_ns, self._offset_ns = self._offset_ns, offset_ns
        t_ns = wall_ns - offset_ns
        if before_ns is None or abs(offset_ns - before_ns) < STEP_MIN_NS:
            return t_ns
        self.facts[STEPS] += 1
        old_ns = wall_ns - before_ns
        before = self._possible(old_ns, now_ns) & ~self._possible(t_ns, now_ns)
        self.facts[ACROSS_STEP] += int(np.count_nonzero(before))
        return np.where(before, old_ns, t_ns)

    def _by_controller(
        self, t_ns: Int64s, stamp_ns: Int64s, hardware: Bools, now_ns: int, timebase: Timebase
    ) -> None:
        """Put in the times of frames that the controller stamped, if its clock is one of its own."""
        own = stamp_ns[hardware].clip(0, _LATEST_NS)
        if self._controller_knows_wall is None:
            self._controller_knows_wall = abs(int(own[-1]) - timebase.wall_ns(now_ns)) < WALL_NEAR_NS
        if self._controller_knows_wall:
            return
        if self._device is None:
            self._device = _DeviceClock(self.facts)
        t_ns[hardware] = self._device.boot_ns(own, now_ns)


class _DeviceClock:
    """A clock of a controller's own, anchored by the time at which its stamps are read.

    A stamp is read some time after it was made; the shortest such delay comes nearest to the true relation.
    """

    def __init__(self, facts: Counter[str]) -> None:
        self._facts = facts
        self._offset_ns: int | None = None
        self._next_offset_ns = 0
        self._since_ns = 0

    def boot_ns(self, stamp_ns: Int64s, now_ns: int) -> Int64s:
        arrival_ns = now_ns - int(stamp_ns[-1])
        jumped = self._offset_ns is not None and not (
            -BEHIND_MAX_NS < int(stamp_ns[-1]) + self._offset_ns - now_ns < BEHIND_MAX_NS
        )
        if self._offset_ns is None or jumped:
            if jumped:
                self._facts[ANCHORED] += 1
            self._offset_ns = self._next_offset_ns = arrival_ns
            self._since_ns = now_ns
        elif now_ns - self._since_ns >= ANCHOR_HOLDS_NS:
            self._offset_ns, self._next_offset_ns = self._next_offset_ns, arrival_ns
            self._since_ns = now_ns
        self._next_offset_ns = min(self._next_offset_ns, arrival_ns)
        self._offset_ns = min(self._offset_ns, self._next_offset_ns)
        return stamp_ns + self._offset_ns
