"""The days of one vehicle: when it is awake, what its buses carry, and when an alarm is up."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from edge.clock import NS_PER_S
from edge.frames import Frame

HOUR_S = 3600
DAY_S = 24 * HOUR_S
MOTION, BATTERY, CELLS, TEMPERATURES, ALARMS = 256, 257, 258, 259, 260


@dataclass(frozen=True, slots=True)
class Awake:
    """A time during which the gateway runs; between two of them it is suspended.

    Attributes:
        begin_s: seconds since the first midnight.
        end_s: likewise.
        driving: or else charging.
    """

    begin_s: int
    end_s: int
    driving: bool


@dataclass(frozen=True, slots=True)
class Days:
    """A vehicle that is charged at night and at noon, and driven in the morning and in the evening.

    Attributes:
        days: how many.
        share: of the time that it is awake by day, which shortens a run.
        alarms_s: from when to when an alarm is up, whenever the vehicle is awake then.
    """

    days: float = 10.0
    share: float = 1.0
    alarms_s: tuple[tuple[int, int], ...] = ()

    def awake(self) -> Iterator[Awake]:
        """All times during which it is awake, in order."""
        for day in range(int(-(-self.days // 1))):
            for begin_h, hours, driving in (
                (0.5, 2.0, False),
                (7.5, 1.0, True),
                (12.0, 0.75, False),
                (18.0, 1.5, True),
            ):
                begin_s = round(day * DAY_S + begin_h * HOUR_S)
                end_s = begin_s + round(self.share * hours * HOUR_S)
                if end_s <= self.days * DAY_S:
                    yield Awake(begin_s, end_s, driving)

    def alarm(self, second: int) -> bool:
        """Whether an alarm is up."""
        return any(begin_s <= second < end_s for begin_s, end_s in self.alarms_s)


class Buses:
    """What the vehicle sends: five frames a second, whose values wander as a driven vehicle's do.

    Args:
        days: when an alarm is up.
        seed: of the wandering.
    """

    def __init__(self, days: Days, seed: int = 1) -> None:
        self._days = days
        self._rng = random.Random(seed)  # noqa: S311 - a seed must replay the run
        self._speed, self._volts, self._charge = 0, 3_500, 120

    def second(self, awake: Awake, second: int, t_ns: int) -> list[Frame]:
        """The frames of one second, at `t_ns` of the boot's time, which lies in it."""
        rng = self._rng
        self._speed = min(12_000, max(0, self._speed + rng.randint(-400, 420))) if awake.driving else 0
        self._volts = min(4_100, max(3_000, self._volts + rng.randint(-200, 200)))
        current = rng.randint(-600, 2_500) if awake.driving else -rng.randint(290, 310)
        return [
            Frame(t_ns, MOTION, self._speed.to_bytes(2, "little") + bytes(6), "pt"),
            Frame(
                t_ns + 1,
                BATTERY,
                self._volts.to_bytes(2, "little")
                + (current % 65_536).to_bytes(2, "little")
                + bytes([self._charge])
                + rng.randint(0, 60_000).to_bytes(2, "little")
                + bytes(1),
                "pt",
            ),
            Frame(
                t_ns + 2,
                CELLS,
                bytes([second % 2]) + b"".join(self._cell_bytes() for _ in range(3)) + bytes(1),
                "pt",
            ),
            Frame(t_ns + 3, TEMPERATURES, bytes(60 + rng.randint(0, 3) for _ in range(4)) + bytes(4), "pt"),
            Frame(t_ns + 4, ALARMS, bytes([self._days.alarm(second), *bytes(7)]), "pt"),
        ]

    def _cell_bytes(self) -> bytes:
        return self._rng.randint(30_000, 42_000).to_bytes(2, "little")


WAIT_NS = NS_PER_S // 4
"""After each full second the frames of it are read, later than the reorder horizon."""
