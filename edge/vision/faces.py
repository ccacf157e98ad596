"""`FaceDetector`: faces in pictures of any size, by YuNet at several scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.faces_network import GRID, YuNet
from edge.vision.faces_tiles import tiles_of
from edge.vision.inference import ModelStore
from edge.vision.picture import Pixels

_CHANNELS = 3
_SCALES = (1.5, 0.5)
_THRESHOLD = 0.5
_SIDE_MAX = 1024
_OVERLAP = 192
_SAME_FACE = 0.3


class FaceDetector(Detector):
    """Finds faces from about 8 pixels on.

    Args:
        store: where the weights are looked for.
        threads: how many ONNX Runtime may use.

    Raises:
        VisionError: the weights are missing or different, or the extra is not installed.
    """

    def __init__(self, store: ModelStore, *, threads: int = 1) -> None:
        self._network = YuNet(store, threads=threads)

    @property
    def subject(self) -> Subject:
        """See `Detector.subject`."""
        return Subject.FACE

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return "yunet-2023mar"

    def verify(self) -> None:
        """See that the weights on disk are still the pinned ones; see `ModelStore.verify`."""
        self._network.network.verify()

    def detect(self, pixels: Pixels) -> Boxes:
        """See `Detector.detect`."""
        if pixels.shape[2:] != (_CHANNELS,) or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise VisionError(f"no picture: {pixels.shape} of {pixels.dtype}", where=self.name)
        height, width = pixels.shape[:2]
        corners, scores = [], []
        for scale in _SCALES:
            for tile in tiles_of(pixels, scale, _SIDE_MAX, _OVERLAP, GRID):
                found = self._network.look([tile.pixels], _THRESHOLD)
                boxes = found.corners / scale + np.array([tile.left, tile.top] * 2, np.float32)
                centres = (boxes[:, :2] + boxes[:, 2:]) / 2
                left, top, right, bottom = tile.core
                mine = ((centres >= (left, top)) & (centres < (right, bottom))).all(axis=1)
                corners.append(boxes[mine])
                scores.append(found.scores[mine])
        boxes = np.clip(np.concatenate(corners), 0, np.array([width, height] * 2, np.float32))
        kept = suppressed(boxes, np.concatenate(scores), _SAME_FACE)
        return Boxes.of(Subject.FACE, boxes[kept], np.concatenate(scores)[kept])


def suppressed(corners: NDArray[np.float32], scores: NDArray[np.float32], overlap: float) -> NDArray[np.intp]:
    """Places of the boxes left when each, best first, takes away those that it overlaps by more.

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
