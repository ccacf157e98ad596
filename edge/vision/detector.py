"""`Detector`: what finds faces or plates in a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.picture import Pixels

_CHANNELS = 3


class Detector(ABC):
    """Finds one subject in pictures of any size; single-threaded, keeps nothing of what it saw."""

    @property
    @abstractmethod
    def subject(self) -> Subject:
        """What it finds."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the model and its settings, for reports and for what is kept beside a picture."""

    def verify(self) -> None:  # noqa: B027 - not every detector has a file
        """See that its model is still the pinned one, and that it still finds what it always found.

        Raises:
            VisionError: it is not.
        """

    @abstractmethod
    def detect(self, pixels: Pixels) -> Boxes:
        """Find the subject in `pixels`, (height, width, 3) uint8 blue, green, red.

        Raises:
            VisionError: the detector cannot judge this picture, which then must not be kept.
        """


def detect_all(detectors: Sequence[Detector], pixels: Pixels) -> Boxes:
    """What several detectors find in one picture.

    Raises:
        VisionError: as `Detector.detect`.
    """
    return Boxes.joined([detector.detect(pixels) for detector in detectors])


def check_picture(pixels: Pixels, where: str) -> None:
    """See that a detector is shown a picture: (height, width, 3) uint8, and not empty.

    Raises:
        VisionError: it is none.
    """
    if pixels.shape[2:] != (_CHANNELS,) or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise VisionError(f"no picture: {pixels.shape} of {pixels.dtype}", where=where)
