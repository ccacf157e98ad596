"""`Record`: the regulated items of one sample instant, the currency from the vehicle room to the platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from edge.clock import Timebase


class Missing(Enum):
    """Why an item, or one element of an array, has no value (GB/T 32960.3: 0xFF and 0xFE)."""

    INVALID = "invalid"
    """Nothing was received, or what was received is older than the item's freshness limit."""

    ABNORMAL = "abnormal"
    """A value was received that the item's range does not hold; it is never clipped."""


Element = int | Missing
Value = Element | tuple[Element, ...]
"""A value in whole steps of the item's resolution, counted from 0 (no wire offset): 12.3 km/h at
0.1 is 123."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the vehicle said at one sample instant.

    Attributes:
        number: place in its stream, from 1, without gaps.
        t_ns: boot-monotonic time of the sample instant in nanoseconds.
        timebase: how `t_ns` relates to wall time, and how good that is.
        values: by concrete item id (``vehicle.speed``, ``motor[1].speed``, ``pack[1].cells``); an item that
            is not collected has no entry.
        mask: the name of the door's mask under which it was collected.
        alarm: whether an alarm of level 3 or more is up, which gives the record precedence.
        reissue: whether it is sent after its time (GB/T 32960.3, command 0x03): one of before an alarm, whose
            number is greater than those of later records. Messages say it by their kind, not per record.
    """

    number: int
    t_ns: int
    timebase: Timebase
    values: Mapping[str, Value]
    mask: str = ""
    alarm: bool = False
    reissue: bool = False
