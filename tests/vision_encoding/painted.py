"""A street of noise with a magenta face that moves over it, and a detector that finds what is magenta."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.picture import Pixels, Redacted

HEIGHT, WIDTH = 96, 160
FACE = (255, 0, 255)
FACE_PX = 16


def street(left: int | None = None, *, seed: int = 1, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """Blocks of grey, sharp and bright enough to be judged, with a face that begins at `left`."""
    blocks = np.random.default_rng(seed).integers(60, 190, (height // 8 + 1, width // 8 + 1), np.uint8)
    grey = np.kron(blocks, np.ones((8, 8), np.uint8))[:height, :width]
    pixels = np.ascontiguousarray(np.repeat(grey[:, :, np.newaxis], 3, axis=2))
    if left is not None:
        pixels[40 : 40 + FACE_PX, left : left + FACE_PX] = FACE
    return pixels


def magenta(pixels: Pixels) -> int:
    """How many pixels are of the face's colour, as far as a codec leaves it."""
    blue, green, red = (pixels[:, :, channel].astype(int) for channel in range(3))
    return int(((blue > green + 60) & (red > green + 60)).sum())


def redacted(pixels: Pixels, number: int = 0, t_ns: int = 0) -> Redacted:
    """Call pixels redacted in which nobody is."""
    return Redacted("front", number, t_ns, pixels, 0, 0)


class MagentaDetector(Detector):
    """Finds magenta; blind in the looks that it is told, and failing in others.

    Args:
        blind: numbers of looks in which it finds nothing.
        failing: numbers of looks in which it cannot judge; -1 means all.
    """

    def __init__(self, blind: tuple[int, ...] = (), failing: tuple[int, ...] = ()) -> None:
        self._blind, self._failing = blind, failing
        self.looks = 0

    @property
    def subject(self) -> Subject:
        return Subject.FACE

    @property
    def name(self) -> str:
        return "magenta"

    def detect(self, pixels: Pixels) -> Boxes:
        look, self.looks = self.looks, self.looks + 1
        if look in self._failing or -1 in self._failing:
            raise VisionError("cannot judge this")
        wide = pixels.astype(int)
        rows, columns = np.nonzero(
            (wide[:, :, 0] > wide[:, :, 1] + 60) & (wide[:, :, 2] > wide[:, :, 1] + 60)
        )
        if look in self._blind or not rows.size:
            return Boxes.none()
        corners = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
        return Boxes.of(Subject.FACE, np.array(corners, np.float32), np.array([0.9], np.float32))


def frames_of(path: Path) -> list[tuple[float, Pixels]]:
    """Frames of a film, each with its time in milliseconds."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames: list[tuple[float, Pixels]] = []
    while True:
        good, pixels = capture.read()
        if not good:
            return frames
        frames.append((capture.get(cv2.CAP_PROP_POS_MSEC), np.asarray(pixels, np.uint8)))
