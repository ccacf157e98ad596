"""`Track`: what one source of positions last said of the areas, kept without the positions themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

import numpy as np

from edge.places.locator import Sighting
from edge.policy.rules import Datum

NEVER = -(1 << 62)

Inside = Callable[[Iterable[tuple[int, int]], tuple[Datum, ...]], frozenset[int]]
"""The numbers of the areas that any of some positions, in steps of 1e-6 degrees, lies in."""

_LON, _LAT = 0, 1
_NEWEST, _BEFORE, _PASSED = 0, 1, 2


class Track:
    """One source of positions.

    A position that comes whole is judged and forgotten at once. Where longitude and latitude come in frames
    of their own, a half is held as long as a record could pair it with another half: the two newest of each,
    and the last that passed. Every pair of what is held is judged, since each may be taken for the position.

    Attributes:
        limit_ns: a position older than this says nothing any more.
        t_ns: when the last position came that was judged; `NEVER` if none has.
        areas: numbers of the areas that it was in; None if none has come.
    """

    __slots__ = ("_at_ns", "_held", "_inside", "_sound", "areas", "limit_ns", "t_ns")

    def __init__(self, limit_ns: int, inside: Inside) -> None:
        self.limit_ns = limit_ns
        self.t_ns = NEVER
        self.areas: frozenset[int] | None = None
        self._inside = inside
        # Longitudes and latitudes: the newest, the one before, the last that passed; overwritten in place.
        self._held = np.zeros((2, 3), np.int64)
        self._at_ns = np.full((2, 3), NEVER, np.int64)
        self._sound = np.zeros(2, np.bool_)

    def fresh(self, now_ns: int) -> bool:
        """Whether its last position still counts."""
        return self.areas is not None and now_ns - self.t_ns <= self.limit_ns

    def take(self, sighting: Sighting, inside: frozenset[int] | None = None) -> bool:
        """Judge what a frame says.

        Args:
            sighting: what it says.
            inside: the areas that its whole position is in, where that is known already.

        Returns:
            Whether the frame tells something of a position that could not be judged: it must not pass.
        """
        if sighting.lons and sighting.lats:
            self.forget()
            pairs = product(sighting.lons, sighting.lats)
            found = self._inside(pairs, sighting.datums) if inside is None else inside
            self._conclude(found, sighting.t_ns, sound=sighting.sound)
            return sighting.unreadable
        if sighting.unreadable:
            return True
        complete = True
        for axis, values in ((_LON, sighting.lons), (_LAT, sighting.lats)):
            for value in values:
                complete = self._take_half(axis, value, sighting)
        return not complete

    def forget(self) -> None:
        """Overwrite every half that is held."""
        self._held.fill(0)
        self._at_ns.fill(NEVER)

    def _take_half(self, axis: int, value: int, sighting: Sighting) -> bool:
        held, at_ns = self._held, self._at_ns
        stale = at_ns < sighting.t_ns - self.limit_ns
        held[stale] = 0
        at_ns[stale] = NEVER
        held[axis, _BEFORE], at_ns[axis, _BEFORE] = held[axis, _NEWEST], at_ns[axis, _NEWEST]
        held[axis, _NEWEST], at_ns[axis, _NEWEST] = value, sighting.t_ns
        self._sound[axis] = sighting.sound
        known = at_ns != NEVER
        lons, lats = (set(held[one, known[one]].tolist()) for one in (_LON, _LAT))
        found = self._inside(product(lons, lats), sighting.datums)
        complete = bool(known[1 - axis, _NEWEST])
        since_ns = int(at_ns[:, _NEWEST].min()) if complete else sighting.t_ns
        self._conclude(found, since_ns, sound=complete and bool(self._sound.all()))
        if complete and not found:
            held[axis, _PASSED], at_ns[axis, _PASSED] = value, sighting.t_ns
        return complete or bool(found)

    def _conclude(self, found: frozenset[int], t_ns: int, *, sound: bool) -> None:
        """Believe inside of any position, outside only of one that a record would take, and no late one."""
        if found:
            late = self.areas if t_ns < self.t_ns and self.areas is not None else frozenset()
            self.areas = found | late
            self.t_ns = max(t_ns, self.t_ns)
        elif sound and t_ns >= self.t_ns:
            self.areas = found
            self.t_ns = t_ns
