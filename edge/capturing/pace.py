"""`Pace`: when live sources are read. What a reading costs, it costs once, however many frames it brings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from edge.clock import NS_PER_S
from edge.config.configuration import Config
from edge.config.socketcan import PYTHON_CAN, SOCKETCAN

TICKS_S: Mapping[str, float] = MappingProxyType({"normal": 0.07, "low": 0.004})
"""How often, where a condition or a sensor is to be seen soon."""

AFTER_INSTANT_S = 0.025
"""So long after an instant of the samples a ring gives all frames of before it, and one of after it."""

IDLE_MOST_S = 1.0
"""How often at least where nothing depends on it: what waits in the kernel has room for longer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Reads at equal distances.

    Attributes:
        period_s: between two readings.
        after_s: so long after multiples of the period on the boot clock; None: a period after the last.
    """

    period_s: float
    after_s: float | None = None

    def next_ns(self, now_ns: int) -> int:
        """When the next reading is due after one at `now_ns`."""
        period_ns = round(self.period_s * NS_PER_S)
        if self.after_s is None:
            return now_ns + period_ns
        after_ns = round(self.after_s * NS_PER_S)
        return ((now_ns - after_ns) // period_ns + 1) * period_ns + after_ns


USUAL_PACE = Pace(TICKS_S["normal"])


def pace_of(config: Config) -> Pace:
    """How often the live buses and sensors of a configuration are read.

    In low latency every few milliseconds. Otherwise at least every 70 ms.
    Where no event is waited for, no sensor is to be asked and all frames wait in the kernel, only once for
    each sample and each block of the journal, at most a second apart, right after the sample's instant.
    """
    if config.capture.latency != "normal":
        return Pace(TICKS_S[config.capture.latency])
    block_s = IDLE_MOST_S if config.journal is None else config.journal.block_period_s
    sample_s = min(config.sampling.collect_period_s, block_s, IDLE_MOST_S)
    soon = config.event or config.collision is not None or config.sensor
    in_kernel = all(
        bus.interface == SOCKETCAN and bus.options.get("way") != PYTHON_CAN
        for bus in config.bus
        if bus.interface
    )
    if not soon and in_kernel and sample_s > TICKS_S["normal"]:
        return Pace(sample_s, AFTER_INSTANT_S)
    return Pace(sample_s / ceil(sample_s / TICKS_S["normal"]), AFTER_INSTANT_S)
