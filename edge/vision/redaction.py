"""Fills what a person could be recognised by; the only place where a picture becomes a `Redacted`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Boxes, Subject
from edge.vision.picture import Picture, Pixels, Redacted

MARGIN = 0.25
"""By which share of its width and height a box is enlarged on each side, at least."""

MARGIN_LEAST_PX = 2.0
"""By how many pixels a box is enlarged on each side, at least: detectors err by about that much however small
the face is."""

FILL = 127
"""Blue, green and red of what is filled: one constant, whatever was there."""


def masks_of(boxes: Boxes, height: int, width: int, margin: float = MARGIN) -> NDArray[np.int32]:
    """Which pixels are filled for `boxes` in a picture of `height` and `width`.

    Each box is enlarged on each side, rounded outwards and cut at the picture's edge.

    Args:
        boxes: what was found.
        height: of the picture in pixels.
        width: of the picture in pixels.
        margin: share of a box's width and height that is added on each side; `MARGIN` or more.

    Returns:
        (n, 4) int32, one for each box: left, top, right, bottom; right and bottom are outside. A box outside
        the picture has a mask without area.

    Raises:
        ValueError: `margin` is below `MARGIN`, or a corner is no number.
    """
    if not margin >= MARGIN:
        raise ValueError(f"a margin of {margin} is below {MARGIN}")
    corners = boxes.corners.astype(np.float64)
    if np.isnan(corners).any():
        raise ValueError("a corner is no number")
    low, high = corners[:, :2], corners[:, 2:]
    added = np.maximum((high - low) * margin, MARGIN_LEAST_PX)
    end = np.array([width, height], np.float64)
    masks = np.concatenate(
        [np.clip(np.floor(low - added), 0, end), np.clip(np.ceil(high + added), 0, end)], axis=1
    )
    return masks.astype(np.int32)


def cover(pixels: Pixels, masks: NDArray[np.int32]) -> None:
    """Fill rectangles, (n, 4) int32 as `masks_of` gives them, in place."""
    for left, top, right, bottom in masks.tolist():
        pixels[top:bottom, left:right] = FILL


def fill(picture: Picture, boxes: Boxes, margin: float = MARGIN) -> Redacted:
    """Fill `boxes`, enlarged, with one constant colour, and call what is left redacted.

    This is done in place: the pixels of `picture` become those of what is handed out, so that the picture as
    it was is nowhere any more. Pixels that may not be written are copied first, and the original is then its
    owner's to destroy.

    Args:
        picture: as the camera gave it; not to be used afterwards.
        boxes: all that is to be filled in it, before they are enlarged.
        margin: see `masks_of`.

    Raises:
        ValueError: as `masks_of`.
    """
    height, width = picture.pixels.shape[:2]
    masks = masks_of(boxes, height, width, margin)
    pixels = picture.pixels if picture.pixels.flags.writeable else picture.pixels.copy()
    cover(pixels, masks)
    shown = (masks[:, 2:] > masks[:, :2]).all(axis=1)
    faces = int((shown & (boxes.subjects == Subject.FACE)).sum())
    return Redacted(
        picture.camera, picture.number, picture.t_ns, pixels, faces=faces, plates=int(shown.sum()) - faces
    )


def destroy(pixels: Pixels) -> None:
    """Overwrite a picture that is not to be kept with zeros; what may not be written is left to its owner."""
    if pixels.flags.writeable:
        pixels[...] = 0
