"""Alarms: thresholds on what the vehicle measures; flags, levels and fault codes of GB/T 32960.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulator.vehicle.scenario import ForcedAlarm

BITS = 28
PLACES = 4
THERMAL_EVENT_BIT = 23
THERMAL_EVENT_LEVEL = 4
LAMP_LEVEL = 2
BATTERY_BITS = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 23})
MOTOR_BITS = frozenset({15, 17, 19, 20})
"""Which flags appear in which list of fault codes; all others go to the list of other faults."""

BATTERY_CODES, MOTOR_CODES, OTHER_CODES = 0x0100_0000, 0x0200_0000, 0x0400_0000


@dataclass(frozen=True, slots=True)
class Rule:
    """When a flag comes up.

    Attributes:
        bit: number of the flag.
        channel: the quantity that decides.
        thresholds: for level 1 and up; the flag has the level of the last one that is passed.
        rising: above the threshold is an alarm; else below.
        awake: looked at only while high voltage is on.
    """

    bit: int
    channel: str
    thresholds: tuple[float, ...]
    rising: bool = True
    awake: bool = False

    def level(self, value: float) -> int:
        """0 if no threshold is passed."""
        return sum(value >= limit if self.rising else value <= limit for limit in self.thresholds)


RULES: tuple[Rule, ...] = (
    Rule(0, "probe_spread_k", (12.0, 18.0, 25.0)),
    Rule(1, "probe_max_c", (50.0, 55.0, 60.0)),
    Rule(2, "pack_voltage_v", (455.0, 458.0, 462.0)),
    Rule(3, "pack_voltage_v", (324.0, 313.0, 302.0), rising=False, awake=True),
    Rule(4, "soc_percent", (15.0, 8.0, 3.0), rising=False),
    Rule(5, "cell_max_v", (4.22, 4.25, 4.30)),
    Rule(6, "cell_min_v", (3.00, 2.90, 2.80), rising=False),
    Rule(7, "soc_percent", (100.5,)),
    Rule(10, "cell_spread_mv", (80.0, 150.0, 300.0)),
    Rule(11, "insulation_kohm", (500.0, 250.0, 50.0), rising=False),
    Rule(12, "dcdc_temp_c", (95.0, 105.0, 115.0)),
    Rule(15, "controller_max_c", (85.0, 95.0, 105.0)),
    Rule(17, "winding_max_c", (140.0, 155.0, 170.0)),
    Rule(19, "motor_max_rpm", (15_500.0, 16_000.0, 16_500.0)),
)


class Alarms:
    """The present alarms.

    Attributes:
        levels: level of each flag, 0 where it is not up.
    """

    channels = (
        "alarm_max_level", *(f"alarm_flag[{bit}]" for bit in range(BITS)),
        *(f"alarm_level[{bit}]" for bit in range(BITS)), "battery_fault_count", "motor_fault_count",
        "other_fault_count", *(f"battery_fault_code[{place}]" for place in range(1, PLACES + 1)),
        *(f"motor_fault_code[{place}]" for place in range(1, PLACES + 1)),
        *(f"other_fault_code[{place}]" for place in range(1, PLACES + 1)), "system_lamp", "battery_lamp",
        "motor_lamp", "gong", "displayed_warning",
    )  # fmt: skip

    def __init__(self, forced: Sequence[ForcedAlarm]) -> None:
        self._forced = forced
        self.levels = [0] * BITS

    def tick(self, time_s: float, measured: Mapping[str, float], *, high_voltage: bool) -> None:
        """Judge what is measured at `time_s`."""
        levels = [0] * BITS
        for rule in RULES:
            if high_voltage or not rule.awake:
                levels[rule.bit] = rule.level(measured[rule.channel])
        if measured["vent_detected"]:
            levels[THERMAL_EVENT_BIT] = THERMAL_EVENT_LEVEL
        for alarm in self._forced:
            if alarm.start_s <= time_s < alarm.end_s:
                levels[alarm.bit] = max(levels[alarm.bit], alarm.level)
        self.levels = levels

    def _codes(self, head: int, belongs: Callable[[int], bool]) -> tuple[float, list[float]]:
        codes = [
            float(head | bit << 8 | level) for bit, level in enumerate(self.levels) if level and belongs(bit)
        ]
        shown = codes[:PLACES]
        return float(len(shown)), shown + [0.0] * (PLACES - len(shown))

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        highest = max(self.levels)
        battery_count, battery = self._codes(BATTERY_CODES, BATTERY_BITS.__contains__)
        motor_count, motor = self._codes(MOTOR_CODES, MOTOR_BITS.__contains__)
        other_count, other = self._codes(OTHER_CODES, lambda bit: bit not in BATTERY_BITS | MOTOR_BITS)
        return (
            highest, *(float(level > 0) for level in self.levels), *self.levels, battery_count,
            motor_count, other_count, *battery, *motor, *other, float(highest >= LAMP_LEVEL),
            float(battery_count > 0), float(motor_count > 0), min(2, highest), highest,
        )  # fmt: skip
