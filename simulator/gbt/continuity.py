"""`Continuity`: reports that should have come and did not, by the times of those that did."""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import pairwise

PERIOD_S = 30
"""The longest time between two reports of a vehicle that is on (both editions)."""

_JITTER_S = 1
_KEPT_MOST = 1024


class Continuity:
    """Follows the times of collection of one vehicle.

    A gap between two live reports of more than the period lacks as many reports as would have kept it; a
    reissue that falls into a gap divides it. A gap between two sessions counts only if it is short enough,
    since a vehicle that is off reports nothing.

    Args:
        period_s: the longest time between two reports.
        off_s: a gap between two sessions that is longer is one in which the vehicle was off.

    Attributes:
        reports: instants of which there is a report.
    """

    __slots__ = (
        "_before_s",
        "_early",
        "_gaps",
        "_given_up",
        "_last_s",
        "_new_session",
        "_off_s",
        "_period_s",
        "reports",
    )

    def __init__(self, period_s: int = PERIOD_S, off_s: int = 600) -> None:
        self._period_s = period_s
        self._off_s = off_s
        self._gaps: list[tuple[int, int]] = []
        self._early: list[int] = []
        self._given_up = 0
        self._last_s: int | None = None
        self._before_s: int | None = None
        self._new_session = True
        self.reports = 0

    def session(self, *, in_order: bool = False) -> None:
        """A session begins, or has ended; behind one that ended `in_order` there is no gap."""
        self._new_session = True
        if in_order:
            self._last_s = None
            self._early.clear()

    def take(self, time_s: int, *, live: bool) -> bool:
        """Note a report.

        Args:
            time_s: its time of collection.
            live: whether it is no reissue.

        Returns:
            Whether it has another time than the report before it, which it would else continue.
        """
        if time_s == self._before_s:
            return False
        self._before_s = time_s
        self.reports += 1
        last = self._last_s
        if not live:
            if last is not None and time_s > last:
                insort(self._early, time_s)
                del self._early[_KEPT_MOST:]
            else:
                self._fill(time_s)
        elif last is None:
            self._last_s = time_s
            self._new_session = False
        elif time_s > last:
            if not self._new_session or time_s - last <= self._off_s:
                here = bisect_right(self._early, time_s)
                for gap in pairwise((last, *self._early[:here], time_s)):
                    self._add(gap)
            self._early.clear()
            self._last_s = time_s
            self._new_session = False
        return True

    def _fill(self, time_s: int) -> None:
        place = bisect_right(self._gaps, (time_s, -1)) - 1
        if place >= 0 and self._gaps[place][0] < time_s < self._gaps[place][1]:
            start, end = self._gaps.pop(place)
            self._add((start, time_s))
            self._add((time_s, end))

    def _add(self, gap: tuple[int, int]) -> None:
        if self._lacks(gap):
            insort(self._gaps, gap)
            if len(self._gaps) > _KEPT_MOST:
                self._given_up += self._lacks(self._gaps.pop(0))

    def _lacks(self, gap: tuple[int, int]) -> int:
        """How many reports a gap lacks."""
        return max(0, -(-(gap[1] - gap[0] - _JITTER_S) // self._period_s) - 1)

    @property
    def lost(self) -> int:
        """Reports that are missing."""
        return self._given_up + sum(map(self._lacks, self._gaps))
