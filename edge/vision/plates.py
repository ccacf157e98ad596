"""`PlateDetector`: plates in pictures of any size, by two networks of our own and a second look."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector, check_picture
from edge.vision.inference import ModelStore
from edge.vision.picture import Pixels
from edge.vision.plates_crops import crop_of
from edge.vision.plates_network import GRID, PLATES_2, PLATES_3, PlateNetwork
from edge.vision.suppression import suppressed
from edge.vision.tiles import looked_over

_SCALES = (1.0, 0.5, 0.25)
"""The network knows plates of 18 to 200 pixels' width; larger ones are seen in smaller copies."""

_THRESHOLD = 0.45
_IN_DOUBT = 0.3
_LOOKS_MAX = 32

_LEAST_SCORE = 1e-4
_SHAPES = 0.8, 8.0
"""Width by height of what may be a plate."""

_SIDE_MAX = 1280
_OVERLAP = 256
_SAME_PLATE = 0.3
_SAME_PLATE_AGAIN = 0.35


class PlateDetector(Detector):
    """Finds the plates of vehicles.

    The picture is looked at in three sizes by one network. What may be a plate there is cut out, scaled to
    one width and looked at again by this network and by another; it is a plate where all three looks together
    are sure enough.

    Args:
        store: where the weights are looked for.
        threads: how many ONNX Runtime may use.
        threshold: how sure all looks together have to be.

    Raises:
        VisionError: the weights are missing or different, or the extra is not installed.
    """

    def __init__(self, store: ModelStore, *, threads: int = 1, threshold: float = _THRESHOLD) -> None:
        self._network = PlateNetwork(store, PLATES_3, threads=threads)
        self._other = PlateNetwork(store, PLATES_2, threads=threads)
        self._threshold = threshold

    @property
    def subject(self) -> Subject:
        """See `Detector.subject`."""
        return Subject.PLATE

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return "nevgate-plates-3, second look with nevgate-plates-2"

    def verify(self) -> None:
        """See that the weights on disk are still the pinned ones; see `ModelStore.verify`."""
        for one in (self._network, self._other):
            one.network.verify()

    def detect(self, pixels: Pixels) -> Boxes:
        """See `Detector.detect`."""
        check_picture(pixels, self.name)
        height, width = pixels.shape[:2]
        boxes, first = looked_over(
            pixels, _SCALES, self._look_at, side_max=_SIDE_MAX, overlap=_OVERLAP, grid=GRID
        )
        boxes = np.clip(boxes, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
        kept = suppressed(boxes, first, _SAME_PLATE)
        boxes, first = boxes[kept], first[kept]
        sides = boxes[:, 2:] - boxes[:, :2]
        shaped = (sides[:, 0] >= _SHAPES[0] * sides[:, 1]) & (sides[:, 0] <= _SHAPES[1] * sides[:, 1])
        shaped &= (sides > 0).all(axis=1)
        boxes, first = boxes[shaped], first[shaped]
        sure = self._sure(pixels, boxes, first)
        plates = sure >= self._threshold
        return Boxes.of(Subject.PLATE, boxes[plates], sure[plates])

    def _look_at(self, tile: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._network.look(tile, _IN_DOUBT)

    def _sure(
        self, pixels: Pixels, boxes: NDArray[np.float32], first: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """How sure all looks are, best first; beyond what may be looked at again the first look decides.

        The first look counts as much as both others: a mean of logits.
        """
        sure = first.copy()
        for place in range(min(len(boxes), _LOOKS_MAX)):
            crop, box = crop_of(pixels, boxes[place])
            again = [one.best(crop, box, _SAME_PLATE_AGAIN) for one in (self._network, self._other)]
            together = (_logit(first[place]) + _logit(again).mean()) / 2
            sure[place] = 1 / (1 + np.exp(-together))
        return sure


def _logit(scores: ArrayLike) -> NDArray[np.float64]:
    limited = np.clip(np.asarray(scores, np.float64), _LEAST_SCORE, 1 - _LEAST_SCORE)
    return np.asarray(np.log(limited / (1 - limited)))
