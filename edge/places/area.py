"""`Fence`: an area made ready to be asked whether positions lie in it, or within its margin."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from edge.errors import PolicyError
from edge.places.datum import Degrees, Points, gcj02_of_wgs84, wgs84_of_gcj02
from edge.policy.rules import Area, Datum

Booleans = npt.NDArray[np.bool_]

POLEWARD_LIMIT = 89.0
"""No corner, and no margin, may come nearer to a pole: degrees of longitude become too short there."""

LONGEST_MARGIN_M = 100_000.0
ROUNDING_M = 0.1
"""Added to every margin: what rounding a position to steps of 1e-6 degrees can move it."""

SHIFT_DEGREES = 0.02
"""More than the datums differ by, in longitude and in latitude, wherever they do."""

_HALF_TURN, _TURN = 180.0, 360.0
_EQUATOR_M = 6_378_137.0
_ECCENTRICITY_SQUARED = 0.006_694_379_990_14
_AT_ONCE = 1 << 18


class Fence:
    """One area with its margin, in its own datum.

    Sides are straight in longitude and latitude, and take the shorter way around the earth, so that an area
    may lie across 180 degrees. What lies on a side is inside. Of sides that cross each other, everything that
    they wind around is inside (non-zero winding). A margin is never less than was asked for, and more by less
    than 2 % and `ROUNDING_M`, up to 10 km of it and 75 degrees of latitude.

    Attributes:
        area: what it was made from.
        box: the longitude of its middle, and the least and greatest longitude and latitude of it with its
            margin; a longitude is meant that is less than half a turn from the middle's.
    """

    def __init__(self, area: Area) -> None:
        """Check an area and take up its sides.

        Raises:
            PolicyError: fewer than three different corners, corners that are nowhere on earth, an area around
                a pole or near one, or one that is half the earth wide; a margin that is none.
        """
        self.area = area
        east, north = _ring(area)
        self._start_east, self._start_north = east, north
        self._end_east, self._end_north = np.roll(east, -1), np.roll(north, -1)
        self._middle = float(east.min() + east.max()) / 2
        self._margin_m = area.margin_m + ROUNDING_M
        _, north_m = _metres_a_degree(np.zeros(1), 0.0)
        slack = self._margin_m / float(north_m[0])
        self._south, self._north = float(north.min()) - slack, float(north.max()) + slack
        poleward = max(abs(self._south), abs(self._north))
        if poleward > POLEWARD_LIMIT:
            raise _refusal(
                area,
                f"comes nearer to a pole than {90 - POLEWARD_LIMIT:g} degree",
                "Choose corners, or a margin, farther from it",
            )
        east_m, _ = _metres_a_degree(np.array([poleward]), self._margin_m)
        slack = self._margin_m / float(east_m[0])
        self._west, self._east = float(east.min()) - slack, float(east.max()) + slack
        self.box = (self._middle, self._west, self._east, self._south, self._north)

    def holds(self, lon: npt.ArrayLike, lat: npt.ArrayLike, datums: Collection[Datum]) -> Booleans:
        """Which positions lie inside, or within the margin.

        Args:
            lon: in degrees, one or an array of any shape.
            lat: in degrees, of the same shape.
            datums: those that the positions may be in; inside is what is so by any of them.

        Returns:
            Bool of that shape; a position that is no number is outside.
        """
        east, north = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
        found = np.zeros(east.shape, np.bool_)
        with np.errstate(invalid="ignore"):
            for datum in datums:
                found |= self._holds(*_in_datum(east, north, datum, self.area.datum))
        return found

    def _holds(self, lon: Degrees, lat: Degrees) -> Booleans:
        """`holds` for positions in the area's own datum."""
        shape = lon.shape
        north = lat.reshape(-1)
        east = _turned(lon.reshape(-1), self._middle)
        near = (east >= self._west) & (east <= self._east) & (north >= self._south) & (north <= self._north)
        found = np.zeros(len(near), np.bool_)
        places = np.flatnonzero(near)
        step = max(_AT_ONCE // len(self._start_east), 1)
        for start in range(0, len(places), step):
            part = places[start : start + step]
            found[part] = self._near_holds(east[part, None], north[part, None])
        return found.reshape(shape)

    def _near_holds(self, east: Degrees, north: Degrees) -> Booleans:
        """`holds` for positions in the bounding box: columns of (positions, 1)."""
        start_east, start_north = self._start_east - east, self._start_north - north
        # A corner must lie above or below a position alike for both of its sides: no sum instead of this.
        end_north = self._end_north - north
        along_east, along_north = self._end_east - self._start_east, self._end_north - self._start_north
        up = (start_north <= 0) & (end_north > 0)
        down = (start_north > 0) & (end_north <= 0)
        left = along_north * start_east - along_east * start_north
        winding = np.count_nonzero(up & (left > 0), axis=1) - np.count_nonzero(down & (left < 0), axis=1)
        east_m, north_m = _metres_a_degree(north, self._margin_m)
        x, y = start_east * east_m, start_north * north_m
        dx, dy = along_east * east_m, along_north * north_m
        length = dx * dx + dy * dy
        share = -(x * dx + y * dy) / np.where(length > 0, length, 1.0)
        np.clip(share, 0.0, 1.0, out=share)
        distance = np.hypot(x + share * dx, y + share * dy).min(axis=1)
        inside: Booleans = (winding != 0) | (distance <= self._margin_m)
        return inside


class Fences:
    """Several fences, asked together: most positions are far from most areas.

    Attributes:
        areas: in the order of their numbers.
    """

    def __init__(self, areas: Sequence[Area]) -> None:
        """Take up areas.

        Raises:
            PolicyError: if one cannot be, see `Fence`.
        """
        self.areas = tuple(areas)
        self._fences = tuple(Fence(area) for area in areas)
        boxes = np.array([fence.box for fence in self._fences], np.float64).reshape(-1, 5)
        self._middle, west, east, south, north = boxes.T
        self._west, self._east = west - SHIFT_DEGREES, east + SHIFT_DEGREES
        self._south, self._north = south - SHIFT_DEGREES, north + SHIFT_DEGREES

    def __len__(self) -> int:
        return len(self._fences)

    def holds(self, lon: npt.ArrayLike, lat: npt.ArrayLike, datums: Collection[Datum]) -> Booleans:
        """Which positions lie in which areas, see `Fence.holds`.

        Args:
            lon: in degrees, an array of P.
            lat: in degrees, of P.
            datums: those that the positions may be in.

        Returns:
            Bool of (P, areas).
        """
        east, north = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
        found = np.zeros((len(east), len(self)), np.bool_)
        step = max(_AT_ONCE // max(len(self), 1), 1)
        for start in range(0, len(east), step):
            near = self._near(east[start : start + step, None], north[start : start + step, None])
            for number in np.flatnonzero(near.any(axis=0)).tolist():
                places = start + np.flatnonzero(near[:, number])
                found[places, number] = self._fences[number].holds(east[places], north[places], datums)
        return found

    def _near(self, lon: Degrees, lat: Degrees) -> Booleans:
        """Which positions, columns of (P, 1), may be in which areas, whatever the datum: bool (P, areas)."""
        near: Booleans = (lat >= self._south) & (lat <= self._north)
        if near.any():
            with np.errstate(invalid="ignore"):
                turned = _turned(lon, self._middle)
            near &= (turned >= self._west) & (turned <= self._east)
        return near


def _turned(lon: Degrees, middle: Degrees | float) -> Degrees:
    """Longitudes as they are nearest to `middle`."""
    away = lon - middle
    turned: Degrees = away - _TURN * np.rint(away / _TURN) + middle
    return turned


def _in_datum(lon: Degrees, lat: Degrees, given: Datum, wanted: Datum) -> Points:
    if given is wanted:
        return lon, lat
    return gcj02_of_wgs84(lon, lat) if wanted is Datum.GCJ02 else wgs84_of_gcj02(lon, lat)


def _ring(area: Area) -> Points:
    """The corners, longitudes unrolled so that each follows the one before by the shorter way."""
    if not (math.isfinite(area.margin_m) and 0 <= area.margin_m <= LONGEST_MARGIN_M):
        raise _refusal(
            area,
            "has a margin that is none",
            f"A margin is 0 to {LONGEST_MARGIN_M:g} metres",
        )
    corners = [
        corner
        for number, corner in enumerate(area.corners)
        if corner != area.corners[number - 1] or not number
    ]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if len(set(corners)) < 3:  # noqa: PLR2004 - fewer have no inside
        raise _refusal(area, "has fewer than three different corners", "Give at least three")
    for number, (lon, lat) in enumerate(corners, start=1):
        if not (abs(lon) <= _HALF_TURN and abs(lat) <= POLEWARD_LIMIT):
            raise _refusal(
                area,
                f"has a corner, number {number}, that is no place on earth or too near to a pole",
                f"Longitude goes from -180 to 180, latitude from -{POLEWARD_LIMIT:g} to {POLEWARD_LIMIT:g}; "
                "longitude comes first",
            )
    east = np.array([lon for lon, _ in corners], np.float64)
    steps = np.diff(east, append=east[:1])
    steps -= _TURN * np.rint(steps / _TURN)
    if (np.abs(steps) >= _HALF_TURN).any():
        raise _refusal(
            area, "has a side of half the earth, which has no shorter way", "Put a corner between its ends"
        )
    if abs(float(steps.sum())) > _HALF_TURN:
        raise _refusal(area, "goes around a pole", "Divide it into areas that do not")
    unrolled = east[0] + np.concatenate([[0.0], np.cumsum(steps[:-1])])
    if float(unrolled.max() - unrolled.min()) >= _HALF_TURN:
        raise _refusal(area, "is half the earth wide or wider", "Divide it into smaller areas")
    return unrolled, np.array([lat for _, lat in corners], np.float64)


def _metres_a_degree(lat: Degrees, margin_m: float) -> Points:
    """The least metres of a degree of longitude, and of latitude, within `margin_m` of latitudes (WGS-84).

    With the least, no distance is taken for longer than it is.
    """
    away = np.abs(lat)
    reach = margin_m / 110_000.0
    poleward = np.radians(np.minimum(away + reach, 90.0))
    towards = np.radians(np.maximum(away - reach, 0.0))
    across = _EQUATOR_M / np.sqrt(1.0 - _ECCENTRICITY_SQUARED * np.sin(poleward) ** 2) * np.cos(poleward)
    flattening = 1.0 - _ECCENTRICITY_SQUARED * np.sin(towards) ** 2
    along = _EQUATOR_M * (1.0 - _ECCENTRICITY_SQUARED) / flattening**1.5
    return np.radians(1.0) * across, np.radians(1.0) * along


def _refusal(area: Area, what: str, todo: str) -> PolicyError:
    return PolicyError(f"the area {what}", where=f"area '{area.name}'", todo=todo)
