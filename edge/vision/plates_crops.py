"""What may be a plate, cut out with its surroundings at one size, whatever size it has in the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels

CROP_SIDE = 192
"""Sides of a crop in pixels, a multiple of the network's grid."""

WIDTH = 150.0
"""How wide a plate is made, in pixels of a crop: large enough for its characters to show."""

_ALIASING = 0.7
_PART = 1.5
"""How far beyond a crop a picture is cut before it is made smaller, in the crop's reach."""


def crop_of(pixels: Pixels, box: NDArray[np.float32]) -> tuple[Pixels, NDArray[np.float32]]:
    """Cut a box out of a picture and make it `WIDTH` wide.

    Args:
        pixels: the picture, (height, width, 3) uint8.
        box: (4,) float32, left, top, right, bottom in its pixels.

    Returns:
        (192, 192, 3) uint8, what is beyond the picture's edge repeated from it; and (4,) float32, where the
        box lies in it.
    """
    middle, sides = (box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1)
    scale = WIDTH / float(sides[0])
    reach = CROP_SIDE / scale / 2 * _PART
    height_px, width_px = pixels.shape[:2]
    left, top = np.clip(np.floor(middle - reach), 0, None).astype(int)
    right, bottom = np.ceil(middle + reach).astype(int)
    part = pixels[top : min(bottom, height_px), left : min(right, width_px)]
    across = down = scale
    if scale < _ALIASING:
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        across, down = size[0] / part.shape[1], size[1] / part.shape[0]
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        how = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    else:
        how = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
    at = (middle - (left, top)) * (across, down)
    how[:, 2] = CROP_SIDE / 2 - at
    crop = cv2.warpAffine(
        part, how, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    half = sides * (scale / 2)
    return (
        np.asarray(crop, np.uint8),
        np.concatenate([CROP_SIDE / 2 - half, CROP_SIDE / 2 + half]).astype(np.float32),
    )
