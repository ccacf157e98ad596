"""`SamplingRules`: how often the vehicle is sampled, and which of its samples become records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.clock import NS_PER_S

ALARM_PERIOD_NS = NS_PER_S
"""Around an alarm a record is made at least so often (GB/T 32960.3: 1 s or better)."""

LAST_REPORT_NS = 30 * NS_PER_S
"""Of the watch after high voltage was switched off, the end that is reported (2025: 59:30 to 60:00)."""


class Edition(StrEnum):
    """The edition of GB/T 32960.3 whose windows are kept."""

    OF_2016 = "2016"
    OF_2025 = "2025"


@dataclass(frozen=True, slots=True)
class SamplingRules:
    """When records are made.

    Attributes:
        period_ns: between two records of a vehicle that is in use.
        edition: in 2016 an alarm window ends some time after the fault, in 2025 when the alarm has cleared.
        before_ns: how far back an alarm window reaches.
        after_ns: in 2016, how long it lasts after the fault; in 2025, how long an alarm whose level is no
            longer known counts as not cleared, and how long one lasts that was up at the start.
        report_after_off_ns: records go on for this long after high voltage was switched off.
        watch_after_off_ns: the vehicle is watched for this long, and its last 30 s are reported; after it,
            no records are made until the vehicle wakes or raises an alarm.
    """

    period_ns: int
    edition: Edition = Edition.OF_2025
    before_ns: int = 30 * NS_PER_S
    after_ns: int = 30 * NS_PER_S
    report_after_off_ns: int = 180 * NS_PER_S
    watch_after_off_ns: int = 3600 * NS_PER_S
