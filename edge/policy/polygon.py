"""Whether the corners of an area make a polygon that has an inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_CORNERS = 500

_LEAST_CORNERS = 3
_PER_DEGREE = 10_000_000
"""Corners are compared on a grid of 1e-7 degrees, a centimetre, so that no rounding decides."""

_HALF_TURN = 180

_Whole = NDArray[np.int64]


def polygon_fault(corners: Sequence[tuple[float, float]]) -> str | None:
    """What is wrong with a polygon; None if nothing is.

    Args:
        corners: longitude and latitude in degrees, finite, in order around it; the first is not repeated.
    """
    if not _LEAST_CORNERS <= len(corners) <= MOST_CORNERS:
        return f"has {len(corners)} corners; an area has {_LEAST_CORNERS} to {MOST_CORNERS}"
    for place, (longitude, latitude) in enumerate(corners):
        if not (-_HALF_TURN <= longitude <= _HALF_TURN and -_HALF_TURN / 2 <= latitude <= _HALF_TURN / 2):
            return (
                f"corner {place + 1} is nowhere on earth: [{longitude:g}, {latitude:g}]; write longitude "
                "(-180 to 180), then latitude (-90 to 90)"
            )
    points = np.rint(np.array(corners) * _PER_DEGREE).astype(np.int64)
    if np.ptp(points[:, 0]) >= _HALF_TURN * _PER_DEGREE:
        return "spans half the earth; an area across longitude 180 is written as two"
    sides = np.roll(points, -1, axis=0) - points
    standing = np.flatnonzero(~sides.any(axis=1))
    if len(standing):
        return f"corner {standing[0] + 1} and the next are the same place; leave one away"
    return _turning_back(sides) or _crossing(points, sides)


def _turning_back(sides: _Whole) -> str | None:
    following = np.roll(sides, -1, axis=0)
    back = np.flatnonzero((_cross(sides, following) == 0) & (np.sum(sides * following, axis=1) < 0))
    if not len(back):
        return None
    corner = (int(back[0]) + 1) % len(sides) + 1
    return f"turns back on itself at corner {corner}; leave that corner away"


def _crossing(points: _Whole, sides: _Whole) -> str | None:
    """Judge every side, in rows, against every later one that is no neighbour, in columns."""
    count = len(points)
    ends = points + sides
    lows, highs = np.minimum(points, ends), np.maximum(points, ends)
    apart = np.any((lows[:, None] > highs[None, :]) | (lows[None, :] > highs[:, None]), axis=2)
    # On the grid each product is below 3.3e18 and each difference below 6.5e18: signs in 64 bits are exact.
    starts_at = np.sign(_cross(sides[:, None], points[None, :] - points[:, None]))
    ends_at = np.sign(_cross(sides[:, None], ends[None, :] - points[:, None]))
    parted = starts_at * ends_at > 0
    meeting = np.triu(~apart & ~parted & ~parted.T, k=2)
    meeting[0, count - 1] = False
    if not meeting.any():
        return None
    one, other = map(int, np.argwhere(meeting)[0])
    return (
        f"crosses itself: the side from corner {one + 1} meets that from corner {other + 1}; "
        "list the corners in order around the area"
    )


def _cross(one: _Whole, other: _Whole) -> _Whole:
    product: _Whole = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
    return product
