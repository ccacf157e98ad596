"""Alarm levels: what each flag that is up stands for, fixed or as a signal says, and the highest of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.catalogue.bound import Bit, FedLevel
from edge.database.model import SignalRef
from edge.records import Element, Missing, Value
from edge.vehicle.evaluate import Times, Values

LEVELS_OF_A_RAISED_FLAG = range(1, 5)
"""GB/T 32960.3-2025: 1 notice, 2 limited performance, 3 stop, 4 thermal event; 0 is no alarm."""

Seen = Mapping[SignalRef, frozenset[int | float]]
"""The different values that a signal took since the record before."""

Judge = Callable[[Value, Values, Times, Seen, int], Value]
"""From the flags of a record, the last values, their times, the values seen and the instant to the levels."""


@dataclass(frozen=True, slots=True)
class BitOnBus:
    """One bit of a set, the bus on which its signals are spoken, and whether the set is latched."""

    bus: str
    bit: Bit
    latched: bool

    @property
    def level_ref(self) -> SignalRef | None:
        """The signal that carries its level; None where the level is fixed."""
        return self.bit.level.on(self.bus) if isinstance(self.bit.level, FedLevel) else None


def level_judge(bits: Sequence[BitOnBus], *, highest: bool) -> Judge:
    """The function that judges the levels of the flags that are up.

    A level that a signal carries is the highest of 1 to 4 that was seen since the record before, where the
    signal is followed, else its last value. It is invalid while the signal is not fresh or says 0, which is
    no level of a flag that is up: the flag has come and its level not yet. It is abnormal outside 1 to 4.

    Args:
        bits: the bits of the set.
        highest: whether the highest level is wanted, or the pairs of bit and level, flat. The highest is that
            of the levels that are known, 0 when no flag is up.
    """
    table = tuple((one.bit.number, _reader(one)) for one in sorted(bits, key=lambda one: one.bit.number))

    def judge(flags: Value, values: Values, times: Times, seen: Seen, t_ns: int) -> Value:
        if not isinstance(flags, int):
            return flags if isinstance(flags, Missing) else Missing.INVALID
        up = [(number, read(values, times, seen, t_ns)) for number, read in table if flags >> number & 1]
        if highest:
            return _highest([level for _, level in up])
        return tuple(part for pair in up for part in pair)

    return judge


def _highest(levels: Sequence[Element]) -> Element:
    known = [level for level in levels if isinstance(level, int)]
    if known or not levels:
        return max(known, default=0)
    return Missing.INVALID if Missing.INVALID in levels else Missing.ABNORMAL


def _reader(one: BitOnBus) -> Callable[[Values, Times, Seen, int], Element]:
    level = one.bit.level
    if isinstance(level, FedLevel):
        return _fed(level.on(one.bus), level.freshness_ns)
    return _fixed(level)


def _fixed(level: int) -> Callable[[Values, Times, Seen, int], Element]:
    def read(values: Values, times: Times, seen: Seen, t_ns: int) -> Element:
        del values, times, seen, t_ns
        return level

    return read


def _fed(ref: SignalRef, limit_ns: int) -> Callable[[Values, Times, Seen, int], Element]:
    def read(values: Values, times: Times, seen: Seen, t_ns: int) -> Element:
        shown = [int(value) for value in seen.get(ref, ()) if value in LEVELS_OF_A_RAISED_FLAG]
        if shown:
            return max(shown)
        at_ns = times.get(ref)
        if at_ns is None or not 0 < t_ns - at_ns <= limit_ns:
            return Missing.INVALID
        value = values[ref]
        if value == 0:
            return Missing.INVALID
        return int(value) if value in LEVELS_OF_A_RAISED_FLAG else Missing.ABNORMAL

    return read
