"""`AlarmWatch`: follows the alarms of buses, tells each once and reminds of it, keeps their account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.account import Hop
from edge.bus.condition import AlarmKind, BusCondition
from edge.clock import NS_PER_S
from edge.uplink.events import Notice

REMIND_S = 3600.0
"""An alarm that stands is told again so often."""

HOP = "alarms"


@dataclass(frozen=True, slots=True)
class StandingAlarm:
    """An alarm that stands.

    Attributes:
        bus: of which bus.
        kind: what it is about.
        words: for people, with what to do.
        since_ns: boot-monotonic time at which it was first heard of.
    """

    bus: str
    kind: AlarmKind
    words: str
    since_ns: int


class AlarmWatch:
    """Follows how buses stand; what is raised, what is over and what stands add up.

    One bus has at most one alarm of a kind.
    """

    def __init__(self) -> None:
        self._standing: dict[tuple[str, AlarmKind], StandingAlarm] = {}
        self._reminded_ns = 0
        self._raised = self._over = 0

    @property
    def standing(self) -> tuple[StandingAlarm, ...]:
        """What stands, the oldest first."""
        return tuple(self._standing.values())

    def see(self, buses: Iterable[BusCondition], now_ns: int) -> Iterator[Notice]:
        """Take in how the buses stand; what has changed is told, and what stands now and then again.

        Args:
            buses: as they stand now.
            now_ns: boot-monotonic time.
        """
        now = {(one.bus, alarm.kind): alarm.words for one in buses for alarm in one.alarms}
        for key in [key for key in self._standing if key not in now]:
            del self._standing[key]
            self._over += 1
            yield Notice(f"alarm over: bus {key[0]}: no longer {key[1]}", trouble=False)
        if self._standing and now_ns - self._reminded_ns >= REMIND_S * NS_PER_S:
            self._reminded_ns = now_ns
            for each in self._standing.values():
                yield Notice(f"alarm still stands: bus {each.bus}: {each.words}", trouble=True)
        for key, words in now.items():
            if key not in self._standing:
                self._raised += 1
                self._reminded_ns = now_ns
                self._standing[key] = StandingAlarm(*key, words, now_ns)
                yield Notice(f"alarm: bus {key[0]}: {words}", trouble=True)

    def hops(self) -> tuple[Hop, ...]:
        """Alarms raised, over and standing; nothing if there was never one."""
        if not self._raised:
            return ()
        standing = {f"standing: bus {one.bus} {one.kind}": 1 for one in self._standing.values()}
        return (Hop(HOP, "alarms", self._raised, self._over, standing),)
