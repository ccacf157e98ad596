"""`ClockRelation`: a microcontroller's clock on this machine's boot time, with how far that can be wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.clock import NS_PER_S
from edge.frames import Int64s

Floats = npt.NDArray[np.float64]

DRIFT_MAX = 500e-6
"""Rates of both clocks differ by no more: crystals by some 50 ppm, and the host's may be steered by 500."""
WANDER = 3e-6
"""By so much the drift itself may change within the window, as temperature does it."""
WINDOW_US = 120_000_000
BUCKET_US = 4_000_000
"""Of each such stretch of the device's time the answer that says most is kept."""

_NS_PER_US = 1000
_LATEST_US = 1 << 52
_MEET_NS = 1000
"""Both ends may be off by a reading of the clocks before they contradict each other."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The four times of a question and its answer (RFC 5905, section 8).

    Attributes:
        asked_ns: boot time before which the question cannot have arrived.
        rx_us: the device's clock when it had the question.
        tx_us: the device's clock when it sent the answer.
        heard_ns: boot time after which the answer cannot have been sent.
    """

    asked_ns: int
    rx_us: int
    tx_us: int
    heard_ns: int


@dataclass(frozen=True, slots=True)
class _Bounds:
    """At one instant of the device's clock: what is to be added to it lies between two values."""

    at_us: int
    low_ns: int
    high_ns: int

    @property
    def width_ns(self) -> int:
        return self.high_ns - self.low_ns


class ClockRelation:
    """Relates the clock of one boot of a device to boot time.

    Each answer bounds what has to be added to the device's clock: the question cannot have arrived before it
    was asked, nor the answer been sent after it came. The narrowest bounds, those of the shortest way there
    and back, are kept of each 4 s of the last 120 s. The drift is their weighted regression; by how much it
    can be wrong, any two bounds that lie apart tell, and with it all of them are carried to the last answer,
    where they meet in one interval. Its middle is the relation, half of it the uncertainty; neither rests on
    an assumption about the ways, only on `DRIFT_MAX` and `WANDER`.

    Before the first answer the device's greeting gives the latest that the relation can be.

    Attributes:
        impossible: answers set aside because they came before they were sent.
        jumps: how often an answer contradicted those before it, so that they were forgotten.
    """

    def __init__(self) -> None:
        self.impossible = 0
        self.jumps = 0
        self._bounds: list[_Bounds] = []
        self._latest: _Bounds | None = None
        self._at_us = 0
        self._offset_ns: int | None = None
        self._half_ns = 0
        self._drift = 0.0
        self._drift_error = DRIFT_MAX

    @property
    def known(self) -> bool:
        """Whether an answer has come, so that the relation has an uncertainty."""
        return bool(self._bounds)

    @property
    def hinted(self) -> bool:
        """Whether there is anything to convert by."""
        return self._offset_ns is not None

    @property
    def drift_ppm(self) -> float | None:
        """How much faster boot time runs than the device's clock, in millionths; None while unknown."""
        return self._drift * 1e6 if len(self._bounds) > 1 else None

    def uncertainty_ns(self, at_us: int) -> int | None:
        """How far a time that is converted can be wrong, either way; None while nobody knows.

        Args:
            at_us: the time by the device's clock.
        """
        if not self._bounds:
            return None
        apart_ns = abs(at_us - self._at_us) * _NS_PER_US
        return self._half_ns + round(apart_ns * self._drift_error) + _NS_PER_US

    def boot_ns(self, t_us: Int64s) -> Int64s:
        """Convert times of the device's clock to boot time.

        Raises:
            ValueError: nothing is known yet, see `hinted`.
        """
        if self._offset_ns is None:
            raise ValueError("the clocks are not related yet")
        t_us = t_us.clip(0, _LATEST_US)
        drifted_ns = (t_us - self._at_us) * (self._drift * _NS_PER_US)
        t_ns: Int64s = t_us * _NS_PER_US + self._offset_ns + np.rint(drifted_ns).astype(np.int64)
        return t_ns

    def hint(self, t_us: int, heard_ns: int) -> None:
        """Take up a time of the device's that was heard at `heard_ns`; of use until the first answer."""
        if self._bounds:
            return
        offset_ns = heard_ns - t_us * _NS_PER_US
        self._at_us = t_us
        self._offset_ns = offset_ns if self._offset_ns is None else min(self._offset_ns, offset_ns)

    def learn(self, exchange: Exchange) -> None:
        """Take up a question and its answer."""
        low_ns = exchange.asked_ns - (exchange.rx_us + 1) * _NS_PER_US
        high_ns = exchange.heard_ns - exchange.tx_us * _NS_PER_US
        if high_ns < low_ns or exchange.tx_us < exchange.rx_us or exchange.tx_us > _LATEST_US:
            self.impossible += 1
            return
        new = _Bounds((exchange.rx_us + exchange.tx_us) // 2, low_ns, high_ns)
        if self._latest is not None and not self._fits(new, self._latest):
            self.jumps += 1
            self._bounds.clear()
        self._latest = new
        self._keep(new)
        while not self._relate(new):
            # The drift has changed by more than it may within the window: its older end tells of the past.
            del self._bounds[0]

    def _fits(self, new: _Bounds, latest: _Bounds) -> bool:
        """Whether an answer can be true together with those before it."""
        if self._offset_ns is None or new.at_us < latest.at_us:
            return False
        apart_ns = (new.at_us - self._at_us) * _NS_PER_US
        told_ns = self._offset_ns + round(apart_ns * self._drift)
        error_ns = (self.uncertainty_ns(new.at_us) or 0) + round(apart_ns * WANDER) + _MEET_NS
        return new.low_ns <= told_ns + error_ns and new.high_ns >= told_ns - error_ns

    def _keep(self, new: _Bounds) -> None:
        last = self._bounds[-1] if self._bounds else None
        if last is None or last.at_us // BUCKET_US != new.at_us // BUCKET_US:
            self._bounds.append(new)
        elif new.width_ns <= last.width_ns:
            self._bounds[-1] = new
        while self._bounds[0].at_us < new.at_us - WINDOW_US:
            del self._bounds[0]

    def _relate(self, latest: _Bounds) -> bool:
        """Carry all that is kept to the latest answer; tell whether it can be true together."""
        bounds = self._bounds if self._bounds[-1] is latest else [*self._bounds, latest]
        base_us, base_ns = latest.at_us, latest.low_ns
        at_ns = np.array([(one.at_us - base_us) * _NS_PER_US for one in bounds], np.float64)
        low = np.array([one.low_ns - base_ns for one in bounds], np.float64)
        high = np.array([one.high_ns - base_ns for one in bounds], np.float64)
        slowest, fastest = _drifts(at_ns, low, high)
        lowest, highest = float((low - slowest * at_ns).max()), float((high - fastest * at_ns).min())
        apart = lowest > highest + _MEET_NS or slowest > fastest
        if apart and len(self._bounds) > 1:
            return False
        drift = min(max(_regression(at_ns, (low + high) / 2, high - low), slowest), fastest)
        self._at_us = base_us
        self._drift = drift
        self._drift_error = max(fastest - drift, drift - slowest)
        self._offset_ns = base_ns + round((lowest + highest) / 2)
        self._half_ns = round(abs(highest - lowest) / 2)
        return True


def _drifts(at_ns: Floats, low: Floats, high: Floats) -> tuple[float, float]:
    """Between which values the drift lies, by any two bounds of different instants."""
    earlier, later = np.triu_indices(len(at_ns), 1)
    if not len(earlier):
        return -DRIFT_MAX, DRIFT_MAX
    apart = np.maximum(at_ns[later] - at_ns[earlier], 1.0)
    slowest = float(((low[later] - high[earlier]) / apart).max()) - WANDER
    fastest = float(((high[later] - low[earlier]) / apart).min()) + WANDER
    return max(slowest, -DRIFT_MAX), min(fastest, DRIFT_MAX)


def _regression(at_ns: Floats, middle: Floats, width: Floats) -> float:
    """The drift by which the middles lie nearest to a line, the narrow ones above all; 0 of a single one."""
    weight = 1 / np.maximum(width, _NS_PER_US) ** 2
    x = at_ns - np.average(at_ns, weights=weight)
    spread = float((weight * x * x).sum())
    return float((weight * x * middle).sum()) / spread if spread > 0 else 0.0


def line_ns(octets: int, bit_rate: int | None) -> int:
    """How long a UART takes for so many bytes of 10 bits each; 0 where the line's rate means nothing."""
    return octets * 10 * NS_PER_S // bit_rate if bit_rate else 0
