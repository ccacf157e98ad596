"""What is in doubt, cut out with its surroundings at one size, and what a second look says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.faces_network import Finds
from edge.vision.picture import Pixels

CROP_SIDE = 160
"""Sides of a crop in pixels, a multiple of the network's grid."""

_FACE_SIDE = 80


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A box with its surroundings, scaled so that the box is half as long as the crop.

    Attributes:
        pixels: (160, 160, 3) uint8, mirrored beyond the picture's edge.
        box: (4,) float32, where the box lies in it.
    """

    pixels: Pixels
    box: NDArray[np.float32]


def cropped(pixels: Pixels, box: NDArray[np.float32]) -> Crop:
    """Cut `box`, left, top, right, bottom in pixels of the picture, out of it."""
    sides = np.maximum(box[2:] - box[:2], 1)
    scale = _FACE_SIDE / float(sides.max())
    left, top = (CROP_SIDE / 2 - scale * (box[:2] + box[2:]) / 2).tolist()
    how = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    crop = cv2.warpAffine(
        pixels, how, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    half = sides * (scale / 2)
    return Crop(np.asarray(crop, np.uint8), np.concatenate([CROP_SIDE / 2 - half, CROP_SIDE / 2 + half]))


def looked_at(crops: Sequence[Crop], found: Finds, overlap: float) -> NDArray[np.float32]:
    """The best score, per crop, of what was found where its box lies; 0 where nothing was.

    Args:
        crops: as they were looked at.
        found: in them.
        overlap: area shared over the area of both together, from which on a find is of the box.
    """
    boxes = np.stack([crop.box for crop in crops])[found.tiles]
    low = np.maximum(boxes[:, :2], found.corners[:, :2])
    high = np.minimum(boxes[:, 2:], found.corners[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    both = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (found.corners[:, 2:] - found.corners[:, :2]).prod(
        axis=1
    )
    best = np.zeros(len(crops), np.float32)
    np.maximum.at(best, found.tiles, np.where(shared > overlap * (both - shared), found.scores, 0))
    return best
