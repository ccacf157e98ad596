"""`StampConverter`: the stamps of a live interface, of whatever clock, as boot-monotonic time."""

from __future__ import annotations

from collections import Counter

from edge.clock import NS_PER_S, Timebase

WALL_NEAR_NS = 60 * NS_PER_S
AHEAD_MAX_NS = 1_000_000
BEHIND_MAX_NS = 5 * NS_PER_S


class StampConverter:
    """Converts the stamps of one interface.

    Most of python-can's interfaces stamp with wall time (socketcan, virtual, udp_multicast, slcan); some with
    the device's own clock (gs_usb, canalystii), a few with nothing. The first stamp decides: within a minute
    of wall time it is wall time. Wall stamps are moved by the present offset to boot time. A device's clock
    is anchored at the earliest arrival seen, so that delays on the way do not count, and anew when it jumps
    or falls behind by more than 5 s, as a 32-bit microsecond counter does every 71 minutes. A stamp of 0 or
    beyond the present means the time of arrival. Times never run backwards.

    Attributes:
        facts: ``stamped on arrival`` and ``device clock anchored anew``, counted.
    """

    def __init__(self) -> None:
        self.facts: Counter[str] = Counter()
        self._wall: bool | None = None
        self._offset_ns: int | None = None
        self._last_ns: int | None = None

    def boot_ns(self, stamp_s: float, now_ns: int, timebase: Timebase) -> int:
        """Boot time of a frame that was stamped `stamp_s` and read at `now_ns`, under `timebase`."""
        t_ns = self._converted(stamp_s, now_ns, timebase)
        if t_ns is None:
            self.facts["stamped on arrival"] += 1
            t_ns = now_ns
        t_ns = min(t_ns, now_ns)
        self._last_ns = t_ns if self._last_ns is None else max(t_ns, self._last_ns)
        return self._last_ns

    def _converted(self, stamp_s: float, now_ns: int, timebase: Timebase) -> int | None:
        if not stamp_s > 0:
            return None
        stamp_ns = round(stamp_s * NS_PER_S)
        if self._wall is None:
            self._wall = abs(stamp_ns - timebase.wall_ns(now_ns)) < WALL_NEAR_NS
        if self._wall:
            t_ns = stamp_ns - timebase.wall_offset_ns
            return t_ns if now_ns - WALL_NEAR_NS < t_ns < now_ns + AHEAD_MAX_NS else None
        arrival_ns = now_ns - stamp_ns
        if self._offset_ns is None:
            self._offset_ns = arrival_ns
        elif stamp_ns + self._offset_ns < now_ns - BEHIND_MAX_NS:
            self.facts["device clock anchored anew"] += 1
            self._offset_ns = arrival_ns
        self._offset_ns = min(self._offset_ns, arrival_ns)
        return stamp_ns + self._offset_ns
