"""`composed`: sprites put into a street by their distance, and the truth about each face and plate in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Subject
from edge.vision.picture import Pixels
from simulator.cameras.figures import Sprite, outline_of

Image = NDArray[np.float32]
HIDDEN = 0.6
"""From this share hidden by other things on, nobody can be asked to find it."""

SMALLEST_PX = 8.0
"""Faces and plates whose shorter side is below are neither misses nor false findings."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A sprite in a picture.

    Attributes:
        sprite: what is drawn.
        x: column of its anchor.
        y: row of its anchor.
        distance_m: what is farther is behind.
        track: number of the person, vehicle or thing, the same in each frame of a clip.
    """

    sprite: Sprite
    x: float
    y: float
    distance_m: float
    track: int


@dataclass(frozen=True, slots=True)
class Truth:
    """One face or plate as a person would draw a box around what can be seen of it.

    Attributes:
        subject: face or plate.
        box: left, top, right, bottom in pixels, within the picture; right and bottom are outside.
        hidden: share that other things in front, or the picture's edge, hide.
        track: of whom, the same in each frame of a clip.
        asked: whether it is turned to the camera.
        counted: whether it is to be found: turned to the camera, large enough, and not hidden.
    """

    subject: Subject
    box: tuple[float, float, float, float]
    hidden: float
    track: int
    asked: bool
    counted: bool

    @property
    def shorter_px(self) -> float:
        """Its shorter side."""
        left, top, right, bottom = self.box
        return min(right - left, bottom - top)


def composed(background: Image, placed: Sequence[Placed]) -> tuple[Image, list[Truth]]:
    """Put sprites over a background, the farthest first.

    Args:
        background: (height, width, 3) float32, 0 to 1; stays as it is.
        placed: in any order.
    """
    image = background.copy()
    height, width = image.shape[:2]
    regions: list[tuple[Placed, int, int, Image, float]] = []
    for one in sorted(placed, key=lambda each: -each.distance_m):
        left, top = round(one.x - one.sprite.anchor[0]), round(one.y - one.sprite.anchor[1])
        high, wide = one.sprite.alpha.shape
        rows = slice(max(top, 0), min(top + high, height))
        columns = slice(max(left, 0), min(left + wide, width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        alpha = one.sprite.alpha[inner]
        image[rows, columns] *= (1 - alpha)[:, :, None]
        image[rows, columns] += one.sprite.colours[inner]
        for _, region_top, region_left, region, _ in regions:
            _hide(region, region_top, region_left, alpha, rows.start, columns.start)
        if one.sprite.subject is not None:
            whole = float(one.sprite.region.sum())
            if whole > 0:
                regions.append((one, rows.start, columns.start, one.sprite.region[inner].copy(), whole))
    truths = [_truth(one, left, top, region, whole) for one, top, left, region, whole in regions]
    return np.clip(image, 0, 1), [truth for truth in truths if truth is not None]


def _hide(region: Image, top: int, left: int, alpha: Image, alpha_top: int, alpha_left: int) -> None:
    first_row, first_column = max(top, alpha_top), max(left, alpha_left)
    last_row = min(top + region.shape[0], alpha_top + alpha.shape[0])
    last_column = min(left + region.shape[1], alpha_left + alpha.shape[1])
    if first_row < last_row and first_column < last_column:
        own = region[first_row - top : last_row - top, first_column - left : last_column - left]
        own *= (
            1
            - alpha[
                first_row - alpha_top : last_row - alpha_top,
                first_column - alpha_left : last_column - alpha_left,
            ]
        )


def _truth(one: Placed, left: int, top: int, visible: Image, whole: float) -> Truth | None:
    outline = outline_of(visible)
    hidden = 1 - float(visible.sum()) / whole
    if outline is None or one.sprite.subject is None:
        return None
    box = (outline[0] + left, outline[1] + top, outline[2] + left, outline[3] + top)
    shorter = min(box[2] - box[0], box[3] - box[1])
    counted = one.sprite.asked and hidden < HIDDEN and shorter >= SMALLEST_PX
    return Truth(one.sprite.subject, box, hidden, one.track, one.sprite.asked, counted)


def pixels_of(image: Image) -> Pixels:
    """An image of 0 to 1 as a camera gives it."""
    result: Pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return result
