"""WGS-84 and GCJ-02: a receiver's position and a Chinese map's differ by hundreds of metres in China."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Degrees = npt.NDArray[np.float64]
Points = tuple[Degrees, Degrees]
"""Longitudes and latitudes in degrees, arrays of one shape."""

_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_AXIS_M = 6_378_245.0
_ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943
_CENTRE_LON, _CENTRE_LAT = 105.0, 35.0
_ROUNDS = 6
"""Three leave less than 1 mm of a shift that is nowhere greater than 740 m."""


def gcj02_of_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike) -> Points:
    """Convert positions from WGS-84 to GCJ-02, as the published approximation does.

    The algorithm behind GCJ-02 is not public. This is the series on the ellipsoid of Krasovsky that became
    known as "eviltransform" (github.com/googollee/eviltransform), and that map software uses. It stands for
    itself: how far it is from a map service's own conversion is not published, and not bounded here; take
    some metres. Outside of the rectangle 72.004 to 137.8347 degrees east, 0.8293 to 55.8271 north, both are
    the same; that rectangle holds neighbouring countries too, where maps may be in either.

    Args:
        lon: in degrees, one or an array of any shape.
        lat: in degrees, of the same shape.

    Returns:
        Longitude and latitude in degrees, float64 of that shape.
    """
    east, north = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    within = _in_rectangle(east, north)
    if not within.any():
        return east.copy(), north.copy()
    more_east, more_north = _shift(east, north)
    return np.where(within, east + more_east, east), np.where(within, north + more_north, north)


def wgs84_of_gcj02(lon: npt.ArrayLike, lat: npt.ArrayLike) -> Points:
    """Convert positions from GCJ-02 to WGS-84: what `gcj02_of_wgs84` gives them for, to less than 1 mm.

    Within 1 km of the rectangle's border, where `gcj02_of_wgs84` jumps, there may be none or two such
    positions, and the answer may be off by the shift.

    Args:
        lon: in degrees, one or an array of any shape.
        lat: in degrees, of the same shape.

    Returns:
        Longitude and latitude in degrees, float64 of that shape.
    """
    east, north = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    within = _in_rectangle(east, north)
    if not within.any():
        return east.copy(), north.copy()
    found_east, found_north = east, north
    for _ in range(_ROUNDS):
        more_east, more_north = _shift(found_east, found_north)
        found_east, found_north = east - more_east, north - more_north
    return np.where(within, found_east, east), np.where(within, found_north, north)


def _in_rectangle(lon: Degrees, lat: Degrees) -> npt.NDArray[np.bool_]:
    return (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)


def _shift(lon: Degrees, lat: Degrees) -> Points:
    """How far GCJ-02 is from WGS-84 at a position of WGS-84, in degrees."""
    x, y = lon - _CENTRE_LON, lat - _CENTRE_LAT
    root, product = np.sqrt(np.abs(x)), x * y
    x_pi, y_pi = x * np.pi, y * np.pi
    wave = 20.0 * np.sin(6.0 * x_pi) + 20.0 * np.sin(2.0 * x_pi)
    north_wave = wave + 20.0 * np.sin(y_pi) + 40.0 * np.sin(y_pi / 3.0)
    north_wave += 160.0 * np.sin(y_pi / 12.0) + 320.0 * np.sin(y_pi / 30.0)
    east_wave = wave + 20.0 * np.sin(x_pi) + 40.0 * np.sin(x_pi / 3.0)
    east_wave += 150.0 * np.sin(x_pi / 12.0) + 300.0 * np.sin(x_pi / 30.0)
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * product + 0.2 * root + north_wave * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * product + 0.1 * root + east_wave * 2.0 / 3.0
    latitude = np.radians(lat)
    flattening = 1.0 - _ECCENTRICITY_SQUARED * np.sin(latitude) ** 2
    meridian_m = _AXIS_M * (1.0 - _ECCENTRICITY_SQUARED) / flattening**1.5
    parallel_m = _AXIS_M / np.sqrt(flattening) * np.cos(latitude)
    return np.degrees(east_m / parallel_m), np.degrees(north_m / meridian_m)
