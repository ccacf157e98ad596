"""`SceneMotion`: how far the whole scene moved between two frames, so that memory moves along."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.picture import Pixels

_WIDTH, _HEIGHT = 160, 90
_SURE = 0.15
_STILL = (0.0, 0.0)


class SceneMotion:
    """Phase correlation of frames reduced to 160 x 90 grey: the shift that most of the picture agrees on.

    A turn of the vehicle moves everything by more than a face's width from frame to frame; what stands still
    in the scene is then found again by its place. Where no one shift explains the picture, none is said.
    """

    def __init__(self) -> None:
        self._window = cv2.createHanningWindow((_WIDTH, _HEIGHT), cv2.CV_32F)
        self._before: NDArray[np.float32] | None = None

    def since_last(self, pixels: Pixels) -> tuple[float, float]:
        """By how many pixels of the picture the scene moved to the right and down since the last frame."""
        small = cv2.resize(pixels, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.float32)
        before, self._before = self._before, grey
        if before is None:
            return _STILL
        (right, down), sure = cv2.phaseCorrelate(before, grey, self._window)
        if not sure >= _SURE:
            return _STILL
        height, width = pixels.shape[:2]
        return right * width / _WIDTH, down * height / _HEIGHT

    def forget(self) -> None:
        """Begin anew, such as after a change of size."""
        self._before = None
