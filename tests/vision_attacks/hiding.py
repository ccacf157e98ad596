"""Ways of hiding a box, nevgate's own and those that it refuses, and what a JPEG keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Boxes, Subject
from edge.vision.picture import Pixels
from edge.vision.redaction import cover, masks_of
from tests.vision_attacks.views import View

_QUALITY = 85

Hide = Callable[[Pixels], Pixels]
"""What becomes of the pixels of a rectangle."""


def _mean(part: Pixels) -> Pixels:
    return np.full_like(part, part.reshape(-1, 3).mean(axis=0).round())


def _mosaic(part: Pixels) -> Pixels:
    small = cv2.resize(part, (6, 6), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8
    )


def _blur(part: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(part, (0, 0), min(part.shape[:2]) / 8), np.uint8)


def _filled(part: Pixels) -> Pixels:
    """As nevgate does it: all of this part is one mask."""
    kept = part.copy()
    cover(kept, np.array([[0, 0, part.shape[1], part.shape[0]]], np.int32))
    return kept


def _as_it_is(part: Pixels) -> Pixels:
    return part


WAYS: Mapping[str, Hide] = MappingProxyType(
    {
        "as it is": _as_it_is,
        "Gaussian blur": _blur,
        "mosaic 6x6": _mosaic,
        "mean colour": _mean,
        "constant fill": _filled,
    }
)


def mask_of(view: View) -> NDArray[np.int32]:
    """The rectangle that nevgate fills for the box of a view: left, top, right, bottom."""
    boxes = Boxes.of(Subject.PLATE, view.box[None, :], np.ones(1, np.float32))
    return np.asarray(masks_of(boxes, *view.pixels.shape[:2])[0], np.int32)


def hidden(view: View, way: Hide) -> Pixels:
    """The picture of a view as it is kept, after JPEG."""
    left, top, right, bottom = mask_of(view).tolist()
    pixels = view.pixels.copy()
    pixels[top:bottom, left:right] = way(np.ascontiguousarray(pixels[top:bottom, left:right]))
    return through_jpeg(pixels)


def through_jpeg(pixels: Pixels) -> Pixels:
    """What is left after JPEG."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)
