"""`PlateDetector`: plates in pictures of any size, by a network of our own at several scales."""

from __future__ import annotations

import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.faces import suppressed
from edge.vision.faces_tiles import tiles_of
from edge.vision.inference import ModelStore
from edge.vision.picture import Pixels
from edge.vision.plates_network import GRID, PlateNetwork

_CHANNELS = 3
_SCALES = (1.0, 0.4, 0.16)
"""The network knows plates of 18 to 200 pixels' width; larger ones are seen in smaller copies."""

_THRESHOLD = 0.4
_SIDE_MAX = 1280
_OVERLAP = 256
_SAME_PLATE = 0.3


class PlateDetector(Detector):
    """Finds the plates of vehicles.

    Args:
        store: where the weights are looked for.
        threads: how many ONNX Runtime may use.
        threshold: how sure the network has to be.

    Raises:
        VisionError: the weights are missing or different, or the extra is not installed.
    """

    def __init__(self, store: ModelStore, *, threads: int = 1, threshold: float = _THRESHOLD) -> None:
        self._network = PlateNetwork(store, threads=threads)
        self._threshold = threshold

    @property
    def subject(self) -> Subject:
        """See `Detector.subject`."""
        return Subject.PLATE

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return "nevgate-plates-1"

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
                found, sure = self._network.look(tile.pixels, self._threshold)
                boxes = found / scale + np.array([tile.left, tile.top] * 2, np.float32)
                centres = (boxes[:, :2] + boxes[:, 2:]) / 2
                left, top, right, bottom = tile.core
                mine = ((centres >= (left, top)) & (centres < (right, bottom))).all(axis=1)
                corners.append(boxes[mine])
                scores.append(sure[mine])
        boxes = np.clip(np.concatenate(corners), 0, np.array([width, height] * 2, np.float32)).astype(
            np.float32
        )
        every = np.concatenate(scores).astype(np.float32)
        kept = suppressed(boxes, every, _SAME_PLATE)
        return Boxes.of(Subject.PLATE, boxes[kept], every[kept])
