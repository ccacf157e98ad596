"""`SpeedChange`: whether the speed changed by more than a bound within a short time, as in a collision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge.clock import NS_PER_S
from edge.database.model import SignalRef
from edge.vehicle.expression import Readings, Times, Truths

COLLISION_KM_H = 8.0
COLLISION_WITHIN_NS = 150_000_000
"""UN R160 and GB 39732: more than 8 km/h within 150 ms, along or across."""

_KM_H_IN_NM_S = NS_PER_S / 3.6
_FASTEST_M_S = 1e4
_HARDEST_M_S2 = 1e5


class Quantity(Enum):
    """What the signal measures."""

    SPEED = "speed"
    ACCELERATION = "acceleration"


@dataclass(frozen=True, slots=True)
class MotionSignal:
    """A signal of speed or acceleration.

    Attributes:
        ref: the signal.
        quantity: what it measures.
        factor: from its unit to m/s or m/s².
        least: the least value that its database allows; None for no bound. A speed outside is no reading. An
            acceleration is taken as the bound: a sensor at its end is what a collision looks like.
        greatest: the greatest.
    """

    ref: SignalRef
    quantity: Quantity
    factor: float
    least: float | None = None
    greatest: float | None = None


class SpeedChange:
    """Compares each value with those of the time before; accelerations are integrated (trapezoids).

    Speeds are whole nanometres a second, so that sums are exact and how frames are batched makes no
    difference. What is no reading, or is older than the last one, is left out.

    Args:
        signal: what is measured.
        more_than_km_h: a change of more than this holds.
        within_ns: the time in which it has to come about.
    """

    def __init__(
        self,
        signal: MotionSignal,
        *,
        more_than_km_h: float = COLLISION_KM_H,
        within_ns: int = COLLISION_WITHIN_NS,
    ) -> None:
        self._signal = signal
        self._within_ns = within_ns
        self._km_h = more_than_km_h
        self._bound = round(more_than_km_h * _KM_H_IN_NM_S)
        self._t_ns = np.empty(0, np.int64)
        self._speed = np.empty(0, np.int64)
        self._reading = 0.0
        self._held = False

    @property
    def ref(self) -> SignalRef:
        """The signal."""
        return self._signal.ref

    def __str__(self) -> str:
        ref = self.ref
        name = f"{ref.bus}.{ref.message}.{ref.signal}"
        return f"{name} changed the speed within {self._within_ns / NS_PER_S:g} s by > {self._km_h:g} km/h"

    def judge(self, values: Readings, t_ns: Times) -> tuple[Truths, Readings]:
        """See `SignalTest.judge`; shown is the change in km/h."""
        used, readings = self._usable(values, t_ns)
        holds = np.zeros(len(values), np.bool_)
        shown = np.zeros(len(values), np.float64)
        if len(used):
            change = self._changes(readings, t_ns[used])
            at = np.searchsorted(used, np.arange(len(values)), side="right") - 1
            exceeds = change > self._bound
            holds = np.where(at >= 0, exceeds[np.maximum(at, 0)], self._held)
            shown = np.where(at >= 0, change[np.maximum(at, 0)] / _KM_H_IN_NM_S, 0.0)
            self._held = bool(exceeds[-1])
        else:
            holds[:] = self._held
        return holds, shown

    def _usable(self, values: Readings, t_ns: Times) -> tuple[Times, Readings]:
        signal = self._signal
        readings = values.astype(np.float64)
        good = np.isfinite(readings)
        least = -np.inf if signal.least is None else signal.least
        greatest = np.inf if signal.greatest is None else signal.greatest
        if signal.quantity is Quantity.ACCELERATION:
            readings = np.clip(readings, least, greatest)
        else:
            good &= (readings >= least) & (readings <= greatest)
        limit = _FASTEST_M_S if signal.quantity is Quantity.SPEED else _HARDEST_M_S2
        good &= np.abs(np.where(good, readings, 0.0) * signal.factor) <= limit
        last_ns = self._t_ns[-1] if len(self._t_ns) else np.iinfo(np.int64).min
        reached = np.maximum.accumulate(np.where(good, t_ns, last_ns)) if len(t_ns) else t_ns
        good &= t_ns >= np.maximum(reached, last_ns)
        used = np.flatnonzero(good)
        return used, readings[used] * signal.factor

    def _changes(self, readings: Readings, t_ns: Times) -> Times:
        """The greatest change that ends at each reading, in nm/s."""
        if self._signal.quantity is Quantity.SPEED:
            speed = np.rint(readings * NS_PER_S).astype(np.int64)
        else:
            speed = self._integrated(readings, t_ns)
        fresh = len(self._t_ns)
        times, speeds = np.concatenate((self._t_ns, t_ns)), np.concatenate((self._speed, speed))
        begins = np.searchsorted(times, times[fresh:] - self._within_ns, side="left")
        # No change is greater than the way up and down in between; only few readings need a closer look.
        way = np.cumsum(np.abs(np.diff(speeds, prepend=speeds[:1])))
        change = np.zeros(len(speed), np.int64)
        for place in np.flatnonzero(way[fresh:] - way[begins] > self._bound).tolist():
            window = speeds[begins[place] : fresh + place + 1]
            here = int(window[-1])
            change[place] = max(here - int(window.min()), int(window.max()) - here)
        kept = int(np.searchsorted(times, times[-1] - self._within_ns, side="left"))
        self._t_ns, self._speed = times[kept:].copy(), speeds[kept:].copy()
        self._reading = float(readings[-1])
        return change

    def _integrated(self, readings: Readings, t_ns: Times) -> Times:
        before_ns = self._t_ns[-1] if len(self._t_ns) else t_ns[0]
        base = int(self._speed[-1]) if len(self._speed) else 0
        since = np.diff(t_ns, prepend=before_ns)
        mean = (readings + np.concatenate(([self._reading], readings[:-1]))) / 2
        # What changed over a longer gap is in no window.
        gained = np.where(since <= self._within_ns, mean * np.minimum(since, self._within_ns), 0.0)
        speed: Times = base + np.cumsum(np.rint(gained).astype(np.int64))
        return speed
