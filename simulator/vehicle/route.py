"""The route: where the vehicle is after so many metres, in WGS-84, how steep and how bent."""

from __future__ import annotations

import math
import random

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]

WGS84_SEMI_MAJOR_M = 6378137.0
WGS84_ECCENTRICITY_SQUARED = 6.69437999014e-3
GRID_M = 2.0
LENGTH_M = 60_000.0
START_LATITUDE_DEG = 31.2304
START_LONGITUDE_DEG = 121.4737
START_ALTITUDE_M = 14.0
"""The route begins in Shanghai; the roads that it takes from there are made up."""

_BENDS = ((0.0042, 410.0), (0.0029, 1_370.0), (0.0011, 3_900.0))
_HILLS = ((3.1, 900.0), (11.0, 5_300.0), (24.0, 17_000.0))
"""Amplitude (curvature in 1/m, height in m) and wavelength in m of the waves that the road is made of."""


class Route:
    """A road of `LENGTH_M`, made of waves whose phases are drawn; at its end the position stays."""

    def __init__(self, draw: random.Random) -> None:
        metres = np.arange(0.0, LENGTH_M + GRID_M, GRID_M)
        curvature = np.zeros_like(metres)
        for amplitude, wavelength in _BENDS:
            curvature += amplitude * np.sin(2 * np.pi * metres / wavelength + draw.uniform(0, 2 * np.pi))
        altitude = np.full_like(metres, START_ALTITUDE_M)
        slope = np.zeros_like(metres)
        for amplitude, wavelength in _HILLS:
            angle = 2 * np.pi * metres / wavelength + draw.uniform(0, 2 * np.pi)
            altitude += amplitude * np.sin(angle)
            slope += amplitude * 2 * np.pi / wavelength * np.cos(angle)
        heading = draw.uniform(0, 2 * np.pi) - np.concatenate(([0.0], np.cumsum(curvature[:-1]) * GRID_M))
        latitude = np.empty_like(metres)
        longitude = np.empty_like(metres)
        phi, lam = math.radians(START_LATITUDE_DEG), math.radians(START_LONGITUDE_DEG)
        for place, course in enumerate(heading.tolist()):
            latitude[place], longitude[place] = phi, lam
            meridian_m, transverse_m = curvature_radii_m(phi)
            phi += GRID_M * math.cos(course) / meridian_m
            lam += GRID_M * math.sin(course) / (transverse_m * math.cos(phi))
        self._metres = metres
        self._curvature = curvature
        self._slope = slope
        self._altitude = altitude
        self._heading = heading
        self._latitude = np.degrees(latitude)
        self._longitude = np.degrees(longitude)

    def _at(self, column: Float64s, metres: Float64s) -> Float64s:
        return np.interp(np.minimum(metres, LENGTH_M), self._metres, column)

    def slope(self, metres: float) -> float:
        """Rise over run, positive uphill."""
        return float(self._slope[min(int(metres / GRID_M), len(self._slope) - 1)])

    def slopes(self, metres: Float64s) -> Float64s:
        """Rise over run at many places, positive uphill."""
        return self._at(self._slope, metres)

    def curvature_per_m(self, metres: Float64s) -> Float64s:
        """Curvature of the road, positive to the left."""
        return self._at(self._curvature, metres)

    def course_deg(self, metres: Float64s) -> Float64s:
        """Direction of travel from north, clockwise, 0 to 360."""
        course: Float64s = np.degrees(self._at(self._heading, metres)) % 360.0
        return course

    def latitude_deg(self, metres: Float64s) -> Float64s:
        """Latitude, positive north."""
        return self._at(self._latitude, metres)

    def longitude_deg(self, metres: Float64s) -> Float64s:
        """Longitude, positive east."""
        return self._at(self._longitude, metres)

    def altitude_m(self, metres: Float64s) -> Float64s:
        """Height above the ellipsoid."""
        return self._at(self._altitude, metres)


def curvature_radii_m(latitude_rad: float) -> tuple[float, float]:
    """Radii of curvature of the WGS-84 ellipsoid along the meridian and across it."""
    root = math.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * math.sin(latitude_rad) ** 2)
    transverse_m = WGS84_SEMI_MAJOR_M / root
    return transverse_m * (1 - WGS84_ECCENTRICITY_SQUARED) / root**2, transverse_m
