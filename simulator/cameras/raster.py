"""Draws triangles with a depth buffer, in NumPy: which triangle each pixel shows, and where in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """What each pixel shows.

    Attributes:
        triangle: (height, width) int64, -1 where there is none.
        weights: (height, width, 3), of the triangle's corners.
    """

    triangle: NDArray[np.int64]
    weights: Floats

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Where there is something."""
        return self.triangle >= 0

    def interpolated(self, triangles: NDArray[np.int64], values: Floats) -> Floats:
        """Values (n, k) of the corners at the pixels that are filled: (pixels, k)."""
        corners = triangles[self.triangle[self.filled]]
        result: Floats = np.einsum("pc,pck->pk", self.weights[self.filled], values[corners])
        return result


def triangulated(quads: NDArray[np.uint16]) -> NDArray[np.int64]:
    """(n, 4) quads as (2 n, 3) triangles."""
    wide = quads.astype(np.int64)
    return np.concatenate([wide[:, [0, 1, 2]], wide[:, [0, 2, 3]]])


def rasterized(points: Floats, triangles: NDArray[np.int64], width: int, height: int) -> Coverage:
    """Draw triangles.

    Args:
        points: (n, 3): x to the right and y down in pixels, and nearness: the greater is in front.
        triangles: (m, 3) of the points.
        width: of the canvas.
        height: of the canvas.
    """
    corner = points[triangles]
    a, b, c = corner[:, 0], corner[:, 1], corner[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.floor(corner[:, :, :2].min(axis=1)).astype(np.int64)
    high = np.ceil(corner[:, :, :2].max(axis=1)).astype(np.int64)
    low = np.maximum(low, 0)
    high = np.minimum(high, (width - 1, height - 1))
    extent = (high - low + 1).max(axis=1)
    usable = (np.abs(area) > 1e-9) & (high >= low).all(axis=1)
    nearest = np.full(width * height, -np.inf)
    shown = np.full(width * height, -1, np.int64)
    weights = np.zeros((width * height, 3))
    side = 2
    smallest = 0
    while smallest < max(int(extent.max(initial=0)), 1):
        chosen = np.flatnonzero(usable & (extent > smallest) & (extent <= side))
        step = max(1, 2_000_000 // (side * side))
        for start in range(0, len(chosen), step):
            some = chosen[start : start + step]
            _draw(some, side, (a, b, c), area, low, high, width, nearest, shown, weights)
        smallest, side = side, side * 2
    return Coverage(shown.reshape(height, width), weights.reshape(height, width, 3))


def _draw(
    some: NDArray[np.int64],
    side: int,
    corners: tuple[Floats, Floats, Floats],
    area: Floats,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    width: int,
    nearest: Floats,
    shown: NDArray[np.int64],
    weights: Floats,
) -> None:
    a, b, c = (corner[some] for corner in corners)
    offsets = np.arange(side)
    column = low[some, 0, None, None] + offsets[None, None, :]
    row = low[some, 1, None, None] + offsets[None, :, None]
    x, y = column + 0.5, row + 0.5

    def edge(p: Floats, q: Floats) -> Floats:
        along = q - p
        result: Floats = along[:, 0, None, None] * (y - p[:, 1, None, None]) - along[:, 1, None, None] * (
            x - p[:, 0, None, None]
        )
        return result / area[some, None, None]

    third = edge(a, b)
    first = edge(b, c)
    second = 1 - first - third
    inside = (first >= 0) & (second >= 0) & (third >= 0)
    inside &= (column <= high[some, 0, None, None]) & (row <= high[some, 1, None, None])
    which, _, _ = np.nonzero(inside)
    share = np.stack([first[inside], second[inside], third[inside]], axis=1)
    depth = share[:, 0] * a[which, 2] + share[:, 1] * b[which, 2] + share[:, 2] * c[which, 2]
    pixel = (row * width + column)[inside]
    order = np.lexsort((depth, pixel))
    pixel, depth = pixel[order], depth[order]
    last = np.append(pixel[1:] != pixel[:-1], True) if len(pixel) else np.zeros(0, np.bool_)
    pixel, depth, order = pixel[last], depth[last], order[last]
    better = depth > nearest[pixel]
    pixel, order = pixel[better], order[better]
    nearest[pixel] = depth[better]
    shown[pixel] = some[which[order]]
    weights[pixel] = share[order]
