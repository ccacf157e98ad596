"""Which doubtful finds stand in a crowd of faces, where a doubt is more likely a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEAR = 3.0
_ALIKE = 2.0
_CROWD = 8


def in_crowd(doubtful: NDArray[np.float32], faces: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say of each box whether many faces of about its size are around it.

    In a crowd heads stand before each other, turned and half hidden, and score less for it; and what looks
    somewhat like a face there seldom is anything else.

    Args:
        doubtful: (n, 4) float32, left, top, right, bottom.
        faces: (m, 4) float32, those that are no doubt faces.

    Returns:
        (n,) bool: at least eight faces of half to twice its size have their middles within three times its
        size to each side.
    """
    size, sizes = _sizes(doubtful), _sizes(faces)
    middle, middles = (doubtful[:, :2] + doubtful[:, 2:]) / 2, (faces[:, :2] + faces[:, 2:]) / 2
    crowded = np.zeros(len(doubtful), np.bool_)
    for place in range(len(doubtful)):
        near = (np.abs(middles - middle[place]) < _NEAR * size[place]).all(axis=1)
        alike = (sizes > size[place] / _ALIKE) & (sizes < size[place] * _ALIKE)
        crowded[place] = np.count_nonzero(near & alike) >= _CROWD
    return crowded


def _sizes(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = corners[:, 2:] - corners[:, :2]
    return np.sqrt(np.maximum(sides[:, 0] * sides[:, 1], 1)).astype(np.float32)
