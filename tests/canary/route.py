"""The way of the vehicle, through areas in which less is collected; and what is inside, by plain reading."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from edge.policy.classes import DataClass
from tests.canary.bus import STEPS_A_DEGREE, Fixed

WEST, EAST = 116.20, 116.60
SOUTH = 39.80
LANE = 0.02
"""Degrees northward in a drive, after which the next one begins: so wide that each second has its own."""

TWO_DECIMALS = STEPS_A_DEGREE // 100

CELLS_M = (1000.0, 2000.0)
"""The policies' precisions."""

NEAR_M = 15.0
"""So near to where an area with its margin ends nothing is asked: two conversions need not agree."""

EVERYTHING = frozenset(DataClass)
MEDIA = frozenset({DataClass.CABIN, DataClass.EXTERIOR})
POSITION = frozenset({DataClass.POSITION})
ALL_AREAS_BUT_VEHICLE = EVERYTHING - {DataClass.OPERATION, DataClass.HEALTH}
"""What is withheld while nobody knows where the vehicle is."""


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of the policy.

    Attributes:
        name: in the policy.
        corners: longitude and latitude.
        gcj02: whether the corners are in GCJ-02, or else in WGS-84.
        withhold: as the policy writes it, as TOML.
        classes: what that is.
        margin_m: around it.
    """

    name: str
    corners: tuple[tuple[float, float], ...]
    gcj02: bool
    withhold: str
    classes: frozenset[DataClass]
    margin_m: float = 60.0

    def toml(self) -> str:
        """The area as the policy file has it."""
        corners = ", ".join(f"[{lon}, {lat}]" for lon, lat in self.corners)
        return (
            f'[[area]]\nname = "{self.name}"\ncorners = [{corners}]\n'
            f'datum = "{"gcj02" if self.gcj02 else "wgs84"}"\nwithhold = {self.withhold}\n'
            f"margin_m = {self.margin_m}\n"
        )


_EVERYWHERE = (
    Zone(
        "works",
        ((116.26, 39.70), (116.31, 39.70), (116.31, 39.82), (116.28, 39.84), (116.31, 39.86), (116.31, 40.1),
         (116.26, 40.1)),
        gcj02=False, withhold='"position"', classes=POSITION,
    ),
    Zone(
        "barracks", ((116.36, 39.7), (116.42, 39.72), (116.41, 40.1), (116.37, 40.1)),
        gcj02=True, withhold='"media"', classes=MEDIA,
    ),
)  # fmt: skip
_MINISTRY = ((116.48, 39.7), (116.52, 39.7), (116.54, 39.85), (116.52, 40.1), (116.48, 40.1))
_BUT_HEALTH = EVERYTHING - {DataClass.HEALTH}

ZONES = {
    1: (
        *_EVERYWHERE,
        Zone("ministry", _MINISTRY, False, str(sorted(map(str, _BUT_HEALTH))), _BUT_HEALTH),
    ),
    2: (*_EVERYWHERE, Zone("ministry", _MINISTRY, False, '"everything"', EVERYTHING)),
}
"""By version of the policy. In the first one events go by a signal of class health, so that it is left."""


class Route:
    """Positions of all seconds, each unlike every other by more than 1e-6 degrees in both coordinates.

    No coordinate is that of the middle of a cell, which stands for a position where it may be known coarsely,
    nor one of two decimals, as other signals have.

    Args:
        seed: of the jitter.
    """

    def __init__(self, seed: int = 1) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a seed must replay the run
        self._taken = _confusable()
        self.fixes: dict[int, Fixed] = {}
        self.by_lon: dict[int, int] = {}
        self.by_lat: dict[int, int] = {}

    def at(self, second: int, lane: int, share: float, *, gcj02: bool) -> Fixed:
        """The position in a second, as it is told.

        Args:
            second: of the run.
            lane: number of the drive.
            share: of the way, 0 to 1.
            gcj02: whether it is told in GCJ-02.
        """
        if second not in self.fixes:
            lon, lat = WEST + (EAST - WEST) * share, SOUTH + LANE * (lane + share)
            if gcj02:
                lon, lat = shifted(lon, lat)
            fix = Fixed(self._alone(lon), self._alone(lat))
            self.fixes[second] = fix
            self.by_lon[fix.lon], self.by_lat[fix.lat] = second, second
        return self.fixes[second]

    def _alone(self, degrees: float) -> int:
        """Steps near to `degrees` that no other coordinate is near to."""
        around = round(degrees * STEPS_A_DEGREE)
        spread = 20
        while True:
            steps = (around + self._rng.randint(-spread, spread)) // 4 * 4
            if steps not in self._taken:
                self._taken.add(steps)
                return steps
            spread += 4


def middle_of(fix: Fixed, cell_m: float) -> tuple[int, int]:
    """The middle of the cell that a position lies in (docs/places.md, Precision)."""
    height = round(cell_m / 111_320.0 * STEPS_A_DEGREE)
    lat = (fix.lat + 90_000_000) // height * height + height // 2 - 90_000_000
    count = round(360_000_000 * math.cos(math.radians(lat / STEPS_A_DEGREE)) / height)
    cell = (fix.lon + 180_000_000) * count // 360_000_000
    return round((cell + 0.5) * 360_000_000 / count) - 180_000_000, lat


def _confusable() -> set[int]:
    """Coordinates of the middles of all cells of the region, those of two decimals, and what is near them."""
    lats = range(round((SOUTH - 0.3) * STEPS_A_DEGREE), round((SOUTH + 0.4) * STEPS_A_DEGREE), 4000)
    lons = range(round((WEST - 0.05) * STEPS_A_DEGREE), round((EAST + 0.05) * STEPS_A_DEGREE), 4000)
    found = {
        steps
        for side in (lats, lons)
        for steps in range(side.start // TWO_DECIMALS * TWO_DECIMALS, side.stop, TWO_DECIMALS)
    }
    for cell_m in CELLS_M:
        for lat in lats:
            for lon in lons:
                found.update(middle_of(Fixed(lon, lat), cell_m))
    return {one + by for one in found for by in range(-4, 5)}


def withheld_at(fix: Fixed, policy: int, *, gcj02: bool) -> tuple[frozenset[DataClass], frozenset[DataClass]]:
    """The classes withheld at a position, and those of which it cannot be said.

    Args:
        fix: as it was told.
        policy: its version.
        gcj02: whether in GCJ-02.
    """
    inside: frozenset[DataClass] = frozenset()
    unsure: frozenset[DataClass] = frozenset()
    for zone in ZONES[policy]:
        lon, lat = fix.lon / STEPS_A_DEGREE, fix.lat / STEPS_A_DEGREE
        if zone.gcj02 and not gcj02:
            lon, lat = shifted(lon, lat)
        elif gcj02 and not zone.gcj02:
            lon, lat = unshifted(lon, lat)
        away_m = _outside_m(lon, lat, zone.corners)
        if abs(away_m - zone.margin_m) < NEAR_M:
            unsure |= zone.classes
        elif away_m < zone.margin_m:
            inside |= zone.classes
    return inside, unsure - inside


def _outside_m(lon: float, lat: float, corners: tuple[tuple[float, float], ...]) -> float:
    """Metres to the polygon; negative inside."""
    east_m = 111_320.0 * math.cos(math.radians(lat))
    points = [((x - lon) * east_m, (y - lat) * 111_000.0) for x, y in corners]
    inside, nearest = False, math.inf
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        if (ay > 0) != (by > 0) and ax + (bx - ax) * -ay / (by - ay) > 0:
            inside = not inside
        dx, dy = bx - ax, by - ay
        along = max(0.0, min(1.0, -(ax * dx + ay * dy) / (dx * dx + dy * dy)))
        nearest = min(nearest, math.hypot(ax + along * dx, ay + along * dy))
    return -nearest if inside else nearest


def shifted(lon: float, lat: float) -> tuple[float, float]:
    """WGS-84 to GCJ-02, the published approximation in its usual form."""
    x, y = lon - 105.0, lat - 35.0
    wave = 20 * math.sin(6 * x * math.pi) + 20 * math.sin(2 * x * math.pi)
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    d_lat += (wave + 20 * math.sin(y * math.pi) + 40 * math.sin(y / 3 * math.pi)) * 2 / 3
    d_lat += (160 * math.sin(y / 12 * math.pi) + 320 * math.sin(y * math.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    d_lon += (wave + 20 * math.sin(x * math.pi) + 40 * math.sin(x / 3 * math.pi)) * 2 / 3
    d_lon += (150 * math.sin(x / 12 * math.pi) + 300 * math.sin(x / 30 * math.pi)) * 2 / 3
    axis, flat = 6_378_245.0, 0.00669342162296594323
    magic = 1 - flat * math.sin(math.radians(lat)) ** 2
    d_lat = d_lat * 180 / (axis * (1 - flat) / (magic * math.sqrt(magic)) * math.pi)
    d_lon = d_lon * 180 / (axis / math.sqrt(magic) * math.cos(math.radians(lat)) * math.pi)
    return lon + d_lon, lat + d_lat


def unshifted(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 to WGS-84, by trying."""
    found_lon, found_lat = lon, lat
    for _ in range(4):
        there_lon, there_lat = shifted(found_lon, found_lat)
        found_lon, found_lat = found_lon + lon - there_lon, found_lat + lat - there_lat
    return found_lon, found_lat
