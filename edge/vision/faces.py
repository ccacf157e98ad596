"""`FaceDetector`: faces in pictures of any size, by YuNet at two scales and a second look in doubt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector, check_picture
from edge.vision.faces_crops import cropped, looked_at
from edge.vision.faces_crowds import in_crowd
from edge.vision.faces_network import GRID, YuNet
from edge.vision.faces_self_test import SelfTest
from edge.vision.inference import ModelStore
from edge.vision.picture import Pixels
from edge.vision.suppression import suppressed
from edge.vision.tiles import looked_over

_SCALES = (1.5, 0.6)
_SIDE_MAX = 1920
_OVERLAP = 128
_SAME_FACE = 0.3

_SURE = 0.7
_IN_DOUBT = 0.2
_CONFIRMED = 0.41
_CONFIRMED_IN_CROWD = 0.2
_LOOKS_MAX = 48
_LOOKS_AT_ONCE = 12


class FaceDetector(Detector):
    """Finds faces from about 8 pixels on.

    The whole picture is looked at 1.5 times enlarged, for small faces, and at a smaller scale, for those that
    fill much of it. What scores enough there is a face. What scores less is cut out with its surroundings,
    scaled to one size and looked at again; it is a face where the geometric mean of both scores is enough,
    of which less is asked in a crowd.

    Args:
        store: where the weights are looked for.
        threads: how many ONNX Runtime may use.

    Raises:
        VisionError: the weights are missing or different, the extra is not installed, or the network does not
            find the face that it is shown at the start.
    """

    def __init__(self, store: ModelStore, *, threads: int = 1) -> None:
        self._network = YuNet(store, threads=threads)
        self._self_test = SelfTest()
        self._self_test.run(self._network)

    @property
    def subject(self) -> Subject:
        """See `Detector.subject`."""
        return Subject.FACE

    @property
    def name(self) -> str:
        """See `Detector.name`."""
        return "yunet-2023mar x1.5+0.6, second look, crowds"

    def verify(self) -> None:
        """See that the weights on disk are still the pinned ones and that a known face is still found.

        Takes about a millisecond of CPU; meant for the start of a process and about every minute after.

        Raises:
            VisionError: either is not so; nothing that it looks at may be kept then.
        """
        self._network.network.verify()
        self._self_test.run(self._network)

    def detect(self, pixels: Pixels) -> Boxes:
        """See `Detector.detect`."""
        check_picture(pixels, self.name)
        corners, scores = self._first_look(pixels)
        faces = self._sure(pixels, corners, scores)
        height, width = pixels.shape[:2]
        inside = np.clip(corners[faces], 0, np.array([width, height] * 2, np.float32))
        return Boxes.of(Subject.FACE, inside, scores[faces])

    def _first_look(self, pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        corners, scores = looked_over(
            pixels, _SCALES, self._look_at, side_max=_SIDE_MAX, overlap=_OVERLAP, grid=GRID
        )
        kept = suppressed(corners, scores, _SAME_FACE)
        corners, scores = corners[kept], scores[kept]
        # Faces near the edge have mirror images beyond it.
        height, width = pixels.shape[:2]
        shown = (corners[:, 2:] > 0).all(axis=1) & (corners[:, :2] < (width, height)).all(axis=1)
        return corners[shown], scores[shown]

    def _look_at(self, tile: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        found = self._network.look([tile], _IN_DOUBT)
        return found.corners, found.scores

    def _sure(
        self, pixels: Pixels, corners: NDArray[np.float32], scores: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Which boxes, best first, are kept; beyond what may be looked at again the first score decides."""
        faces = scores >= _SURE
        doubtful = np.flatnonzero(~faces)
        crowded = in_crowd(corners[doubtful], corners[faces])
        enough = np.where(crowded, _CONFIRMED_IN_CROWD, _CONFIRMED)
        faces[doubtful] = scores[doubtful] >= enough
        for start in range(0, min(len(doubtful), _LOOKS_MAX), _LOOKS_AT_ONCE):
            looks = slice(start, min(start + _LOOKS_AT_ONCE, _LOOKS_MAX))
            these = doubtful[looks]
            crops = [cropped(pixels, box) for box in corners[these]]
            found = self._network.look([crop.pixels for crop in crops], _CONFIRMED_IN_CROWD**2)
            again = looked_at(crops, found, _SAME_FACE)
            faces[these] = np.sqrt(scores[these] * again) >= enough[looks]
        return faces
