"""The account of capture over all its lives: what a process that died without a word had said is kept."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edge.account import Hop
from edge.bus.source import WAITING
from edge.capturing.buffer import HOP
from edge.policy.transport import WAITING as SEGMENTS_WAITING

CRASHED = "in capture when it crashed"
UNREAD = "unread when closed"
_NOT_YET = (WAITING, SEGMENTS_WAITING)
_UNITS = ("frames", "observations")

OUTAGES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Outage:
    """A time of this boot in which nothing was captured, and nothing counted what there was to capture.

    Attributes:
        cause: why.
        from_ns: boot-monotonic time of the last word of the process that died.
        to_ns: when the next one was ready; None while there is none.
    """

    cause: str
    from_ns: int
    to_ns: int | None = None


class Lives:
    """Adds up the reports of one process after the other, so that the account balances across the border.

    A report says what has left capture, before that is sent; so what has left and did not arrive is known. Of
    a process that died, what waited in it at its last report is lost, for every later step would have been
    reported first. What came in after its last report is the one thing that nobody counts; `outages` says
    when that was. For any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._past: list[Hop] = []
        self._present: Callable[[], tuple[Hop, ...]] = tuple
        self._arrived = self._discarded = (0, 0)
        self._crashes = 0
        self._outages: deque[Outage] = deque(maxlen=OUTAGES_KEPT)
        self._outage_ns = 0

    @property
    def outages(self) -> Sequence[Outage]:
        """The last of the times without capture, in order."""
        with self._lock:
            return tuple(self._outages)

    def report(self, hops: Callable[[], tuple[Hop, ...]]) -> None:
        """Take up what the present process reports; `hops` always gives the same."""
        with self._lock:
            self._present = hops

    def arrive(self, frames: int, observations: int) -> None:
        """Count what was handed on to the core."""
        with self._lock:
            self._arrived = (self._arrived[0] + frames, self._arrived[1] + observations)

    def discard(self, frames: int, observations: int) -> None:
        """Count what arrived and is not wanted any more."""
        with self._lock:
            self._discarded = (self._discarded[0] + frames, self._discarded[1] + observations)

    def ready(self, t_ns: int) -> None:
        """A process is ready; whatever was missed is over."""
        with self._lock:
            if self._outages and self._outages[-1].to_ns is None:
                begun = self._outages[-1]
                to_ns = max(t_ns, begun.from_ns)
                self._outages[-1] = replace(begun, to_ns=to_ns)
                self._outage_ns += to_ns - begun.from_ns

    def end(self, crash: str, t_ns: int) -> None:
        """The present process has ended.

        Args:
            crash: how it died; empty if it ended in order.
            t_ns: boot-monotonic time of its last report.
        """
        with self._lock:
            hops = _arrivals(self._present(), self._arrived, self._discarded, CRASHED if crash else UNREAD)
            self._past = _sum([*self._past, *(map(_crashed, hops) if crash else hops)])
            self._present = tuple
            self._arrived = self._discarded = (0, 0)
            self._crashes += bool(crash)
            if crash and not (self._outages and self._outages[-1].to_ns is None):
                self._outages.append(Outage(crash, t_ns))

    def hops(self, now_ns: int) -> tuple[Hop, ...]:
        """The account of all lives.

        Args:
            now_ns: boot-monotonic time, up to which an outage that has not ended is counted.
        """
        with self._lock:
            present = _arrivals(self._present(), self._arrived, self._discarded, WAITING)
            past, crashes, missed_ns = self._past, self._crashes, self._outage_ns
            if self._outages and self._outages[-1].to_ns is None:
                missed_ns += max(0, now_ns - self._outages[-1].from_ns)
        facts = {"crashes of capture": crashes, "milliseconds without capture": missed_ns // 1_000_000}
        told = Hop(HOP, "frames", 0, 0, facts={name: count for name, count in facts.items() if count})
        return tuple(_sum([*past, *present, told]))


def _arrivals(hops: Iterable[Hop], arrived: Sequence[int], discarded: Sequence[int], cause: str) -> list[Hop]:
    """The hops as the core sees them: what has left capture and is not here stands under `cause`."""
    found = []
    for hop in hops:
        if hop.name != HOP or hop.unit not in _UNITS:
            found.append(hop)
            continue
        unit = _UNITS.index(hop.unit)
        set_aside = Counter(hop.set_aside)
        set_aside[cause] += max(0, hop.left - arrived[unit] - discarded[unit])
        set_aside[UNREAD] += discarded[unit]
        found.append(replace(hop, left=arrived[unit], set_aside=dict(+set_aside)))
    return found


def _crashed(hop: Hop) -> Hop:
    """A hop of a process that died: what waited in it, or was under way in it, is lost."""
    set_aside = Counter(hop.set_aside)
    lost = sum(set_aside.pop(cause, 0) for cause in _NOT_YET)
    set_aside[CRASHED] += lost + max(0, hop.difference)
    return replace(hop, set_aside=dict(+set_aside))


def _sum(hops: Iterable[Hop]) -> list[Hop]:
    """The hops of one name and unit added up, in the order in which they first came."""
    found: dict[tuple[str, str], Hop] = {}
    for hop in hops:
        key = (hop.name, hop.unit)
        other = found.get(key)
        found[key] = (
            hop
            if other is None
            else replace(
                hop,
                entered=hop.entered + other.entered,
                left=hop.left + other.left,
                set_aside=dict(Counter(other.set_aside) + Counter(hop.set_aside)),
                at_least=dict(Counter(other.at_least) + Counter(hop.at_least)),
                facts=dict(Counter(other.facts) + Counter(hop.facts)),
            )
        )
    return list(found.values())
