"""`AfterOff`: which records are made after high voltage was switched off, and when none."""

from __future__ import annotations

from edge.records import Value
from edge.vehicle.rules import LAST_REPORT_NS, SamplingRules
from edge.vehicle.sample import Sample

STATE_ITEM = "vehicle.state"
CHARGE_ITEM = "vehicle.charge_state"
_OFF = 2
_CHARGING = frozenset({1, 2})


class AfterOff:
    """Follows the vehicle's state: in use, watched after it was switched off, parked.

    It is off while the last known state says off and the last known charge state is not charging; without
    either item it is always in use. A state that is no longer heard of says nothing, so that sleeping buses
    leave the vehicle off and a lost bus leaves it on.
    """

    def __init__(self, rules: SamplingRules) -> None:
        self._rules = rules
        self._state: Value | None = None
        self._charge: Value | None = None
        self._off_ns: int | None = None

    @property
    def watched_until_ns(self) -> int | None:
        """When the watch after switching off ends, boot-monotonic; None while the vehicle is in use."""
        return None if self._off_ns is None else self._off_ns + self._rules.watch_after_off_ns

    def take(self, sample: Sample) -> bool:
        """Take in the next sample; tell whether the records that fall due at this time are made."""
        state, charge = sample.values.get(STATE_ITEM), sample.values.get(CHARGE_ITEM)
        if isinstance(state, int):
            self._state = state
        if isinstance(charge, int):
            self._charge = charge
        if self._state != _OFF or self._charge in _CHARGING:
            self._off_ns = None
            return True
        if self._off_ns is None:
            self._off_ns = sample.t_ns
        off_for_ns = sample.t_ns - self._off_ns
        watch_ns = self._rules.watch_after_off_ns
        return (
            off_for_ns <= self._rules.report_after_off_ns
            or watch_ns - LAST_REPORT_NS <= off_for_ns <= watch_ns
        )
