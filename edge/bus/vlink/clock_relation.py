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
DRIFT_USUAL = 50e-6
WANDER = 3e-6
"""By so much the drift itself may change within the window, as temperature does it."""
WINDOW_US = 120_000_000
FRESH_US = 8_000_000
FRESH_BUCKET_US, BUCKET_US = 250_000, 4_000_000
"""Of each such stretch of the device's time what says most is kept; of the last 8 s of shorter ones."""
RATE_TRUE = 0.97
"""A UART may be so much faster than its rate: both ends together keep 3 %, or they would not understand."""

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


@dataclass(slots=True)
class _Bounds:
    """What a stretch of the device's time says: at either instant what to add is no less, or no more.

    Attributes:
        low_us: instant of the device's clock.
        low_ns: what has to be added then is no less.
        high_us: another instant, after it or before.
        high_ns: what has to be added then is no more.
    """

    low_us: int
    low_ns: int
    high_us: int
    high_ns: int

    def take(self, other: _Bounds, drift: float) -> None:
        """Keep of both what says most, as far as the drift is known."""
        if other.low_ns - self.low_ns >= (other.low_us - self.low_us) * drift * _NS_PER_US:
            self.low_us, self.low_ns = other.low_us, other.low_ns
        if other.high_ns - self.high_ns <= (other.high_us - self.high_us) * drift * _NS_PER_US:
            self.high_us, self.high_ns = other.high_us, other.high_ns

    @property
    def at_us(self) -> int:
        return max(self.low_us, self.high_us)


class ClockRelation:
    """Relates the clock of one boot of a device to boot time.

    Each answer bounds what has to be added to the device's clock: the question cannot have arrived before it
    was asked, nor the answer been sent after it came. The tightest of either kind, those of the shortest way
    there and of the shortest way back, are kept of each 4 s of the last 120 s, and of each 0.25 s of the last
    8 s. The drift is their weighted regression; by how much it can be wrong, any two bounds that lie apart
    tell, and with it all of them are carried to the last answer, where they meet in one interval. Its middle
    is the relation, half of it the uncertainty; neither rests on an assumption about the ways, only on
    `DRIFT_MAX` and `WANDER`.

    Before the first answer the device's greeting gives the latest that the relation can be.

    Attributes:
        impossible: answers set aside because they came before they were sent.
        jumps: how often an answer contradicted those before it, so that they were forgotten.
    """

    def __init__(self) -> None:
        self.impossible = 0
        self.jumps = 0
        self._bounds: list[_Bounds] = []
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
        t_us = min(t_us, _LATEST_US)
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
        if self._bounds and not self._fits(exchange.rx_us, low_ns, exchange.tx_us, high_ns):
            self.jumps += 1
            self._bounds.clear()
            self._drift = 0.0
        self._bounds.append(_Bounds(exchange.rx_us, low_ns, exchange.tx_us, high_ns))
        self._thin_out(exchange.tx_us)
        while not self._relate(exchange.tx_us):
            # The drift has changed by more than it may within the window: its older end tells of the past.
            del self._bounds[0]

    def _fits(self, low_us: int, low_ns: int, high_us: int, high_ns: int) -> bool:
        """Whether an answer can be true together with those before it."""
        if low_us < self._at_us:
            return False
        return low_ns <= self._told_ns(low_us) + self._error_ns(low_us) and high_ns >= self._told_ns(
            high_us
        ) - self._error_ns(high_us)

    def _told_ns(self, at_us: int) -> int:
        return (self._offset_ns or 0) + round((at_us - self._at_us) * _NS_PER_US * self._drift)

    def _error_ns(self, at_us: int) -> int:
        wandered_ns = (at_us - self._at_us) * _NS_PER_US * WANDER
        return (self.uncertainty_ns(at_us) or 0) + round(wandered_ns) + _MEET_NS

    def _thin_out(self, now_us: int) -> None:
        """Keep one of each stretch, and none that is too old."""
        kept: dict[tuple[bool, int], _Bounds] = {}
        for one in self._bounds:
            if one.at_us < now_us - WINDOW_US:
                continue
            fresh = one.at_us >= now_us - FRESH_US
            stretch = fresh, one.at_us // (FRESH_BUCKET_US if fresh else BUCKET_US)
            if stretch in kept:
                kept[stretch].take(one, self._drift)
            else:
                kept[stretch] = one
        self._bounds = list(kept.values())

    def _relate(self, base_us: int) -> bool:
        """Carry all that is kept to the latest answer; tell whether it can be true together."""
        bounds, base_ns = self._bounds, self._bounds[-1].low_ns
        low_at = np.array([(one.low_us - base_us) * _NS_PER_US for one in bounds], np.float64)
        low = np.array([one.low_ns - base_ns for one in bounds], np.float64)
        high_at = np.array([(one.high_us - base_us) * _NS_PER_US for one in bounds], np.float64)
        high = np.array([one.high_ns - base_ns for one in bounds], np.float64)
        slowest, fastest = _drifts(low_at, low, high_at, high)
        lowest = float((low - slowest * low_at).max())
        highest = float((high - fastest * high_at).min())
        if (lowest > highest + _MEET_NS or slowest > fastest) and len(bounds) > 1:
            return False
        found = _regression((low_at + high_at) / 2, (low + high) / 2, high - low)
        drift = min(max(found, slowest), fastest)
        self._at_us = base_us
        self._drift = drift
        self._drift_error = max(fastest - drift, drift - slowest, 0.0)
        self._offset_ns = base_ns + round((lowest + highest) / 2)
        self._half_ns = round(abs(highest - lowest) / 2)
        return True


def _drifts(low_at: Floats, low: Floats, high_at: Floats, high: Floats) -> tuple[float, float]:
    """Between which values the drift lies, by any two bounds of different instants."""
    apart = high_at[np.newaxis, :] - low_at[:, np.newaxis]
    rise = high[np.newaxis, :] - low[:, np.newaxis]
    later, earlier = apart > 0, apart < 0
    fastest = float((rise[later] / apart[later]).min(initial=DRIFT_MAX)) + WANDER
    slowest = float((rise[earlier] / apart[earlier]).max(initial=-DRIFT_MAX)) - WANDER
    return max(slowest, -DRIFT_MAX), min(fastest, DRIFT_MAX)


def _regression(at_ns: Floats, middle: Floats, width: Floats) -> float:
    """The drift by which the middles lie nearest to a line, the narrow ones above all; near 0 at first."""
    # What is common to all ways shifts every middle alike.
    weight = 1 / (width - width.min() + width.min() / 8 + _NS_PER_US) ** 2
    x = at_ns - np.average(at_ns, weights=weight)
    return float((weight * x * middle).sum() / ((weight * x * x).sum() + 1 / DRIFT_USUAL**2))


def line_ns(octets: int, bit_rate: int | None) -> int:
    """How long a UART takes at least for so many bytes; 0 where the line's rate means nothing."""
    # A receiver has the last of 10 bits in its middle.
    return round((octets * 10 - 0.5) * RATE_TRUE * NS_PER_S / bit_rate) if bit_rate else 0
