"""Of boxes that overlap, the best; by which detectors say each thing once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def suppressed(corners: NDArray[np.float32], scores: NDArray[np.float32], overlap: float) -> NDArray[np.intp]:
    """Places of the boxes left, best first, when each takes away those that it overlaps by more.

    Overlap is the area shared over the area of both together.
    """
    order = np.argsort(-scores, kind="stable")
    kept = []
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[order, :2])
        high = np.minimum(corners[best, 2:], corners[order, 2:])
        shared = np.maximum(high - low, 0).prod(axis=1)
        order = order[shared <= overlap * (areas[best] + areas[order] - shared)]
    return np.array(kept, np.intp)
